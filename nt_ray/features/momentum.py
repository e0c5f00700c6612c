"""Momentum in units of the series: a value less the one `length` bars before."""

import numpy as np
from numba import njit

from nt_ray.features import window
from nt_ray.features.base import UPDATE_SIGNATURE, Feature
from nt_ray.types import FloatArray


@njit(UPDATE_SIGNATURE, cache=True, nogil=True, forceinline=True)
def update(state: FloatArray, value: float, length: int) -> float:
    """Take in a value; return its difference over `length` bars, NaN before there are as many."""
    if not np.isfinite(value):
        return np.nan
    return value - window.push(state, value, length)


MOMENTUM = Feature("momentum", update, window.state_size)
