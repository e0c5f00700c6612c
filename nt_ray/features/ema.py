"""Exponential moving average with weight 2 / (length + 1), started by the mean of the first `length` values.

Source: the usual definition of charting packages; starting value as TA-Lib's EMA.
"""

import numpy as np
from numba import int64, njit

from nt_ray.features import double_sum
from nt_ray.features.base import UPDATE_SIGNATURE, Feature
from nt_ray.types import FloatArray

_SEEN, _AVERAGE, _TOTAL = 0, 1, 2


@njit(int64(int64), cache=True, nogil=True)
def state_size(length: int) -> int:
    """Floats of state: values seen, the average, the total of the first values."""
    return _TOTAL + 2


@njit(UPDATE_SIGNATURE, cache=True, nogil=True, forceinline=True)
def update(state: FloatArray, value: float, length: int) -> float:
    """Take in a value; return the average, NaN before `length` values."""
    if not np.isfinite(value):
        return np.nan
    state[_SEEN] += 1.0
    if state[_SEEN] <= length:
        total = state[_TOTAL : _TOTAL + 2]
        double_sum.add(total, value)
        state[_AVERAGE] = (total[0] + total[1]) / length
        return float(state[_AVERAGE]) if state[_SEEN] == length else np.nan
    state[_AVERAGE] += 2.0 / (length + 1.0) * (value - state[_AVERAGE])
    return float(state[_AVERAGE])


EMA = Feature("ema", update, state_size)
