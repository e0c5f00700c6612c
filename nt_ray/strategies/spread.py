"""How a strategy of spreads trades the z-score of one: enter, leave, give up, wait for the next test.

Owns the first five floats of state of such a strategy; the rest is the strategy's own.
"""

import math
from typing import Final

import numpy as np
from numba import boolean, float64, njit, void

from nt_ray.errors import StrategyError
from nt_ray.market.bars import CLOSE
from nt_ray.types import FloatArray

POSITION, CONFIDENCE, VALID, STOPPED, CLOSING = range(5)
"""Position in the spread (+1 bought, -1 sold), last vote, whether there is a model, whether it was given up, whether
the position of a model that is gone is being closed."""

HEADER: Final = 5

LEVELS: Final = (1.0, 5.0, 10.0)
"""Significances with published critical values, in percent."""


def check_thresholds(name: str, level: float, leave: float, entry: float, stop: float) -> None:
    """Refuse a level without a critical value and thresholds that are out of order."""
    if level not in LEVELS:
        raise StrategyError(f"{name}: level={level:g} has no critical value. Use 1, 5 or 10.")
    if not leave < entry < stop:
        raise StrategyError(
            f"{name}: exit={leave:g}, entry={entry:g}, stop={stop:g} are out of order. Use exit < entry < stop."
        )


@njit(void(float64[::1], boolean), cache=True, nogil=True)
def retest(state: FloatArray, valid: bool) -> None:
    """Take in the outcome of a test: a stop ends, and a position without a model is closed."""
    state[VALID] = 1.0 if valid else 0.0
    state[CLOSING] = 0.0 if valid or state[POSITION] == 0.0 else 1.0
    state[STOPPED] = 0.0


@njit(void(float64[::1], float64, float64, float64, float64), cache=True, nogil=True)
def trade(state: FloatArray, z: float, entry: float, leave: float, stop: float) -> None:
    """Move the position in the spread at this score."""
    if abs(z) > stop:
        state[STOPPED] = 1.0
        state[POSITION] = 0.0
    elif state[POSITION] * z >= -leave:
        # Zero position lands here too and stays zero.
        state[POSITION] = 0.0
    if state[POSITION] == 0.0 and state[STOPPED] == 0.0 and abs(z) > entry:
        state[POSITION] = -math.copysign(1.0, z)


@njit(boolean(float64[:, ::1]), cache=True, nogil=True)
def all_priced(bar: FloatArray) -> bool:
    """Whether every symbol of the bar has a usable close."""
    usable = True
    for i in range(bar.shape[0]):
        usable = usable and bar[i, CLOSE] > 0.0 and np.isfinite(bar[i, CLOSE])
    return usable
