"""Donchian channel: the highest high and the lowest low of the last `length` bars, and their middle.

The present bar counts. Source: Donchian's four-week rule, in Kaufman (2013), Trading Systems and Methods.
"""

import math

import numpy as np
from numba import njit

from nt_ray.features import extremes
from nt_ray.features.bar_feature import BAR_SIZE_SIGNATURE, BAR_UPDATE_SIGNATURE, BarFeature, FeatureParameter
from nt_ray.market.bars import HIGH, LOW
from nt_ray.types import FloatArray


@njit(BAR_SIZE_SIGNATURE, cache=True, nogil=True)
def state_size(params: FloatArray) -> int:
    """Floats of state: two queues."""
    return 2 * extremes.state_size(int(params[0]))


@njit(BAR_UPDATE_SIGNATURE, cache=True, nogil=True)
def update(state: FloatArray, bar: FloatArray, params: FloatArray, out: FloatArray) -> None:
    """Take in a bar; write upper, middle and lower."""
    out[:] = np.nan
    high, low, length = bar[HIGH], bar[LOW], int(params[0])
    if not (math.isfinite(high) and math.isfinite(low)):
        return
    size = extremes.state_size(length)
    upper = extremes.push(state[:size], high, length)
    lower = -extremes.push(state[size:], -low, length)
    if extremes.seen(state) >= length:
        out[0], out[1], out[2] = upper, 0.5 * (upper + lower), lower


DONCHIAN = BarFeature(
    "donchian", update, state_size, (HIGH, LOW), (FeatureParameter("length", 20),), ("upper", "middle", "lower")
)
