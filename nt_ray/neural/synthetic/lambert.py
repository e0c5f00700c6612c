"""Heavy tails taken off and put back: the Lambert W transform with one parameter, delta.

A Gaussian u becomes heavy-tailed as z = u * exp(delta * u^2 / 2); the inverse is exact and monotone. `tail_weight`
finds the delta under which what is left has the kurtosis of a Gaussian. Mean and scale are not known here.

Source: Goerg (2015), The Lambert way to Gaussianize heavy-tailed data with the inverse of Tukey's h transformation,
The Scientific World Journal.
"""

import numpy as np
from torch import Tensor

from nt_ray.types import FloatArray

HEAVIEST = 1.0
"""Above a delta of 1 not even the mean of the heavy-tailed variable exists."""
GAUSSIAN_KURTOSIS = 3.0
ITERATIONS = 60
TOLERANCE = 4e-16


def lambert_w(x: FloatArray) -> FloatArray:
    """Solve w * exp(w) = x for x >= 0 (principal branch), by Halley's method; NaN stays NaN."""
    x = np.asarray(x, dtype=np.float64)
    log = np.log1p(x)
    w: FloatArray = log * (1.0 - np.log1p(log) / (2.0 + log))
    for _ in range(ITERATIONS):
        # The equation divided by exp(w), which cannot overflow.
        error = w - x * np.exp(-w)
        step = error / (w + 1.0 - (w + 2.0) * error / (2.0 * w + 2.0))
        w = w - step
        if not (np.abs(step) > TOLERANCE * (1.0 + np.abs(w))).any():
            break
    return w


def without_tails(z: FloatArray, delta: float) -> FloatArray:
    """Undo `with_tails` at delta >= 0, elementwise."""
    # sign(z) * sqrt(W(delta z^2) / delta), written so that it is exact for the smallest delta and for none.
    gaussian: FloatArray = z * np.exp(-0.5 * lambert_w(delta * np.square(z)))
    return gaussian


def with_tails(u: Tensor, delta: float) -> Tensor:
    """Make u heavy-tailed, u * exp(delta * u^2 / 2), elementwise; differentiable."""
    return u * (0.5 * delta * u.square()).exp()


def tail_weight(z: FloatArray, kurtosis: float = GAUSSIAN_KURTOSIS) -> float:
    """Delta >= 0 under which `without_tails(z)` has a given kurtosis; 0 where z (n,) has no more than that."""
    if _kurtosis(z) <= kurtosis:
        return 0.0
    low, high = 0.0, HEAVIEST
    for _ in range(ITERATIONS):
        middle = 0.5 * (low + high)
        if _kurtosis(without_tails(z, middle)) > kurtosis:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


def _kurtosis(z: FloatArray) -> float:
    centred = z - z.mean()
    return float(np.mean(centred**4) / np.mean(centred**2) ** 2)
