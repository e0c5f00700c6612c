"""Average directional index: how strongly a market trends, whatever the direction, with both directional lines.

Of the highs and lows of two bars the larger positive move outwards is the directional move. Moves and true ranges
are sums of `length` - 1 bars first, then smoothed after Wilder; each line is 100 * smoothed move / smoothed range.
The index is the mean of the first `length` values of 100 * |plus - minus| / (plus + minus), then Wilder's average
of them. A bar without any move leaves it as it is. The lines are known after `length` bars, the index after
2 * `length` - 1.

Source: Wilder (1978), New Concepts in Technical Trading Systems; starting values as TA-Lib's ADX.
"""

import math

import numpy as np
from numba import float64, int64, njit, void

from nt_ray.features.bar_feature import BAR_SIZE_SIGNATURE, BAR_UPDATE_SIGNATURE, BarFeature, FeatureParameter
from nt_ray.features.true_range import true_range
from nt_ray.market.bars import CLOSE, HIGH, LOW
from nt_ray.types import FloatArray

_SEEN, _HIGH, _LOW, _CLOSE, _RANGE, _PLUS, _MINUS, _INDEX = range(8)


@njit(BAR_SIZE_SIGNATURE, cache=True, nogil=True)
def state_size(params: FloatArray) -> int:
    """Floats of state: bars seen, the last bar, smoothed range and moves, the index."""
    return _INDEX + 1


@njit(void(float64[::1], float64[::1], float64), cache=True, nogil=True)
def accumulate(state: FloatArray, bar: FloatArray, decay: float) -> None:
    """Add the range and the moves of a bar to what is left of those before."""
    up, down = bar[HIGH] - state[_HIGH], state[_LOW] - bar[LOW]
    for place in (_RANGE, _PLUS, _MINUS):
        state[place] *= decay
    state[_RANGE] += true_range(bar, state[_CLOSE])
    if up > down and up > 0.0:
        state[_PLUS] += up
    elif down > up and down > 0.0:
        state[_MINUS] += down


@njit(void(float64[::1], float64[::1], int64, int64), cache=True, nogil=True)
def conclude(state: FloatArray, out: FloatArray, changes: int, length: int) -> None:
    """Write both lines and, once it is known, the index."""
    plus, minus = 0.0, 0.0
    if state[_RANGE] > 0.0:
        plus, minus = 100.0 * state[_PLUS] / state[_RANGE], 100.0 * state[_MINUS] / state[_RANGE]
    out[1], out[2] = plus, minus
    values = changes - length + 1
    moves = plus + minus
    spread = 100.0 * abs(plus - minus) / moves if moves > 0.0 else 0.0
    if values <= length:
        state[_INDEX] = (state[_INDEX] + spread) / (length if values == length else 1.0)
    elif moves > 0.0:
        state[_INDEX] = (state[_INDEX] * (length - 1) + spread) / length
    if values >= length:
        out[0] = state[_INDEX]


@njit(BAR_UPDATE_SIGNATURE, cache=True, nogil=True)
def update(state: FloatArray, bar: FloatArray, params: FloatArray, out: FloatArray) -> None:
    """Take in a bar; write the index and both lines."""
    out[:] = np.nan
    if not (math.isfinite(bar[HIGH]) and math.isfinite(bar[LOW]) and math.isfinite(bar[CLOSE])):
        return
    length = int(params[0])
    changes = int(state[_SEEN])
    if changes > 0:
        accumulate(state, bar, 1.0 if changes < length else 1.0 - 1.0 / length)
        if changes >= length:
            conclude(state, out, changes, length)
    state[_SEEN] += 1.0
    state[_HIGH], state[_LOW], state[_CLOSE] = bar[HIGH], bar[LOW], bar[CLOSE]


ADX = BarFeature(
    "adx", update, state_size, (HIGH, LOW, CLOSE), (FeatureParameter("length", 14, 2),), ("adx", "plus_di", "minus_di")
)
