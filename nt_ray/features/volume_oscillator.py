"""Volume oscillator: mean volume of `fast` bars over that of `slow` bars, less one, in percent; 0 without volume.

Source: Achelis (2001), Technical Analysis from A to Z.
"""

import numpy as np
from numba import njit

from nt_ray.features import sma
from nt_ray.features.bar_feature import BAR_SIZE_SIGNATURE, BAR_UPDATE_SIGNATURE, BarFeature, FeatureParameter
from nt_ray.market.bars import VOLUME
from nt_ray.types import FloatArray


@njit(BAR_SIZE_SIGNATURE, cache=True, nogil=True)
def state_size(params: FloatArray) -> int:
    """Floats of state: two means."""
    return sma.state_size(int(params[0])) + sma.state_size(int(params[1]))


@njit(BAR_UPDATE_SIGNATURE, cache=True, nogil=True)
def update(state: FloatArray, bar: FloatArray, params: FloatArray, out: FloatArray) -> None:
    """Take in a bar; write the oscillator."""
    fast, slow = int(params[0]), int(params[1])
    size = sma.state_size(fast)
    quick = sma.update(state[:size], bar[VOLUME], fast)
    slack = sma.update(state[size:], bar[VOLUME], slow)
    out[0] = np.nan
    if not np.isnan(slack):
        out[0] = 100.0 * (quick - slack) / slack if slack > 0.0 else 0.0


VOLUME_OSCILLATOR = BarFeature(
    "volume_oscillator",
    update,
    state_size,
    (VOLUME,),
    (FeatureParameter("fast", 5), FeatureParameter("slow", 10)),
    ("oscillator",),
    ascending=("fast", "slow"),
)
