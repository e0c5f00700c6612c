"""Volume-weighted average price of the last `length` bars, each at its typical price (high + low + close) / 3.

NaN where the window has no volume.

Source: Berkowitz, Logue and Noser (1988), The total cost of transactions on the NYSE, Journal of Finance 43.
"""

import numpy as np
from numba import njit

from nt_ray.features import sma
from nt_ray.features.bar_feature import BAR_UPDATE_SIGNATURE, BarFeature, FeatureParameter
from nt_ray.features.money_flow import FIELDS, is_known, two_means
from nt_ray.market.bars import CLOSE, HIGH, LOW, VOLUME
from nt_ray.types import FloatArray


@njit(BAR_UPDATE_SIGNATURE, cache=True, nogil=True)
def update(state: FloatArray, bar: FloatArray, params: FloatArray, out: FloatArray) -> None:
    """Take in a bar; write the average price."""
    out[0] = np.nan
    if not is_known(bar):
        return
    length = int(params[0])
    size = sma.state_size(length)
    turnover = sma.update(state[:size], (bar[HIGH] + bar[LOW] + bar[CLOSE]) / 3.0 * bar[VOLUME], length)
    volume = sma.update(state[size:], bar[VOLUME], length)
    if volume > 0.0:
        out[0] = turnover / volume


VWAP = BarFeature("vwap", update, two_means, FIELDS, (FeatureParameter("length", 20),), ("vwap",))
