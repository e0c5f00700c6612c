"""Z-score of a value in its own rolling window: (value - mean) / population standard deviation.

A price at z is z standard deviations from the middle Bollinger band (Bollinger 2001). A flat window gives 0.
"""

import numpy as np
from numba import int64, njit

from nt_ray.features import moments
from nt_ray.features.base import UPDATE_SIGNATURE, Feature
from nt_ray.types import FloatArray


@njit(int64(int64), cache=True, nogil=True)
def state_size(length: int) -> int:
    """Floats of state: the moments of the window."""
    return moments.state_size(length)


@njit(UPDATE_SIGNATURE, cache=True, nogil=True, forceinline=True)
def update(state: FloatArray, value: float, length: int) -> float:
    """Take in a value; return its z-score among the last `length`, NaN before there are as many."""
    if not np.isfinite(value) or not moments.push(state, value, length):
        return np.nan
    deviation = moments.deviation(state, length)
    if deviation == 0.0:
        return 0.0
    return (value - moments.total(state, length) / length) / deviation


ZSCORE = Feature("zscore", update, state_size, minimum_length=2)
