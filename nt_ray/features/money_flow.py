"""Money flow of a bar: its volume, signed and sized by where the close lies between low and high.

volume * ((close - low) - (high - close)) / (high - low): all of it at the high, none of it in the middle, its
negative at the low; 0 for a bar without a range.

Source: Chaikin's accumulation/distribution, in Achelis (2001), Technical Analysis from A to Z.
"""

import math

from numba import boolean, float64, njit

from nt_ray.features import sma
from nt_ray.features.bar_feature import BAR_SIZE_SIGNATURE
from nt_ray.market.bars import CLOSE, HIGH, LOW, VOLUME
from nt_ray.types import FloatArray

FIELDS = (HIGH, LOW, CLOSE, VOLUME)
"""Fields of a bar it is made of."""


@njit(boolean(float64[::1]), cache=True, nogil=True)
def is_known(bar: FloatArray) -> bool:
    """Whether all fields are there."""
    prices = math.isfinite(bar[HIGH]) and math.isfinite(bar[LOW]) and math.isfinite(bar[CLOSE])
    return prices and math.isfinite(bar[VOLUME])


@njit(float64(float64[::1]), cache=True, nogil=True)
def money_flow(bar: FloatArray) -> float:
    """Money flow of a bar whose fields are known."""
    reach = bar[HIGH] - bar[LOW]
    if reach <= 0.0:
        return 0.0
    return float(((bar[CLOSE] - bar[LOW]) - (bar[HIGH] - bar[CLOSE])) / reach * bar[VOLUME])


@njit(BAR_SIZE_SIGNATURE, cache=True, nogil=True)
def two_means(params: FloatArray) -> int:
    """Floats of state of two means, whose length is the first parameter."""
    return 2 * sma.state_size(int(params[0]))
