"""Mean and variance of a rolling window, exact to the last bits however long the series.

State: the window, then the running total of the values and that of their squares, each a double-double pair.
Other features build on these moments; a strategy that needs both keeps them once.
"""

import math

import numpy as np
from numba import boolean, float64, int64, njit

from nt_ray.features import double_sum, window
from nt_ray.types import FloatArray


@njit(int64(int64), cache=True, nogil=True, forceinline=True)
def state_size(length: int) -> int:
    """Floats of state for a window of `length` values."""
    return window.state_size(length) + 4


@njit(boolean(float64[::1], float64, int64), cache=True, nogil=True, forceinline=True)
def push(state: FloatArray, value: float, length: int) -> bool:
    """Take in a finite value; return whether the window is full."""
    sums = window.state_size(length)
    displaced = window.push(state, value, length)
    leaving = 0.0 if np.isnan(displaced) else displaced
    double_sum.replace(state, sums, value, leaving)
    double_sum.replace_square(state, sums + 2, value, leaving)
    return bool(window.seen(state) >= length)


@njit(float64(float64[::1], int64), cache=True, nogil=True, forceinline=True)
def total(state: FloatArray, length: int) -> float:
    """Sum of the values in the window."""
    sums = window.state_size(length)
    return float(state[sums] + state[sums + 1])


@njit(float64(float64[::1], int64), cache=True, nogil=True, forceinline=True)
def deviation(state: FloatArray, length: int) -> float:
    """Population standard deviation of a full window; 0 where all values are equal."""
    sums = window.state_size(length)
    if window.is_flat(state, length):
        return 0.0
    values, squares = (state[sums], state[sums + 1]), (state[sums + 2], state[sums + 3])
    return math.sqrt(max(double_sum.pair_deviation(float(length), squares, values, values), 0.0)) / length
