"""Commodity channel index: distance of the typical price from its mean, in units of 0.015 mean deviations.

The typical price is (high + low + close) / 3; mean and mean absolute deviation are those of the last `length`
bars. 0 where the window is flat.

Source: Lambert (1980), Commodity channel index, Commodities 9.
"""

import numpy as np
from numba import njit

from nt_ray.features import sma, window
from nt_ray.features.bar_feature import BAR_SIZE_SIGNATURE, BAR_UPDATE_SIGNATURE, BarFeature, FeatureParameter
from nt_ray.market.bars import CLOSE, HIGH, LOW
from nt_ray.types import FloatArray


@njit(BAR_SIZE_SIGNATURE, cache=True, nogil=True)
def state_size(params: FloatArray) -> int:
    """Floats of state: the window of typical prices and its total."""
    return sma.state_size(int(params[0]))


@njit(BAR_UPDATE_SIGNATURE, cache=True, nogil=True)
def update(state: FloatArray, bar: FloatArray, params: FloatArray, out: FloatArray) -> None:
    """Take in a bar; write the index."""
    length = int(params[0])
    price = (bar[HIGH] + bar[LOW] + bar[CLOSE]) / 3.0
    # The mean keeps its window at the head of its state.
    mean = sma.update(state, price, length)
    out[0] = np.nan
    if np.isnan(mean):
        return
    if window.is_flat(state, length):
        out[0] = 0.0
        return
    values, deviation = np.empty(length), 0.0
    window.copy_ordered(state, length, values)
    for value in values:
        deviation += abs(value - mean) / length
    out[0] = (price - mean) / (0.015 * deviation)


CCI = BarFeature("cci", update, state_size, (HIGH, LOW, CLOSE), (FeatureParameter("length", 20, 2),), ("cci",))
