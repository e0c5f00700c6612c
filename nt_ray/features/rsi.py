"""Relative strength index after Wilder: 100 * gains / (gains + losses), both smoothed with weight 1 / length.

The first average is the plain mean of the first `length` changes. A series that has not moved at all stands
at 50.

Source: Wilder (1978), New Concepts in Technical Trading Systems.
"""

import numpy as np
from numba import int64, njit

from nt_ray.features.base import UPDATE_SIGNATURE, Feature
from nt_ray.types import FloatArray

_SEEN, _LAST, _GAIN, _LOSS = 0, 1, 2, 3


@njit(int64(int64), cache=True, nogil=True)
def state_size(length: int) -> int:
    """Floats of state: values seen, the last value, average gain, average loss."""
    return 4


@njit(UPDATE_SIGNATURE, cache=True, nogil=True, forceinline=True)
def update(state: FloatArray, value: float, length: int) -> float:
    """Take in a value; return the index in [0, 100], NaN before `length` changes."""
    if not np.isfinite(value):
        return np.nan
    change = value - state[_LAST]
    state[_LAST] = value
    state[_SEEN] += 1.0
    changes = state[_SEEN] - 1.0
    if changes == 0.0:
        return np.nan
    gain, loss = max(change, 0.0), max(-change, 0.0)
    if changes <= length:
        # Sums first, then once their mean: Wilder's starting value.
        divisor = float(length) if changes == length else 1.0
        state[_GAIN] = (state[_GAIN] + gain) / divisor
        state[_LOSS] = (state[_LOSS] + loss) / divisor
    else:
        state[_GAIN] = (state[_GAIN] * (length - 1) + gain) / length
        state[_LOSS] = (state[_LOSS] * (length - 1) + loss) / length
    if changes < length:
        return np.nan
    moves = state[_GAIN] + state[_LOSS]
    return 100.0 * state[_GAIN] / moves if moves > 0.0 else 50.0


RSI = Feature("rsi", update, state_size)
