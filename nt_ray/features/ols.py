"""Rolling hedge ratio: the least-squares slope of y on x with a constant over the last `length` bars.

slope = cov(x, y) / var(x), from running totals without cancellation. NaN where x does not move in the window.
A bar on which either value is missing is no bar for both.
"""

import numpy as np
from numba import float64, int64, njit, void

from nt_ray.features import double_sum, window
from nt_ray.features.base import PAIR_UPDATE_SIGNATURE, Feature
from nt_ray.types import FloatArray


@njit(int64(int64), cache=True, nogil=True)
def state_size(length: int) -> int:
    """Floats of state: two windows and the totals of y, x, xy and xx."""
    return 2 * window.state_size(length) + 8


@njit(void(float64[::1], float64, float64, float64), cache=True, nogil=True)
def _count(sums: FloatArray, sign: float, y: float, x: float) -> None:
    """Add (`sign` +1) or take away (-1) one bar."""
    double_sum.add(sums[0:2], sign * y)
    double_sum.add(sums[2:4], sign * x)
    double_sum.add_product(sums[4:6], sign, x, y)
    double_sum.add_product(sums[6:8], sign, x, x)


@njit(PAIR_UPDATE_SIGNATURE, cache=True, nogil=True)
def update(state: FloatArray, y: float, x: float, length: int) -> float:
    """Take in a value of each series; return the slope of y on x, NaN before `length` bars."""
    if not (np.isfinite(y) and np.isfinite(x)):
        return np.nan
    size = window.state_size(length)
    sums = state[2 * size :]
    old_y = window.push(state[:size], y, length)
    old_x = window.push(state[size : 2 * size], x, length)
    if not np.isnan(old_y):
        _count(sums, -1.0, old_y, old_x)
    _count(sums, 1.0, y, x)
    if state[0] < length:
        return np.nan
    spread = double_sum.cross_deviation(float(length), sums[6:8], sums[2:4], sums[2:4])
    if window.is_flat(state[size : 2 * size], length) or spread <= 0.0:
        return np.nan
    return double_sum.cross_deviation(float(length), sums[4:6], sums[2:4], sums[:2]) / spread


HEDGE_RATIO = Feature("hedge_ratio", update, state_size, inputs=2, minimum_length=2)
