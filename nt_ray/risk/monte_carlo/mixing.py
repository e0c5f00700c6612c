"""Chi-squares by counter: what turns normals into Student's t, one for each scenario and period.

Marsaglia and Tsang (2000), A simple method for generating gamma variables. An attempt is a place of the counter, so a
scenario's draw does not know how often its neighbours were refused.
"""

import math

import numpy as np
from numba import float64, int64, njit, uint32, uint64, void

from nt_ray.risk.monte_carlo.normals import log64, normal_pair64
from nt_ray.risk.monte_carlo.words import MIXING_NORMAL, MIXING_UNIFORM, Number, Words, fill_words
from nt_ray.types import FloatArray

REFUSED = -1.0


@njit(
    void(uint64, uint64, uint64, uint64, uint64, float64, int64, uint32[:, ::1], float64[:, ::1]),
    cache=True,
    nogil=True,
)
def _attempt(
    key0: Number,
    key1: Number,
    first: Number,
    attempt: Number,
    period: Number,
    degrees: float,
    count: int,
    words: Words,
    out: FloatArray,
) -> None:
    """Fill row 0 of (2, n) with chi-squares, and `REFUSED` where this attempt gives none."""
    fill_words(key0, key1, first, attempt, period, uint64(MIXING_NORMAL), words)
    normal_pair64(words, out[0], out[1])
    fill_words(key0, key1, first, attempt, period, uint64(MIXING_UNIFORM), words)
    d = 0.5 * degrees - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d)
    draws, high, low = out[0], words[0], words[1]
    for s in range(count):
        x = draws[s]
        v = 1.0 + c * x
        cube = v * v * v
        u = (float64(high[s] >> uint32(5)) * 67108864.0 + (float64(low[s] >> uint32(6)) + 0.5)) * 2.0**-53
        # Where the cube is not positive there is no logarithm to take; any positive number stands in.
        fits = log64(u) < 0.5 * x * x + d - d * cube + d * log64(max(cube, 1e-300))
        draws[s] = 2.0 * d * cube if cube > 0.0 and fits else REFUSED


@njit(void(uint64, uint64, uint64, uint64, float64, int64, uint32[:, ::1], float64[:, ::1]), cache=True, nogil=True)
def fill_chi_squares(
    key0: Number, key1: Number, first: Number, period: Number, degrees: float, count: int, words: Words, out: FloatArray
) -> None:
    """Fill row 0 of (2, n) with chi-squares of more than 2 degrees of freedom, for `count` scenarios."""
    _attempt(key0, key1, first, uint64(0), period, degrees, count, words, out)
    one, draw = np.empty((4, 1), dtype=np.uint32), np.empty((2, 1))
    for s in range(count):
        attempt = uint64(1)
        while out[0, s] == REFUSED:
            _attempt(key0, key1, first + uint64(s), attempt, period, degrees, 1, one, draw)
            out[0, s] = draw[0, 0]
            attempt += uint64(1)
