"""Historical volatility: sample deviation of the last `length` log returns times the root of `periods` a year.

0.2 is twenty percent a year. A close that is not positive is no bar.
"""

import math

import numpy as np
from numba import njit

from nt_ray.features import moments
from nt_ray.features.bar_feature import BAR_SIZE_SIGNATURE, BAR_UPDATE_SIGNATURE, BarFeature, FeatureParameter
from nt_ray.market.bars import CLOSE
from nt_ray.types import FloatArray

_CLOSE, _MOMENTS = 0, 1


@njit(BAR_SIZE_SIGNATURE, cache=True, nogil=True)
def state_size(params: FloatArray) -> int:
    """Floats of state: the last close and the moments of returns."""
    return _MOMENTS + moments.state_size(int(params[0]))


@njit(BAR_UPDATE_SIGNATURE, cache=True, nogil=True)
def update(state: FloatArray, bar: FloatArray, params: FloatArray, out: FloatArray) -> None:
    """Take in a bar; write the volatility."""
    out[0] = np.nan
    close, length = bar[CLOSE], int(params[0])
    if not (math.isfinite(close) and close > 0.0):
        return
    before = state[_CLOSE]
    state[_CLOSE] = close
    if before > 0.0 and moments.push(state[_MOMENTS:], math.log(close / before), length):
        out[0] = moments.deviation(state[_MOMENTS:], length) * math.sqrt(params[1] * length / (length - 1.0))


HV = BarFeature(
    "historical_volatility",
    update,
    state_size,
    (CLOSE,),
    (FeatureParameter("length", 20, 2), FeatureParameter("periods", 252.0, 0.0, integer=False)),
    ("volatility",),
)
