"""A covariance without the eigenvalues that noise alone would give.

Correlations of independent returns have eigenvalues that spread by the law of Marchenko and Pastur. Those inside its
range are replaced by their mean, which keeps the trace; those above it are signal and stay.

Source: Lopez de Prado (2020), Machine Learning for Asset Managers, section 2, constant residual eigenvalues.
"""

import math

import numpy as np
import numpy.typing as npt

from nt_ray.errors import RiskError
from nt_ray.portfolio.inputs import check_returns
from nt_ray.portfolio.moments.sample import sample
from nt_ray.portfolio.moments.standard import check_varying, join, split
from nt_ray.types import FloatArray

_POINTS = 200
"""Places at which the density of the eigenvalues is compared with the law's."""
_VARIANCES = np.linspace(0.02, 1.0, 50)


def denoised(returns: npt.ArrayLike, *, bandwidth: float = 0.01) -> FloatArray:
    """Estimate the covariance (N, N) of returns (T, N) with its noise eigenvalues made equal.

    Needs T > N; NaN is refused. `bandwidth` is that of the Gaussian kernel that smooths the observed eigenvalues.
    """
    panel = check_returns(returns)
    check_varying(panel)
    correlations, volatilities = split(sample(panel))
    values, vectors = np.linalg.eigh(correlations)
    edge = noise_edge(values, panel.shape[0] / values.size, bandwidth=bandwidth)
    noise = values <= edge
    if noise.any():
        values[noise] = values[noise].mean()
    cleaned, _ = split((vectors * values) @ vectors.T)
    return join((cleaned + cleaned.T) * 0.5, volatilities)


def noise_edge(eigenvalues: FloatArray, ratio: float, *, bandwidth: float = 0.01) -> float:
    """Return the largest eigenvalue that noise explains, given those (N,) of correlations and `ratio` T / N.

    The variance of the noise is the one whose law fits the smoothed eigenvalues best by least squares.
    """
    if not ratio > 1.0:
        raise RiskError(f"{ratio:.3g} periods an asset are too few to tell noise. Give more periods than assets.")
    if not bandwidth > 0.0:
        raise RiskError(f"bandwidth={bandwidth} is not positive. Use a value such as 0.01.")

    # Every account and every run imports this file, and scipy.optimize takes a third of a second that few need.
    from scipy.optimize import minimize_scalar

    def misfit(variance: float) -> float:
        places, law = marchenko_pastur(variance, ratio, _POINTS)
        return float(np.sum((_density(eigenvalues, places, bandwidth) - law) ** 2) * (places[-1] - places[0]))

    # The misfit has several valleys; a grid finds the deepest.
    best = int(np.argmin([misfit(variance) for variance in _VARIANCES]))
    low, high = _VARIANCES[max(best - 1, 0)], _VARIANCES[min(best + 1, _VARIANCES.size - 1)]
    variance = float(minimize_scalar(misfit, bounds=(low, high), method="bounded").x)
    return variance * (1.0 + math.sqrt(1.0 / ratio)) ** 2


def marchenko_pastur(variance: float, ratio: float, points: int) -> tuple[FloatArray, FloatArray]:
    """Return places (points,) over the law's range and its density there, for noise of a variance and `ratio` T / N."""
    low, high = (variance * (1.0 + sign * math.sqrt(1.0 / ratio)) ** 2 for sign in (-1.0, 1.0))
    places = np.linspace(low, high, points)
    density = ratio / (2.0 * math.pi * variance * places) * np.sqrt(np.maximum((high - places) * (places - low), 0.0))
    return places, density


def _density(values: FloatArray, places: FloatArray, bandwidth: float) -> FloatArray:
    away = (places[:, None] - values[None, :]) / bandwidth
    return np.asarray(np.exp(-0.5 * away * away).mean(axis=1) / (bandwidth * math.sqrt(2.0 * math.pi)))
