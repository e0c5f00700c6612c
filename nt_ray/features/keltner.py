"""Keltner channel: exponential mean of the close and `width` average true ranges to either side.

Source: Keltner (1960), How to Make Money in Commodities, in the form of Raschke with exponential mean and ATR.
"""

import math

import numpy as np
from numba import njit

from nt_ray.features import atr, ema
from nt_ray.features.bar_feature import BAR_SIZE_SIGNATURE, BAR_UPDATE_SIGNATURE, BarFeature, FeatureParameter
from nt_ray.market.bars import CLOSE
from nt_ray.types import FloatArray


@njit(BAR_SIZE_SIGNATURE, cache=True, nogil=True)
def state_size(params: FloatArray) -> int:
    """Floats of state: the range and the mean."""
    return atr.STATE_SIZE + ema.state_size(int(params[0]))


@njit(BAR_UPDATE_SIGNATURE, cache=True, nogil=True)
def update(state: FloatArray, bar: FloatArray, params: FloatArray, out: FloatArray) -> None:
    """Take in a bar; write upper, middle and lower."""
    out[:] = np.nan
    if not math.isfinite(bar[CLOSE]):
        return
    reach = params[2] * atr.push(state[: atr.STATE_SIZE], bar, int(params[1]))
    middle = ema.update(state[atr.STATE_SIZE :], bar[CLOSE], int(params[0]))
    if not np.isnan(reach) and not np.isnan(middle):
        out[0], out[1], out[2] = middle + reach, middle, middle - reach


KELTNER = BarFeature(
    "keltner",
    update,
    state_size,
    (CLOSE,),
    (
        FeatureParameter("length", 20),
        FeatureParameter("atr_length", 10),
        FeatureParameter("width", 2.0, 0.0, integer=False),
    ),
    ("upper", "middle", "lower"),
)
