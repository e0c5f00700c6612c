"""Momentum in units of the series: a value less the one `length` bars before."""

import numpy as np
from numba import int64, njit

from nt_ray.features import window
from nt_ray.features.base import UPDATE_SIGNATURE, Feature
from nt_ray.types import FloatArray


@njit(int64(int64), cache=True, nogil=True)
def state_size(length: int) -> int:
    """Floats of state: the window."""
    return window.state_size(length)


@njit(UPDATE_SIGNATURE, cache=True, nogil=True, forceinline=True)
def update(state: FloatArray, value: float, length: int) -> float:
    """Take in a value; return its difference over `length` bars, NaN before there are as many."""
    if not np.isfinite(value):
        return np.nan
    return value - window.push(state, value, length)


MOMENTUM = Feature("momentum", update, state_size)
