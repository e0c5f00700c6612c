"""On-balance volume: the running total of volume, added on a rise of the close and taken away on a fall.

It starts at the volume of the first bar; only its changes mean anything.

Source: Granville (1963), Granville's New Key to Stock Market Profits.
"""

import math

import numpy as np
from numba import njit

from nt_ray.features.bar_feature import BAR_SIZE_SIGNATURE, BAR_UPDATE_SIGNATURE, BarFeature
from nt_ray.market.bars import CLOSE, VOLUME
from nt_ray.types import FloatArray

_SEEN, _CLOSE, _TOTAL = range(3)


@njit(BAR_SIZE_SIGNATURE, cache=True, nogil=True)
def state_size(params: FloatArray) -> int:
    """Floats of state: bars seen, the last close, the total."""
    return _TOTAL + 1


@njit(BAR_UPDATE_SIGNATURE, cache=True, nogil=True)
def update(state: FloatArray, bar: FloatArray, params: FloatArray, out: FloatArray) -> None:
    """Take in a bar; write the total."""
    out[0] = np.nan
    if not (math.isfinite(bar[CLOSE]) and math.isfinite(bar[VOLUME])):
        return
    side = np.sign(bar[CLOSE] - state[_CLOSE]) if state[_SEEN] > 0.0 else 1.0
    state[_TOTAL] += side * bar[VOLUME]
    state[_SEEN], state[_CLOSE] = 1.0, bar[CLOSE]
    out[0] = state[_TOTAL]


OBV = BarFeature("obv", update, state_size, (CLOSE, VOLUME), (), ("obv",))
