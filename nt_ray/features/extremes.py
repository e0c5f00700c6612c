"""Highest and lowest value of a rolling window, at a constant cost a bar however long the window.

Owns a monotonic queue in flat state of 2 * `length` + 3 floats: values seen, slot of the head, entries, then
entries of (bar, value) whose values fall from head to tail. A value leaves when a larger one follows it, or when
it is `length` bars old. For the lowest value push the negative and negate the answer.

Source: Lemire (2006), Streaming maximum-minimum filter using no more than three comparisons per element,
Nordic Journal of Computing 13.
"""

from typing import Final

from numba import float64, int64, njit

from nt_ray.types import FloatArray

_SEEN, _HEAD, _COUNT = range(3)
_QUEUE: Final = 3


@njit(int64(int64), cache=True, nogil=True)
def state_size(length: int) -> int:
    """Floats of state for a window of `length` values."""
    return _QUEUE + 2 * length


@njit(int64(float64[::1], int64, int64), cache=True, nogil=True)
def _place(state: FloatArray, entry: int, length: int) -> int:
    """Where entry number `entry`, counted from the head, stands in the state."""
    return _QUEUE + 2 * ((int(state[_HEAD]) + entry) % length)


@njit(float64(float64[::1], float64, int64), cache=True, nogil=True)
def push(state: FloatArray, value: float, length: int) -> float:
    """Take in a finite value; return the highest of the last `length`, or of all while there are fewer."""
    now = state[_SEEN]
    count = int(state[_COUNT])
    if count > 0 and state[_place(state, 0, length)] <= now - length:
        state[_HEAD] = (int(state[_HEAD]) + 1) % length
        count -= 1
    while count > 0 and state[_place(state, count - 1, length) + 1] <= value:
        count -= 1
    place = _place(state, count, length)
    state[place], state[place + 1] = now, value
    state[_COUNT] = count + 1.0
    state[_SEEN] = now + 1.0
    return float(state[_place(state, 0, length) + 1])


@njit(float64(float64[::1], int64), cache=True, nogil=True)
def highest(state: FloatArray, length: int) -> float:
    """Highest of the window as it stands; there must be a value in it."""
    return float(state[_place(state, 0, length) + 1])


@njit(int64(float64[::1]), cache=True, nogil=True)
def seen(state: FloatArray) -> int:
    """Values taken in since the start."""
    return int(state[_SEEN])
