"""Inverse of Student's t distribution in torch, for more than two degrees of freedom that differ by element.

At a fixed level, the logarithm of the quantile of t over that of the normal is a smooth function of 1 / freedom on
[0, 1/2]. Its Chebyshev series is fitted once for each level, on exact quantiles, and summed by Clenshaw's recurrence:
a few products and sums for each element, on any device.
"""

from functools import lru_cache
from typing import Final

import numpy as np
import torch
from torch import Tensor

from nt_ray.neural.problems import NeuralError
from nt_ray.neural.scoring.student import student_cdf, student_density
from nt_ray.types import FloatArray

TERMS: Final = 12
"""Exact to the last digit of float32 at levels from 1e-4 on, to 1e-6 at 1e-6."""
_STEPS: Final = 200


def student_inverse(levels: tuple[float, ...], freedom: Tensor) -> Tensor:
    """Quantiles (..., Q) of t at levels (Q,) in (0, 1), for freedom (...) of at least 2."""
    scores, series = _constants(levels, freedom.device)
    x = (4.0 / freedom - 1.0)[..., None]
    ahead, behind = torch.zeros_like(x), torch.zeros_like(x)
    for coefficient in series[1:].flip(0):
        ahead, behind = 2.0 * x * ahead - behind + coefficient, ahead
    return scores * torch.exp(x * ahead - behind + series[0])


@lru_cache(maxsize=64)
def _constants(levels: tuple[float, ...], device: torch.device) -> tuple[Tensor, Tensor]:
    """Normal quantiles (Q,) and series (TERMS, Q)."""
    if not all(0.0 < level < 1.0 for level in levels):
        raise NeuralError(f"Levels {list(levels)} are no levels of quantiles. Give numbers between 0 and 1.")
    level = np.array(levels, dtype=np.float64)
    normal = torch.special.ndtri(torch.from_numpy(level)).numpy()
    series = _series(np.minimum(level, 1.0 - level), np.abs(normal))
    held = (torch.from_numpy(values).to(device, torch.float32) for values in (normal, series))
    return next(held), next(held)


def _series(tail: FloatArray, normal: FloatArray) -> FloatArray:
    """Chebyshev series (TERMS, Q) of log(t / z) over 4 / freedom - 1."""
    angle = np.pi * (np.arange(TERMS) + 0.5) / TERMS
    freedom = np.broadcast_to((4.0 / (np.cos(angle) + 1.0))[:, None], (TERMS, len(tail)))
    # At the median both are 0: the series is that of a level next to it.
    tail, normal = np.where(normal < 1e-6, 0.5 - 4e-7, tail), np.maximum(normal, 1.00265e-6)
    values = np.log(_upper(np.broadcast_to(tail, freedom.shape), freedom, normal) / normal)
    basis = np.cos(np.outer(np.arange(TERMS), angle))
    series: FloatArray = 2.0 / TERMS * basis @ values
    series[0] /= 2.0
    return series


def _upper(tail: FloatArray, freedom: FloatArray, start: FloatArray) -> FloatArray:
    """Value above which `tail` of t lies, by Newton's method from the left, whence it cannot overshoot."""
    z = np.broadcast_to(start, tail.shape).copy()
    for _ in range(_STEPS):
        step = (student_cdf(-z, freedom) - tail) / student_density(z, freedom)
        z = z + step
        if np.all(np.abs(step) <= 1e-14 * z):
            break
    return z
