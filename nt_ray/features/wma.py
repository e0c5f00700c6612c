"""Linearly weighted moving average: weights 1 for the oldest value of the window to `length` for the newest."""

import numpy as np
from numba import int64, njit

from nt_ray.features import double_sum, window
from nt_ray.features.base import UPDATE_SIGNATURE, Feature
from nt_ray.types import FloatArray


@njit(int64(int64), cache=True, nogil=True)
def state_size(length: int) -> int:
    """Floats of state: the window, its total and its weighted total."""
    return window.state_size(length) + 4


@njit(UPDATE_SIGNATURE, cache=True, nogil=True)
def update(state: FloatArray, value: float, length: int) -> float:
    """Take in a value; return the weighted mean of the last `length`, NaN before there are as many."""
    if not np.isfinite(value):
        return np.nan
    sums = window.state_size(length)
    total, weighted = state[sums : sums + 2], state[sums + 2 : sums + 4]
    displaced = window.push(state[:sums], value, length)
    weight = float(min(window.seen(state), length))
    if not np.isnan(displaced):
        # Every value of the full window loses one weight, and the oldest had one.
        double_sum.add(weighted, -total[0])
        double_sum.add(weighted, -total[1])
        double_sum.add(total, -displaced)
    double_sum.add(total, value)
    double_sum.add_product(weighted, 1.0, weight, value)
    if state[0] < length:
        return np.nan
    return float(weighted[0] + weighted[1]) / (0.5 * length * (length + 1.0))


WMA = Feature("wma", update, state_size)
