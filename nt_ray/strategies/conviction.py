"""How sure a threshold strategy is of its vote, from the size of its z-score.

A position at z is worth |z| / (1 + |z|): more, the further the score has gone. Standing aside is worth 1 / (1
+ |z|): more, the nearer the score is to nothing. Neither falls to zero, for zero means to abstain.
"""

from typing import Final

from numba import float64, njit

FLOOR: Final = 0.01
"""Least confidence of a vote that is meant."""


@njit(float64(float64, float64), cache=True, nogil=True)
def conviction(position: float, z: float) -> float:
    """Confidence in [0.01, 1] of holding `position` (zero: aside) at a finite z-score."""
    aside = 1.0 / (1.0 + abs(z))
    return max(aside if position == 0.0 else 1.0 - aside, FLOOR)
