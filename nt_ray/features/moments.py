"""Mean and variance of a rolling window, exact to the last bits however long the series.

State: the window, then the running total of the values and that of their squares, each a double-double pair.
Other features build on these moments; a strategy that needs both keeps them once.
"""

import math

import numpy as np
from numba import boolean, float64, int64, njit

from nt_ray.features import double_sum, window
from nt_ray.types import FloatArray


@njit(int64(int64), cache=True, nogil=True)
def state_size(length: int) -> int:
    """Floats of state for a window of `length` values."""
    return window.state_size(length) + 4


@njit(boolean(float64[::1], float64, int64), cache=True, nogil=True)
def push(state: FloatArray, value: float, length: int) -> bool:
    """Take in a finite value; return whether the window is full."""
    sums = window.state_size(length)
    total, squares = state[sums : sums + 2], state[sums + 2 : sums + 4]
    displaced = window.push(state[:sums], value, length)
    if not np.isnan(displaced):
        double_sum.add(total, -displaced)
        double_sum.add_product(squares, -1.0, displaced, displaced)
    double_sum.add(total, value)
    double_sum.add_product(squares, 1.0, value, value)
    return bool(state[0] >= length)


@njit(float64(float64[::1], int64), cache=True, nogil=True)
def total(state: FloatArray, length: int) -> float:
    """Sum of the values in the window."""
    sums = window.state_size(length)
    return float(state[sums] + state[sums + 1])


@njit(float64(float64[::1], int64), cache=True, nogil=True)
def deviation(state: FloatArray, length: int) -> float:
    """Population standard deviation of a full window; 0 where all values are equal."""
    sums = window.state_size(length)
    values, squares = state[sums : sums + 2], state[sums + 2 : sums + 4]
    if window.is_flat(state, length):
        return 0.0
    return math.sqrt(max(double_sum.cross_deviation(float(length), squares, values, values), 0.0)) / length
