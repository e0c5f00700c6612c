"""Efficiency ratio: how much of the way of the last `length` changes was progress, in [0, 1].

|value - value `length` bars ago| / sum of |changes|. 1 is a straight line, 0 a way that leads back; a series
that has not moved is at 0.

Source: Kaufman (1995), Smarter Trading.
"""

import numpy as np
from numba import int64, njit

from nt_ray.features import double_sum, window
from nt_ray.features.base import UPDATE_SIGNATURE, Feature
from nt_ray.types import FloatArray


@njit(int64(int64), cache=True, nogil=True)
def state_size(length: int) -> int:
    """Floats of state: the window of values and the total way."""
    return window.state_size(length + 1) + 2


@njit(UPDATE_SIGNATURE, cache=True, nogil=True)
def update(state: FloatArray, value: float, length: int) -> float:
    """Take in a value; return the ratio, NaN before `length` changes."""
    if not np.isfinite(value):
        return np.nan
    size = window.state_size(length + 1)
    ring, way = state[:size], state[size:]
    before = window.newest(ring, length + 1)
    displaced = window.push(ring, value, length + 1)
    changes = window.seen(ring) - 1
    if changes > 0:
        double_sum.add(way, abs(value - before))
    if changes < length:
        return np.nan
    first = window.oldest(ring, length + 1)
    if changes > length:
        double_sum.add(way, -abs(first - displaced))
    total = way[0] + way[1]
    return min(abs(value - first) / total, 1.0) if total > 0.0 else 0.0


EFFICIENCY = Feature("efficiency", update, state_size)
