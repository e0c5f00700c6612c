"""Covariances shrunk towards the scaled identity, with the intensity found from the returns themselves.

The result is (1 - s) S + s m I: S the sample covariance with divisor T, m its mean variance, s in [0, 1]. It can be
inverted with fewer periods than assets.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nt_ray.portfolio.inputs import check_returns
from nt_ray.types import FloatArray


@dataclass(frozen=True, slots=True)
class Shrunk:
    """A shrunk covariance (N, N) and how far it was shrunk."""

    covariance: FloatArray
    intensity: float


def ledoit_wolf(returns: npt.ArrayLike) -> FloatArray:
    """Estimate the covariance (N, N) of returns (T, N) by Ledoit-Wolf shrinkage; NaN is refused."""
    return shrink_ledoit_wolf(returns).covariance


def oas(returns: npt.ArrayLike) -> FloatArray:
    """Estimate the covariance (N, N) of returns (T, N) by oracle approximating shrinkage; NaN is refused."""
    return shrink_oas(returns).covariance


def shrink_ledoit_wolf(returns: npt.ArrayLike) -> Shrunk:
    """Shrink by the intensity of Ledoit and Wolf.

    Source: Ledoit and Wolf (2004), A well-conditioned estimator for large-dimensional covariance matrices, Journal of
    Multivariate Analysis 88, 365-411. The sum of the squares of all products x_i x_j of a period is the square of
    that period's sum of squares, so a second matrix product is not needed.
    """
    centred = _centred(returns)
    periods, assets = centred.shape
    matrix = centred.T @ centred
    matrix /= periods
    squares, level = _sums(matrix)
    row_squares = np.einsum("ti,ti->t", centred, centred)
    fourth = float(row_squares @ row_squares)
    noise = (fourth / periods - squares) / (assets * periods)
    spread = squares / assets - level * level
    noise = min(noise, spread)
    return _shrink(matrix, level, noise / spread if spread > 0.0 and noise > 0.0 else 0.0)


def shrink_oas(returns: npt.ArrayLike) -> Shrunk:
    """Shrink by the oracle approximating intensity, which is best for Gaussian returns.

    Source: Chen, Wiesel, Eldar and Hero (2010), Shrinkage algorithms for MMSE covariance estimation, IEEE Transactions
    on Signal Processing 58, 5016-5029, equation 23 without its terms in 2/N.
    """
    centred = _centred(returns)
    periods, assets = centred.shape
    matrix = centred.T @ centred
    matrix /= periods
    squares, level = _sums(matrix)
    mean_square = squares / (assets * assets)
    spread = (periods + 1) * (mean_square - level * level / assets)
    return _shrink(matrix, level, min((mean_square + level * level) / spread, 1.0) if spread > 0.0 else 1.0)


def _centred(returns: npt.ArrayLike) -> FloatArray:
    values = check_returns(returns)
    return np.asarray(values - values.mean(axis=0))


def _sums(matrix: FloatArray) -> tuple[float, float]:
    """Sum of the squares of all elements, and the mean of the diagonal."""
    flat = matrix.ravel()
    return float(flat @ flat), float(matrix.trace()) / matrix.shape[0]


def _shrink(matrix: FloatArray, level: float, intensity: float) -> Shrunk:
    matrix *= 1.0 - intensity
    matrix.flat[:: matrix.shape[0] + 1] += intensity * level
    return Shrunk(matrix, intensity)
