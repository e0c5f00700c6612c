"""Chaikin money flow: money flow of the last `length` bars over their volume, in [-1, 1]; 0 without volume.

Source: Chaikin, in Achelis (2001), Technical Analysis from A to Z.
"""

import numpy as np
from numba import njit

from nt_ray.features import sma
from nt_ray.features.bar_feature import BAR_UPDATE_SIGNATURE, BarFeature, FeatureParameter
from nt_ray.features.money_flow import FIELDS, is_known, money_flow, two_means
from nt_ray.market.bars import VOLUME
from nt_ray.types import FloatArray


@njit(BAR_UPDATE_SIGNATURE, cache=True, nogil=True)
def update(state: FloatArray, bar: FloatArray, params: FloatArray, out: FloatArray) -> None:
    """Take in a bar; write the ratio."""
    out[0] = np.nan
    if not is_known(bar):
        return
    length = int(params[0])
    size = sma.state_size(length)
    flow = sma.update(state[:size], money_flow(bar), length)
    volume = sma.update(state[size:], bar[VOLUME], length)
    if not np.isnan(volume):
        out[0] = flow / volume if volume > 0.0 else 0.0


CMF = BarFeature("chaikin_money_flow", update, two_means, FIELDS, (FeatureParameter("length", 20),), ("cmf",))
