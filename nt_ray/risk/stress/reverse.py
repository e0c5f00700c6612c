"""Reverse stress: the most plausible shock that costs so much, and the worst shock that is still plausible.

For elliptical returns with covariance S and a book w the shock nearest to the mean, in Mahalanobis distance, that loses
X is -X S w / (w'S w), at distance X / sqrt(w'S w): Breuer, Jandacka, Rheinberger and Summer (2009), How to find
plausible, severe and useful stress scenarios.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt
from scipy.special import chdtrc, chdtri, ndtr, ndtri

from nt_ray.errors import RiskError
from nt_ray.portfolio.inputs import check_confidence, check_horizon, check_weights
from nt_ray.portfolio.moments.checks import check_covariance, check_semidefinite
from nt_ray.types import FloatArray

Plausible: TypeAlias = Literal["ellipsoid", "book"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReverseStress:
    """A shock and how far out it lies."""

    shock: FloatArray
    """(N,) returns over the horizon."""
    loss: float
    """What the book loses, as a fraction of equity."""
    by_asset: FloatArray
    """(N,) losses; they sum to the loss."""
    distance: float
    """Mahalanobis distance from the mean, in standard deviations."""
    probability: float
    """Normal probability that the book loses this much or more over the horizon."""
    outside: float
    """Normal probability that the N returns together lie farther out than this shock, in whatever direction."""
    horizon: int
    assumptions: tuple[str, ...]


def reverse_stress(
    weights: npt.ArrayLike,
    covariance: npt.ArrayLike,
    loss: float,
    *,
    mean: npt.ArrayLike | None = None,
    horizon: int = 1,
) -> ReverseStress:
    """Return the shock nearest to the mean at which a book loses so much.

    Parameters
    ----------
    weights
        (N,) fractions of equity; or exposures to N factors.
    covariance
        (N, N) of one period.
    loss
        Fraction of equity, above zero.
    mean
        (N,) expected returns of one period; None means zero.
    horizon
        Periods; independent ones, so mean and covariance grow with their number.
    """
    if not 0.0 < loss < np.inf:
        raise RiskError(f"Loss {loss} is not a positive fraction of equity. Give, say, 0.2.")
    book, matrix, centre, spread = _inputs(weights, covariance, mean, horizon)
    # A loss that is expected anyway needs no shock.
    beyond = max(loss + float(book @ centre), 0.0)
    return _at(book, matrix, centre, spread, beyond / spread, horizon)


def worst_shock(
    weights: npt.ArrayLike,
    covariance: npt.ArrayLike,
    confidence: float,
    *,
    mean: npt.ArrayLike | None = None,
    horizon: int = 1,
    plausible: Plausible = "ellipsoid",
) -> ReverseStress:
    """Return the worst shock for a book among the plausible ones.

    ellipsoid: the shocks nearest to the mean that together have the probability `confidence` (radius from chi-squared
    with N degrees of freedom); this is far more than the book's own value at risk. book: the shock that costs the
    book's normal value at risk at the confidence.
    """
    if plausible not in get_args(Plausible):
        raise RiskError(f"Unknown set {plausible!r} of plausible shocks. Known: {', '.join(get_args(Plausible))}.")
    check_confidence(confidence)
    book, matrix, centre, spread = _inputs(weights, covariance, mean, horizon)
    radius = float(ndtri(confidence))
    if plausible == "ellipsoid":
        radius = float(np.sqrt(chdtri(book.size, 1.0 - confidence)))
    return _at(book, matrix, centre, spread, radius, horizon)


def _inputs(
    weights: npt.ArrayLike, covariance: npt.ArrayLike, mean: npt.ArrayLike | None, horizon: int
) -> tuple[FloatArray, FloatArray, FloatArray, float]:
    periods = check_horizon(horizon)
    matrix = periods * check_covariance(covariance)
    check_semidefinite(matrix)
    book = check_weights(weights, matrix.shape[0])
    centre = np.zeros(book.size) if mean is None else periods * check_weights(mean, book.size)
    variance = float(book @ matrix @ book)
    if not variance > 0.0:
        raise RiskError(f"The book's variance is {variance:g}, so no shock of this covariance moves it. Check both.")
    return book, matrix, centre, float(np.sqrt(variance))


def _at(
    book: FloatArray, matrix: FloatArray, centre: FloatArray, spread: float, distance: float, horizon: int
) -> ReverseStress:
    shock = centre - distance / spread * (matrix @ book)
    losses = -book * shock
    deep = " some returns lie below -1, where linear shocks end to make sense;" if (shock < -1.0).any() else ""
    return ReverseStress(
        shock=shock,
        loss=float(losses.sum()),
        by_asset=losses,
        distance=distance,
        probability=float(ndtr(-distance)),
        outside=float(chdtrc(book.size, distance**2)),
        horizon=horizon,
        assumptions=(f"normal returns, independent periods;{deep} the covariance of calm times",),
    )
