"""True range of a bar: how far the price went since the last close, the gap included.

max(high, close before) - min(low, close before). Where the high or the low is unknown, as for instruments of
which only closes are known, it is the move from close to close, |close - close before|: nothing is invented.

Source: Wilder (1978), New Concepts in Technical Trading Systems.
"""

import math

from numba import float64, njit

from nt_ray.market.bars import CLOSE, HIGH, LOW
from nt_ray.types import FloatArray


@njit(float64(float64[::1], float64), cache=True, nogil=True)
def true_range(bar: FloatArray, before: float) -> float:
    """True range of a bar with a finite close after the close `before`."""
    high, low = bar[HIGH], bar[LOW]
    if not (math.isfinite(high) and math.isfinite(low)):
        return float(abs(bar[CLOSE] - before))
    return float(max(high, before) - min(low, before))
