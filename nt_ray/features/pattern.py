"""Pattern match: how alike the last closes and the most similar stretch of the past are, and how long ago that was.

The shape of the last `length` closes is compared with those of `lookback` earlier stretches, the latest of which ends
where the present one begins. Dynamic time warping within `band` bars; 0 gives the correlation. The latest of equals
counts. A stretch that does not move has no shape: similarity 0 to all.

Source: Sakoe and Chiba (1978), see `similarity`.
"""

import math

import numpy as np
from numba import njit

from nt_ray.features import similarity, window
from nt_ray.features.bar_feature import BAR_SIZE_SIGNATURE, BAR_UPDATE_SIGNATURE, BarFeature, FeatureParameter
from nt_ray.market.bars import CLOSE
from nt_ray.types import FloatArray


@njit(BAR_SIZE_SIGNATURE, cache=True, nogil=True)
def state_size(params: FloatArray) -> int:
    """Floats of state: the window of the present stretch and all earlier ones."""
    return window.state_size(2 * int(params[0]) + int(params[1]) - 1)


@njit(BAR_UPDATE_SIGNATURE, cache=True, nogil=True)
def update(state: FloatArray, bar: FloatArray, params: FloatArray, out: FloatArray) -> None:
    """Take in a bar; write the best similarity and the bars since that stretch ended."""
    out[:] = np.nan
    if not math.isfinite(bar[CLOSE]):
        return
    length, lookback, band = int(params[0]), int(params[1]), int(params[2])
    bars = 2 * length + lookback - 1
    window.push(state, bar[CLOSE], bars)
    if window.seen(state) < bars:
        return
    closes = np.empty(bars)
    window.copy_ordered(state, bars, closes)
    present = closes[bars - length :].copy()
    moves = similarity.standardise(present)
    best, ago = -np.inf, 0
    for first in range(lookback - 1, -1, -1):
        past = closes[first : first + length].copy()
        alike = similarity.warped(present, past, band) if similarity.standardise(past) and moves else 0.0
        if alike > best:
            best, ago = alike, bars - length - first
    out[0], out[1] = best, ago


PATTERN = BarFeature(
    "pattern_match",
    update,
    state_size,
    (CLOSE,),
    (FeatureParameter("length", 20, 2), FeatureParameter("lookback", 100), FeatureParameter("band", 3, 0.0)),
    ("similarity", "bars_ago"),
)
