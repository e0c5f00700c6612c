"""Rate of change: a value over the one `length` bars before, less one (0.02 is two percent)."""

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
    """Take in a value; return its change over `length` bars, NaN before there are as many or from zero."""
    if not np.isfinite(value):
        return np.nan
    before = window.push(state, value, length)
    return value / before - 1.0 if before != 0.0 else np.nan


ROC = Feature("roc", update, state_size)
