"""Bollinger bands: the mean of the last `length` closes and `width` population deviations to either side.

%b says where the close stands between them, 0 at the lower and 1 at the upper band; 0.5 where they meet.

Source: Bollinger (2001), Bollinger on Bollinger Bands.
"""

import math

import numpy as np
from numba import njit

from nt_ray.features import moments
from nt_ray.features.bar_feature import BAR_SIZE_SIGNATURE, BAR_UPDATE_SIGNATURE, BarFeature, FeatureParameter
from nt_ray.market.bars import CLOSE
from nt_ray.types import FloatArray


@njit(BAR_SIZE_SIGNATURE, cache=True, nogil=True)
def state_size(params: FloatArray) -> int:
    """Floats of state: the moments of the window."""
    return moments.state_size(int(params[0]))


@njit(BAR_UPDATE_SIGNATURE, cache=True, nogil=True)
def update(state: FloatArray, bar: FloatArray, params: FloatArray, out: FloatArray) -> None:
    """Take in a bar; write upper, middle, lower and %b."""
    out[:] = np.nan
    close, length = bar[CLOSE], int(params[0])
    if not math.isfinite(close) or not moments.push(state, close, length):
        return
    middle = moments.total(state, length) / length
    reach = params[1] * moments.deviation(state, length)
    out[0], out[1], out[2] = middle + reach, middle, middle - reach
    out[3] = (close - out[2]) / (2.0 * reach) if reach > 0.0 else 0.5


BOLLINGER = BarFeature(
    "bollinger",
    update,
    state_size,
    (CLOSE,),
    (FeatureParameter("length", 20, 2), FeatureParameter("width", 2.0, 0.0, integer=False)),
    ("upper", "middle", "lower", "percent_b"),
)
