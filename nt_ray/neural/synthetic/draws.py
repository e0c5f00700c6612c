"""Every random number of training and sampling, by counter: a pure function of (seed, stream, number).

So a training that resumes at step k goes on as if it had never stopped, and path p is the same in any batch, however
many others are drawn.
"""

from typing import Final

import numpy as np
import torch
from torch import Tensor

from nt_ray.philox import generator
from nt_ray.types import IntArray

WEIGHTS: Final = 20
NOISE: Final = 21
WINDOWS: Final = 22
PATHS: Final = 23
"""Streams of random numbers, apart from those of resampling."""


def noise(seed: int, stream: int, number: int, steps: int, channels: int) -> Tensor:
    """Standard Gaussian noise (steps, channels), float32; more steps begin with the fewer."""
    drawn = generator(seed, stream, number).standard_normal((steps, channels), dtype=np.float32)
    return torch.from_numpy(drawn)


def starts(seed: int, number: int, count: int, choices: tuple[int, ...]) -> tuple[IntArray, ...]:
    """`count` whole numbers from 0 up to each of `choices` (excluded), for step `number`."""
    rng = generator(seed, WINDOWS, number)
    return tuple(rng.integers(0, choice, count) for choice in choices)


def number_for_weights(seed: int, network: int) -> int:
    """Seed of torch's own generator for the first weights of a network."""
    return int(generator(seed, WEIGHTS, network).integers(0, 2**62))
