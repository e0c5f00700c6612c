"""Black-Litterman: expected returns of an equilibrium, moved by views as far as they are trusted.

The mean of returns is uncertain with covariance tau S around the prior; each view says what a portfolio will return,
with an error of variance omega. The posterior mean is

    prior + tau S P' (tau P S P' + Omega)^-1 (q - P prior)

and the posterior covariance of the mean M = tau S - tau S P' (tau P S P' + Omega)^-1 P tau S, so that returns have
covariance S + M. This form needs no inverse of S, and takes certain views (omega zero) as they are.

Sources: Black and Litterman (1992), Global portfolio optimization, Financial Analysts Journal 48(5); He and Litterman
(1999), The intuition behind Black-Litterman model portfolios, Goldman Sachs, whose tables 4 to 8 the tests hold;
Idzorek (2005), A step-by-step guide to the Black-Litterman model, for confidences.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nt_ray.errors import RiskError
from nt_ray.portfolio.inputs import check_names, check_weights
from nt_ray.portfolio.moments.checks import check_covariance, check_semidefinite
from nt_ray.types import FloatArray

_DEPENDENT = 1e-12
"""Smallest eigenvalue of the scaled system of views at which they still count as independent."""


@dataclass(frozen=True, slots=True)
class View:
    """What a portfolio is believed to return in one period.

    At most one of `variance` (omega, of the view's error) and `confidence` (Idzorek: the share, 0 to 1, of the way
    from the prior to full trust that this view alone moves the weights) is given; with neither the view is as
    uncertain as the prior says of its portfolio (He and Litterman: omega = tau p S p').
    """

    portfolio: Mapping[str, float]
    """Weight of each asset; they sum to 1 in an absolute view and to 0 in a relative one."""
    expected: float
    confidence: float | None = None
    variance: float | None = None

    def __post_init__(self) -> None:
        if not self.portfolio or not any(self.portfolio.values()):
            raise RiskError("A view is about no asset. Name at least one with a weight other than zero.")
        if not all(math.isfinite(value) for value in (*self.portfolio.values(), self.expected)):
            raise RiskError(f"View {dict(self.portfolio)} of {self.expected} is not finite. Give finite numbers.")
        if self.confidence is not None and self.variance is not None:
            raise RiskError("A view has both a confidence and a variance. Give one of them.")
        if self.confidence is not None and not 0.0 <= self.confidence <= 1.0:
            raise RiskError(f"View confidence {self.confidence} does not lie in [0, 1]. Use a value such as 0.5.")
        if self.variance is not None and not 0.0 <= self.variance < math.inf:
            raise RiskError(f"View variance {self.variance} is not a number of zero or more. Give one.")


def absolute(asset: str, expected: float, **trust: float) -> View:
    """State what one asset will return; `trust` is a confidence or a variance."""
    return View({asset: 1.0}, expected, **trust)


def relative(better: Mapping[str, float], worse: Mapping[str, float], expected: float, **trust: float) -> View:
    """State by how much some assets will beat others, each side weighted by its own numbers (such as market values)."""
    portfolio: dict[str, float] = {}
    for side, sign in ((better, 1.0), (worse, -1.0)):
        total = sum(side.values())
        if not total > 0.0 or min(side.values()) < 0.0:
            raise RiskError(f"Weights {dict(side)} of one side of a view are not positive. Give positive weights.")
        for asset, weight in side.items():
            portfolio[asset] = portfolio.get(asset, 0.0) + sign * weight / total
    return View(portfolio, expected, **trust)


@dataclass(frozen=True, slots=True, kw_only=True)
class Posterior:
    """Returns after the views. All arrays are per period."""

    expected: FloatArray
    """(N,) posterior mean."""
    covariance: FloatArray
    """(N, N) covariance of returns, with the uncertainty of the mean in it."""
    mean_covariance: FloatArray
    """(N, N) uncertainty of the mean alone."""
    view_variances: FloatArray
    """(K,) omega used for each view; infinite for a view without any confidence."""
    tilts: FloatArray
    """(K,) how much of each view's portfolio the best unconstrained portfolio holds, times its risk aversion:
    (1 + tau) covariance^-1 expected = S^-1 prior + P' tilts."""


def black_litterman(
    covariance: npt.ArrayLike, prior: npt.ArrayLike, views: Sequence[View], assets: Sequence[str], *, tau: float = 0.05
) -> Posterior:
    """Combine a prior with views.

    Parameters
    ----------
    covariance
        (N, N) covariance of returns, finite, symmetric, positive semi-definite.
    prior
        (N,) expected returns without views, such as those of `implied`.
    views
        At least one; two that are certain and say the same of one portfolio are refused.
    assets
        (N,) names that views use.
    tau
        Uncertainty of the prior mean as a share of the covariance, such as 0.05 or 1 / T.
    """
    matrix = check_covariance(covariance, names=assets)
    check_semidefinite(matrix)
    if not 0.0 < tau < math.inf:
        raise RiskError(f"tau={tau} is not positive. Use a value such as 0.05.")
    if not views:
        raise RiskError("There are no views. Give at least one, or use the prior as it is.")
    if len(assets) != matrix.shape[0]:
        raise RiskError(f"{len(assets)} names for {matrix.shape[0]} assets. Give one name an asset.")
    start = check_weights(prior, matrix.shape[0])
    picks, wanted = _picks(views, assets)
    uncertain = tau * matrix
    variances = _variances(views, np.einsum("ki,ik->k", picks, uncertain @ picks.T))
    # A view without any confidence has no say.
    heard = np.isfinite(variances)
    tilts = np.zeros(len(views))
    expected, mean_covariance = start, uncertain
    if heard.any():
        expected, mean_covariance, tilts[heard] = _combine(
            uncertain, start, picks[heard], wanted[heard], variances[heard], tau
        )
    return Posterior(
        expected=np.asarray(expected), covariance=matrix + mean_covariance, mean_covariance=mean_covariance,
        view_variances=variances, tilts=tilts,
    )  # fmt: skip


def _picks(views: Sequence[View], assets: Sequence[str]) -> tuple[FloatArray, FloatArray]:
    """Matrix P (K, N) and vector q (K,)."""
    picks = np.zeros((len(views), len(assets)))
    for row, view in enumerate(views):
        columns = check_names(tuple(view.portfolio), assets)
        picks[row, list(columns)] = list(view.portfolio.values())
    return picks, np.array([view.expected for view in views])


def _variances(views: Sequence[View], prior_variances: FloatArray) -> FloatArray:
    """Omega of each view; `prior_variances` (K,) are tau p S p'."""
    result = prior_variances.copy()
    for row, view in enumerate(views):
        if view.variance is not None:
            result[row] = view.variance
        elif view.confidence == 0.0:
            result[row] = math.inf
        elif view.confidence is not None:
            # The weights move by the share 1 / (1 + omega / (tau p S p')) of the way to full trust.
            result[row] = prior_variances[row] * (1.0 - view.confidence) / view.confidence
    return result


def _combine(
    uncertain: FloatArray, prior: FloatArray, picks: FloatArray, wanted: FloatArray, variances: FloatArray, tau: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Posterior mean, its covariance, and the tilts; `uncertain` is tau S."""
    spread = uncertain @ picks.T
    own = picks @ spread
    system = own + np.diag(variances)
    _check_system(system)
    surprise = np.linalg.solve(system, wanted - picks @ prior)
    expected = prior + spread @ surprise
    covariance = uncertain - spread @ np.linalg.solve(system, spread.T)
    # By Woodbury from the inverse of S + M.
    further = np.linalg.solve(own / (1.0 + tau) + np.diag(variances), picks @ expected)
    return expected, (covariance + covariance.T) * 0.5, tau * surprise + tau * tau / (1.0 + tau) * further


def _check_system(system: FloatArray) -> None:
    scale = np.sqrt(np.maximum(system.diagonal(), 0.0))
    if not scale.all() or np.linalg.eigvalsh(system / np.outer(scale, scale))[0] < _DEPENDENT:
        raise RiskError(
            "Views that are certain depend on each other or on assets without variance. Give them a variance, or "
            "leave one out."
        )
