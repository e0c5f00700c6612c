"""Random numbers by counter: draw number r of stream s under a seed is the same, whoever draws it and when.

So a resampling gives the same result in any chunks and on any number of workers. Philox4x64: Salmon, Moraes,
Dror and Shaw (2011), Parallel random numbers: as easy as 1, 2, 3.
"""

import numpy as np

from nt_ray.errors import BadInputError


def generator(seed: int, stream: int, number: int) -> np.random.Generator:
    """Generator of one replication; two of them never overlap."""
    if not 0 <= seed < 2**63:
        raise BadInputError(f"seed={seed} cannot be used. Give a whole number from 0 to {2**63 - 1}.")
    key = np.array([seed, stream], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=np.array([0, 0, 0, number], dtype=np.uint64)))
