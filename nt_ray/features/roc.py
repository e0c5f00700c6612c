"""Rate of change: a value over the one `length` bars before, less one (0.02 is two percent)."""

import numpy as np
from numba import njit

from nt_ray.features import window
from nt_ray.features.base import UPDATE_SIGNATURE, Feature
from nt_ray.types import FloatArray


@njit(UPDATE_SIGNATURE, cache=True, nogil=True, forceinline=True)
def update(state: FloatArray, value: float, length: int) -> float:
    """Take in a value; return its change over `length` bars, NaN before there are as many or from zero."""
    if not np.isfinite(value):
        return np.nan
    before = window.push(state, value, length)
    return value / before - 1.0 if before != 0.0 else np.nan


ROC = Feature("roc", update, window.state_size)
