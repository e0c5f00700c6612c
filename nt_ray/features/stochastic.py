"""Stochastic oscillator: where the close stands between the lowest low and the highest high of `length` bars.

raw = 100 * (close - lowest) / (highest - lowest), 50 where the two are equal; %K is the mean of the last `smooth`
values of raw, %D that of the last `signal` values of %K. `smooth` 1 gives the fast oscillator.

Source: Lane (1984), Lane's stochastics, Technical Analysis of Stocks and Commodities 2.
"""

import math

import numpy as np
from numba import njit

from nt_ray.features import extremes, sma
from nt_ray.features.bar_feature import BAR_SIZE_SIGNATURE, BAR_UPDATE_SIGNATURE, BarFeature, FeatureParameter
from nt_ray.market.bars import CLOSE, HIGH, LOW
from nt_ray.types import FloatArray


@njit(BAR_SIZE_SIGNATURE, cache=True, nogil=True)
def state_size(params: FloatArray) -> int:
    """Floats of state: two queues and two means."""
    return 2 * extremes.state_size(int(params[0])) + sma.state_size(int(params[1])) + sma.state_size(int(params[2]))


@njit(BAR_UPDATE_SIGNATURE, cache=True, nogil=True)
def update(state: FloatArray, bar: FloatArray, params: FloatArray, out: FloatArray) -> None:
    """Take in a bar; write %K and %D."""
    out[:] = np.nan
    high, low, close, length = bar[HIGH], bar[LOW], bar[CLOSE], int(params[0])
    if not (math.isfinite(high) and math.isfinite(low) and math.isfinite(close)):
        return
    size = extremes.state_size(length)
    highest = extremes.push(state[:size], high, length)
    lowest = -extremes.push(state[size : 2 * size], -low, length)
    if extremes.seen(state) < length:
        return
    reach = highest - lowest
    raw = 100.0 * (close - lowest) / reach if reach > 0.0 else 50.0
    means = 2 * size + sma.state_size(int(params[1]))
    out[0] = sma.update(state[2 * size : means], raw, int(params[1]))
    out[1] = sma.update(state[means:], out[0], int(params[2]))


STOCHASTIC = BarFeature(
    "stochastic",
    update,
    state_size,
    (HIGH, LOW, CLOSE),
    (FeatureParameter("length", 14), FeatureParameter("smooth", 3), FeatureParameter("signal", 3)),
    ("k", "d"),
)
