"""The last values of a series in a ring: the memory of every rolling feature.

State of `length` + 3 floats, zeros before the first value: values seen, slot of the next one, how often the
newest value has come in a row, then the ring. The oldest value leaves as the newest comes. Knows nothing of
what is computed from the values.
"""

from typing import Final

import numpy as np
from numba import boolean, float64, int64, njit, void

from nt_ray.types import FloatArray

_SEEN, _SLOT, _RUN = range(3)
_RING: Final = 3


@njit(int64(int64), cache=True, nogil=True, forceinline=True)
def state_size(length: int) -> int:
    """Floats of state for a window of `length` values."""
    return _RING + length


@njit(float64(float64[::1], int64), cache=True, nogil=True, forceinline=True)
def oldest(state: FloatArray, length: int) -> float:
    """Value that the next one displaces, of a full window; NaN while it is filling."""
    return float(state[_RING + int(state[_SLOT])]) if state[_SEEN] >= length else np.nan


@njit(float64(float64[::1], float64, int64), cache=True, nogil=True, forceinline=True)
def push(state: FloatArray, value: float, length: int) -> float:
    """Take in a value; return the one it displaces, NaN while the window is filling."""
    place = _RING + int(state[_SLOT])
    before = state[place - 1 if place > _RING else _RING + length - 1]
    state[_RUN] = (state[_RUN] if value == before and state[_SEEN] > 0.0 else 0.0) + 1.0
    displaced = state[place] if state[_SEEN] >= length else np.nan
    state[place] = value
    # The slot stays a float from one value to the next: a way through an integer costs more than the rest.
    slot = state[_SLOT] + 1.0
    state[_SLOT] = slot if slot < length else 0.0
    state[_SEEN] += 1.0
    return float(displaced)


@njit(float64(float64[::1], int64), cache=True, nogil=True, forceinline=True)
def newest(state: FloatArray, length: int) -> float:
    """Value taken in last; 0 before the first."""
    slot = int(state[_SLOT])
    return float(state[_RING + (slot - 1 if slot > 0 else length - 1)])


@njit(int64(float64[::1]), cache=True, nogil=True, forceinline=True)
def seen(state: FloatArray) -> int:
    """Values taken in since the start."""
    return int(state[_SEEN])


@njit(boolean(float64[::1], int64), cache=True, nogil=True, forceinline=True)
def is_flat(state: FloatArray, length: int) -> bool:
    """Whether all values of a full window are equal."""
    return bool(state[_RUN] >= length)


@njit(void(float64[::1], int64, float64[::1]), cache=True, nogil=True, forceinline=True)
def copy_ordered(state: FloatArray, length: int, out: FloatArray) -> None:
    """Copy a full window into `out`, shape (length,), oldest value first."""
    slot = int(state[_SLOT])
    out[: length - slot] = state[_RING + slot : _RING + length]
    out[length - slot :] = state[_RING : _RING + slot]
