"""Simple moving average: the mean of the last `length` values, free of drift after any number of bars."""

import numpy as np
from numba import int64, njit

from nt_ray.features import double_sum, window
from nt_ray.features.base import UPDATE_SIGNATURE, Feature
from nt_ray.types import FloatArray


@njit(int64(int64), cache=True, nogil=True)
def state_size(length: int) -> int:
    """Floats of state: the window and its running total."""
    return window.state_size(length) + 2


@njit(UPDATE_SIGNATURE, cache=True, nogil=True, forceinline=True)
def update(state: FloatArray, value: float, length: int) -> float:
    """Take in a value; return the mean of the last `length`, NaN before there are as many."""
    if not np.isfinite(value):
        return np.nan
    sums = window.state_size(length)
    displaced = window.push(state, value, length)
    double_sum.replace(state, sums, value, 0.0 if np.isnan(displaced) else displaced)
    return (state[sums] + state[sums + 1]) / length if window.seen(state) >= length else np.nan


SMA = Feature("sma", update, state_size)
