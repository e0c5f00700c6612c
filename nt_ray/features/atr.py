"""Average true range after Wilder: the true range smoothed with weight 1 / length.

The first average is the plain mean of the first `length` ranges, of which the first belongs to the second
bar. Needs closes; where highs and lows are unknown the range is the move between closes, see `true_range`.

Source: Wilder (1978), New Concepts in Technical Trading Systems.
"""

import math

import numpy as np
from numba import float64, int64, njit

from nt_ray.features.bar_feature import BAR_SIZE_SIGNATURE, BAR_UPDATE_SIGNATURE, BarFeature, FeatureParameter
from nt_ray.features.true_range import true_range
from nt_ray.market.bars import CLOSE
from nt_ray.types import FloatArray

STATE_SIZE = 3
_SEEN, _CLOSE, _AVERAGE = range(3)


@njit(float64(float64[::1], float64[::1], int64), cache=True, nogil=True)
def push(state: FloatArray, bar: FloatArray, length: int) -> float:
    """Take in a bar; return the average, NaN before `length` ranges and where there is no close."""
    close = bar[CLOSE]
    if not math.isfinite(close):
        return np.nan
    before = state[_CLOSE]
    state[_CLOSE] = close
    state[_SEEN] += 1.0
    ranges = state[_SEEN] - 1.0
    if ranges == 0.0:
        return np.nan
    reach = true_range(bar, before)
    if ranges <= length:
        # A sum first, then once its mean: Wilder's starting value.
        state[_AVERAGE] = (state[_AVERAGE] + reach) / (length if ranges == length else 1.0)
    else:
        state[_AVERAGE] = (state[_AVERAGE] * (length - 1) + reach) / length
    return float(state[_AVERAGE]) if ranges >= length else np.nan


@njit(BAR_SIZE_SIGNATURE, cache=True, nogil=True)
def state_size(params: FloatArray) -> int:
    """Floats of state: bars seen, the last close, the average."""
    return STATE_SIZE


@njit(BAR_UPDATE_SIGNATURE, cache=True, nogil=True)
def update(state: FloatArray, bar: FloatArray, params: FloatArray, out: FloatArray) -> None:
    """Take in a bar; write the average true range."""
    out[0] = push(state, bar, int(params[0]))


ATR = BarFeature("atr", update, state_size, (CLOSE,), (FeatureParameter("length", 14),), ("atr",))
