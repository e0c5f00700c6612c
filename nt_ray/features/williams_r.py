"""Williams %R: how far the close lies below the highest high of `length` bars, in percent of their range.

-100 * (highest - close) / (highest - lowest): 0 at the top, -100 at the bottom, -50 where the two are equal.

Source: Williams (1973), How I Made One Million Dollars Last Year Trading Commodities.
"""

import math

import numpy as np
from numba import njit

from nt_ray.features import extremes
from nt_ray.features.bar_feature import BAR_SIZE_SIGNATURE, BAR_UPDATE_SIGNATURE, BarFeature, FeatureParameter
from nt_ray.market.bars import CLOSE, HIGH, LOW
from nt_ray.types import FloatArray


@njit(BAR_SIZE_SIGNATURE, cache=True, nogil=True)
def state_size(params: FloatArray) -> int:
    """Floats of state: two queues."""
    return 2 * extremes.state_size(int(params[0]))


@njit(BAR_UPDATE_SIGNATURE, cache=True, nogil=True)
def update(state: FloatArray, bar: FloatArray, params: FloatArray, out: FloatArray) -> None:
    """Take in a bar; write the index."""
    out[0] = np.nan
    high, low, close, length = bar[HIGH], bar[LOW], bar[CLOSE], int(params[0])
    if not (math.isfinite(high) and math.isfinite(low) and math.isfinite(close)):
        return
    size = extremes.state_size(length)
    highest = extremes.push(state[:size], high, length)
    reach = highest + extremes.push(state[size:], -low, length)
    if extremes.seen(state) >= length:
        out[0] = -100.0 * (highest - close) / reach if reach > 0.0 else -50.0


WILLIAMS_R = BarFeature("williams_r", update, state_size, (HIGH, LOW, CLOSE), (FeatureParameter("length", 14),), ("r",))
