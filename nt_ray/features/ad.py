"""Accumulation/distribution line: the running total of money flow; only its changes mean anything.

Source: Chaikin, in Achelis (2001), Technical Analysis from A to Z.
"""

import numpy as np
from numba import njit

from nt_ray.features import double_sum
from nt_ray.features.bar_feature import BAR_SIZE_SIGNATURE, BAR_UPDATE_SIGNATURE, BarFeature
from nt_ray.features.money_flow import FIELDS, is_known, money_flow
from nt_ray.types import FloatArray


@njit(BAR_SIZE_SIGNATURE, cache=True, nogil=True)
def state_size(params: FloatArray) -> int:
    """Floats of state: the total."""
    return 2


@njit(BAR_UPDATE_SIGNATURE, cache=True, nogil=True)
def update(state: FloatArray, bar: FloatArray, params: FloatArray, out: FloatArray) -> None:
    """Take in a bar; write the line."""
    out[0] = np.nan
    if is_known(bar):
        double_sum.add(state, money_flow(bar))
        out[0] = state[0] + state[1]


AD = BarFeature("accumulation_distribution", update, state_size, FIELDS, (), ("ad",))
