"""Moving average convergence divergence: fast less slow exponential average, its signal line, their difference.

Both averages start on the same bar, the `slow`-th: the fast one from the mean of the `fast` closes up to it. The
signal is the exponential average of the line, the histogram the line less the signal.

Source: Appel (2005), Technical Analysis: Power Tools for Active Investors; starting values as TA-Lib's MACD.
"""

import math

import numpy as np
from numba import float64, njit, void

from nt_ray.features import ema
from nt_ray.features.bar_feature import BAR_SIZE_SIGNATURE, BAR_UPDATE_SIGNATURE, BarFeature, FeatureParameter
from nt_ray.market.bars import CLOSE
from nt_ray.types import FloatArray

EMA_SIZE = int(ema.state_size(1))
"""Floats of one average, whatever its length."""

STATE_SIZE = 1 + 3 * EMA_SIZE


@njit(BAR_SIZE_SIGNATURE, cache=True, nogil=True)
def state_size(params: FloatArray) -> int:
    """Floats of state: bars seen and three averages."""
    return STATE_SIZE


@njit(void(float64[::1], float64, float64[::1], float64[::1]), cache=True, nogil=True)
def push(state: FloatArray, close: float, params: FloatArray, out: FloatArray) -> None:
    """Take in a finite close; write line, signal and histogram, NaN while warming up."""
    out[:] = np.nan
    fast, slow = int(params[0]), int(params[1])
    state[0] += 1.0
    quick = np.nan
    if state[0] > slow - fast:
        quick = ema.update(state[1 : 1 + EMA_SIZE], close, fast)
    line = quick - ema.update(state[1 + EMA_SIZE : 1 + 2 * EMA_SIZE], close, slow)
    # The line is shown from the first bar of its signal on.
    signal = ema.update(state[1 + 2 * EMA_SIZE :], line, int(params[2]))
    if not np.isnan(signal):
        out[0], out[1], out[2] = line, signal, line - signal


@njit(BAR_UPDATE_SIGNATURE, cache=True, nogil=True)
def update(state: FloatArray, bar: FloatArray, params: FloatArray, out: FloatArray) -> None:
    """Take in a bar; write line, signal and histogram."""
    if math.isfinite(bar[CLOSE]):
        push(state, bar[CLOSE], params, out)
    else:
        out[:] = np.nan


MACD = BarFeature(
    "macd",
    update,
    state_size,
    (CLOSE,),
    (FeatureParameter("fast", 12), FeatureParameter("slow", 26), FeatureParameter("signal", 9)),
    ("line", "signal", "histogram"),
    ascending=("fast", "slow"),
)
