"""Mean, deviation, score and change of a rolling window of prices in whole ticks, in integers and therefore exact.

Owns the window of a tick stream: an int64 state of `length` + 5, zeros before the first tick: ticks seen, slot of the
next one, origin, sum and sum of squares of the distances from the origin, then the ring. Sums are exact integers, so
every answer depends on the window alone and on nothing that has left it, each is rounded as it is divided and not
before, and equal prices tie. The origin is a price that keeps the distances small; it moves when they grow, and no
answer with it. One state answers for all measures of its length, and for changes over fewer ticks.

A negative tick is unknown: it is *no tick*, the state stays as it is. A tick too far from those in the window for
exact sums (`REACH`) is refused before anything changes. Knows nothing of the size of a tick.

Source: Chan, Golub and LeVeque (1983), The American Statistician 37, for sums about a shifted origin.
"""

import math
from typing import Final

import numpy as np
from numba import boolean, float64, int64, njit, types

from nt_ray.features.base import FeatureError
from nt_ray.types import FloatArray, IntArray

_SEEN, _SLOT, _ORIGIN, _TOTAL, _SQUARES = range(5)
_RING: Final = 5

REFUSED, FILLING, FULL = -1, 0, 1
"""What became of a tick: `REFUSED` was not taken in; `FILLING` was, or is unknown, and no window is full."""

REACH: Final = 2**31
"""A distance times the length stays below: both squares under the root then fit 63 bits."""

LARGEST_TICK: Final = 2**40
"""Times the longest window it is still a whole float."""

LONGEST: Final = 2**12


@njit(int64(int64), cache=True, nogil=True)
def state_size(length: int) -> int:
    """Integers of state for a window of `length` ticks."""
    return _RING + length


@njit(boolean(int64[::1], int64, int64), cache=True, nogil=True)
def recentre(state: IntArray, tick: int, length: int) -> bool:
    """Make `tick` the origin and sum anew; False, and nothing changed, where a distance from it is too wide."""
    total = squares = 0
    for i in range(min(state[_SEEN], length)):
        distance = state[_RING + i] - tick
        if abs(distance) * length >= REACH:
            return False
        total += distance
        squares += distance * distance
    state[_ORIGIN], state[_TOTAL], state[_SQUARES] = tick, total, squares
    return True


@njit(int64(int64[::1], int64, int64), cache=True, nogil=True, forceinline=True)
def push(state: IntArray, tick: int, length: int) -> int:
    """Take in a tick; return `FULL` where the window answers, `FILLING` or `REFUSED`."""
    if tick < 0:
        return FILLING
    if tick > LARGEST_TICK:
        return REFUSED
    if (state[_SEEN] == 0 or abs(tick - state[_ORIGIN]) * length >= REACH) and not recentre(state, tick, length):
        return REFUSED
    seen, slot, origin = state[_SEEN], state[_SLOT], state[_ORIGIN]
    new = tick - origin
    old = state[_RING + slot] - origin if seen >= length else 0
    state[_RING + slot] = tick
    state[_TOTAL] += new - old
    state[_SQUARES] += new * new - old * old
    state[_SLOT] = slot + 1 if slot + 1 < length else 0
    state[_SEEN] = seen + 1
    return FULL if seen + 1 >= length else FILLING


@njit(float64(int64[::1], int64), cache=True, nogil=True, forceinline=True)
def mean(state: IntArray, length: int) -> float:
    """Mean of a full window in ticks, rounded once."""
    return float(state[_ORIGIN] * length + state[_TOTAL]) / length


@njit(float64(int64[::1], int64), cache=True, nogil=True, forceinline=True)
def root(state: IntArray, length: int) -> float:
    """`length` times the deviation of a full window: the root of a whole number."""
    return math.sqrt(float(length * state[_SQUARES] - state[_TOTAL] * state[_TOTAL]))


@njit(float64(int64[::1], int64), cache=True, nogil=True, forceinline=True)
def deviation(state: IntArray, length: int) -> float:
    """Population standard deviation of a full window in ticks; 0 where all ticks are equal."""
    return float(root(state, length)) / length


@njit(float64(int64[::1], int64, int64), cache=True, nogil=True, forceinline=True)
def score(state: IntArray, tick: int, length: int) -> float:
    """Deviations between `tick` and the mean of a full window; 0 where all ticks are equal."""
    spread = root(state, length)
    away = float((tick - state[_ORIGIN]) * length - state[_TOTAL])
    return away / spread if spread > 0.0 else 0.0


@njit(int64(int64[::1], int64, int64), cache=True, nogil=True, forceinline=True)
def before(state: IntArray, back: int, length: int) -> int:
    """Tick that was taken in `back` ticks before the newest, 0 <= back < length; as many must have been seen."""
    slot = state[_SLOT] - 1 - back
    return int(state[_RING + slot + (length if slot < 0 else 0)])


@njit(
    int64(types.Array(int64, 1, "C", readonly=True), int64, float64[:, ::1]),
    cache=True,
    nogil=True,
)
def _run(ticks: IntArray, length: int, out: FloatArray) -> int:
    """Stream all ticks; return how many were taken."""
    state = np.zeros(_RING + length, dtype=np.int64)
    for t in range(ticks.shape[0]):
        code = push(state, ticks[t], length)
        if code == REFUSED:
            return t
        if code == FULL:
            out[t, 0], out[t, 1] = mean(state, length), deviation(state, length)
            out[t, 2] = score(state, ticks[t], length)
    return int(ticks.shape[0])


def tick_moments(ticks: IntArray, length: int) -> FloatArray:
    """Compute mean, deviation and score over a series of whole ticks.

    Parameters
    ----------
    ticks
        int64 (T,): prices in ticks, up to 2^40; negative where unknown.
    length
        Length of the window in ticks, 1 to 4,096.

    Returns
    -------
    (T, 3) mean and population deviation in ticks, and the z-score; NaN while it warms up and where unknown.
    """
    series = np.ascontiguousarray(ticks)
    if length != int(length) or not 1 <= length <= LONGEST:
        raise FeatureError(f"tick_moments: length {length} is not usable. Give a whole number from 1 to {LONGEST}.")
    if series.ndim != 1 or not np.issubdtype(series.dtype, np.integer):
        raise FeatureError(
            f"tick_moments: {series.dtype} of shape {series.shape} does not fit. Give whole ticks, int64 (T,)."
        )
    out = np.full((len(series), 3), np.nan)
    taken = _run(series.astype(np.int64, copy=False), int(length), out)
    if taken < len(series):
        raise FeatureError(
            f"tick_moments: tick {series[taken]} at {taken} is beyond 2^40 or too far from the {length} before it. "
            "Use larger ticks or a shorter window."
        )
    return out
