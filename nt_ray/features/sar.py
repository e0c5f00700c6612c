"""Parabolic stop and reverse: a stop that follows the trend, ever faster, and turns when it is touched.

The stop moves by `acceleration` of its distance to the extreme price of the trend, by as much more on each new
extreme up to `maximum`, and never into the range of the last two bars. The first trend is down where the second
bar reaches further down than up, else up.

Source: Wilder (1978), New Concepts in Technical Trading Systems; start as TA-Lib's SAR.
"""

import math

import numpy as np
from numba import float64, njit, void

from nt_ray.features.bar_feature import BAR_SIZE_SIGNATURE, BAR_UPDATE_SIGNATURE, BarFeature, FeatureParameter
from nt_ray.market.bars import HIGH, LOW
from nt_ray.types import FloatArray

_SEEN, _SIDE, _STOP, _EXTREME, _SPEED, _HIGH, _LOW = range(7)


@njit(BAR_SIZE_SIGNATURE, cache=True, nogil=True)
def state_size(params: FloatArray) -> int:
    """Floats of state: bars seen, side, stop, extreme, speed, the bar before."""
    return _LOW + 1


@njit(void(float64[::1], float64, float64, float64), cache=True, nogil=True)
def begin(state: FloatArray, high: float, low: float, acceleration: float) -> None:
    """Take the first trend from the first two bars; the second counts as its own predecessor."""
    up, down = high - state[_HIGH], state[_LOW] - low
    falls = down > 0.0 and up < down
    state[_SIDE] = -1.0 if falls else 1.0
    state[_EXTREME], state[_STOP] = (low, state[_HIGH]) if falls else (high, state[_LOW])
    state[_SPEED] = acceleration
    state[_HIGH], state[_LOW] = high, low


@njit(void(float64[::1], float64, float64), cache=True, nogil=True)
def keep_clear(state: FloatArray, high: float, low: float) -> None:
    """Hold the stop out of the range of this bar and the one before."""
    if state[_SIDE] > 0.0:
        state[_STOP] = min(state[_STOP], state[_LOW], low)
    else:
        state[_STOP] = max(state[_STOP], state[_HIGH], high)


@njit(float64(float64[::1], float64, float64, float64[::1]), cache=True, nogil=True)
def follow(state: FloatArray, high: float, low: float, params: FloatArray) -> float:
    """Return the stop that holds on this bar and move it on."""
    side = state[_SIDE]
    touched = low <= state[_STOP] if side > 0.0 else high >= state[_STOP]
    if touched:
        state[_SIDE], state[_STOP], state[_SPEED] = -side, state[_EXTREME], params[0]
        keep_clear(state, high, low)
        state[_EXTREME] = low if side > 0.0 else high
        stop = state[_STOP]
    else:
        stop = state[_STOP]
        outer = high if side > 0.0 else low
        if side * (outer - state[_EXTREME]) > 0.0:
            state[_EXTREME] = outer
            state[_SPEED] = min(state[_SPEED] + params[0], params[1])
    state[_STOP] += state[_SPEED] * (state[_EXTREME] - state[_STOP])
    keep_clear(state, high, low)
    return float(stop)


@njit(BAR_UPDATE_SIGNATURE, cache=True, nogil=True)
def update(state: FloatArray, bar: FloatArray, params: FloatArray, out: FloatArray) -> None:
    """Take in a bar; write the stop."""
    out[0] = np.nan
    high, low = bar[HIGH], bar[LOW]
    if not (math.isfinite(high) and math.isfinite(low)):
        return
    if state[_SEEN] == 1.0:
        begin(state, high, low, params[0])
    if state[_SEEN] >= 1.0:
        out[0] = follow(state, high, low, params)
    state[_SEEN] += 1.0
    state[_HIGH], state[_LOW] = high, low


SAR = BarFeature(
    "sar",
    update,
    state_size,
    (HIGH, LOW),
    (FeatureParameter("acceleration", 0.02, 0.0, integer=False), FeatureParameter("maximum", 0.2, 0.0, integer=False)),
    ("sar",),
)
