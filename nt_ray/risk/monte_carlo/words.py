"""Random words by counter: Philox4x32-10, compiled, one call for a run of scenarios.

Salmon, Moraes, Dror and Shaw (2011), Parallel random numbers: as easy as 1, 2, 3. The counter is (scenario, place,
period, purpose), the key is the seed; four words of 32 bits come of each.
"""

from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
from numba import njit, uint32, uint64, void

from nt_ray.errors import RiskError
from nt_ray.portfolio.inputs import is_whole

Words: TypeAlias = npt.NDArray[np.uint32]
Number: TypeAlias = int | np.uint64

MULTIPLIERS: Final = (0xD2511F53, 0xCD9E8D57)
INCREMENTS: Final = (0x9E3779B9, 0xBB67AE85)
ROUNDS: Final = 10

NORMAL32: Final = 0
NORMAL64: Final = 1
MIXING_NORMAL: Final = 2
MIXING_UNIFORM: Final = 3
"""Purposes: the last word of the counter keeps the draws of one apart from those of another."""

MOST_SCENARIOS: Final = 2**32
"""A scenario's number is one word of the counter."""

_M0, _M1 = (np.uint64(value) for value in MULTIPLIERS)
_W0, _W1 = (np.uint64(value) for value in INCREMENTS)
_LOW, _HALF = np.uint64(0xFFFFFFFF), np.uint64(32)


def seed_key(seed: int) -> tuple[int, int]:
    """Return the two key words of a seed from 0 to 2^63 - 1."""
    if not is_whole(seed, 0) or seed >= 2**63:
        raise RiskError(f"Seed {seed} cannot be used. Give a whole number from 0 to {2**63 - 1}.")
    return int(seed) & 0xFFFFFFFF, int(seed) >> 32


@njit(void(uint64, uint64, uint64, uint64, uint64, uint64, uint32[:, ::1]), cache=True, nogil=True)
def fill_words(
    key0: Number, key1: Number, first: Number, place: Number, period: Number, purpose: Number, out: Words
) -> None:
    """Fill (4, n) words for the scenarios `first` to `first` + n - 1.

    Lanes of 64 bits let a product of two words be one vector instruction; what stands above a word is dropped where it
    would matter, which is before a product and at the end.
    """
    row0, row1, row2, row3 = out[0], out[1], out[2], out[3]
    for s in range(out.shape[1]):
        c0: Any = first + uint64(s)
        c1: Any = place
        c2: Any = period
        c3: Any = purpose
        k0, k1 = key0, key1
        for _ in range(ROUNDS):
            p0, p1 = (c0 & _LOW) * _M0, (c2 & _LOW) * _M1
            c0, c2 = (p1 >> _HALF) ^ c1 ^ k0, (p0 >> _HALF) ^ c3 ^ k1
            c1, c3 = p1, p0
            k0, k1 = k0 + _W0, k1 + _W1
        row0[s], row1[s] = uint32(c0), uint32(c1)
        row2[s], row3[s] = uint32(c2), uint32(c3)
