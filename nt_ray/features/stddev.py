"""Rolling population standard deviation (divisor `length`), without cancellation; 0 for a flat window."""

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
    """Take in a value; return the deviation of the last `length`, NaN before there are as many."""
    if not np.isfinite(value) or not moments.push(state, value, length):
        return np.nan
    return moments.deviation(state, length)


STDDEV = Feature("stddev", update, state_size, minimum_length=2)
