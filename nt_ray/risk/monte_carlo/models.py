"""Models of joint returns of one period, and what they become over several.

Periods are independent and their simple returns add up. For normal returns that is a normal law with h times the mean
and h times the covariance, stated here and exact; for the others h draws are made and summed, since a sum of t is no t.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import gammaln, stdtrit
from scipy.stats import rankdata

from nt_ray.errors import RiskError
from nt_ray.portfolio.dependence import kendall
from nt_ray.portfolio.inputs import check_returns, check_weights
from nt_ray.portfolio.moments.checks import check_covariance, check_semidefinite
from nt_ray.portfolio.moments.nearest import Repair, nearest_psd
from nt_ray.portfolio.moments.sample import sample
from nt_ray.risk.monte_carlo.draw import Law
from nt_ray.types import FloatArray

HEAVIEST: Final = 2.1
LIGHTEST: Final = 200.0
"""Bounds of fitted degrees of freedom; a variance needs more than 2."""


class Model(Protocol):
    """Joint returns of N assets, as scenarios are drawn from them."""

    @property
    def assets(self) -> int:
        """Returns in a scenario."""
        ...

    def law(self, horizon: int) -> Law:
        """Return what the kernels draw for this many periods."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NormalModel:
    """Normal returns."""

    mean: FloatArray
    """(N,)"""
    covariance: FloatArray
    """(N, N), symmetric and positive semi-definite."""
    root: FloatArray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", root_of(self.covariance))
        object.__setattr__(self, "mean", check_mean(self.mean, len(self.root)))

    @property
    def assets(self) -> int:
        """Returns in a scenario."""
        return len(self.mean)

    def law(self, horizon: int) -> Law:
        """Return the normal law of the sum: h times the mean, h times the covariance."""
        return Law(mean=self.mean * horizon, root=self.root * math.sqrt(horizon))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StudentModel:
    """Multivariate t returns: one mixing variable for all assets, so that they meet their extremes together."""

    mean: FloatArray
    """(N,)"""
    covariance: FloatArray
    """(N, N) covariance of the returns, which is nu / (nu - 2) times the scatter matrix."""
    degrees: float
    root: FloatArray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        check_degrees(self.degrees)
        object.__setattr__(self, "root", root_of(self.covariance))
        object.__setattr__(self, "mean", check_mean(self.mean, len(self.root)))

    @property
    def assets(self) -> int:
        """Returns in a scenario."""
        return len(self.mean)

    def law(self, horizon: int) -> Law:
        """Return as many draws as there are periods."""
        return Law(mean=self.mean, root=self.root, degrees=self.degrees, periods=horizon)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CopulaModel:
    """Margins of a sample, joined by a t copula: each asset keeps its own history's shape."""

    correlation: FloatArray
    """(N, N) of the copula, with a diagonal of ones."""
    degrees: float
    ordered: FloatArray
    """(N, T) past returns of each asset in ascending order."""
    repair: Repair | None = None
    """What was changed to make the correlations of ranks positive semi-definite; None where nobody asked."""
    root: FloatArray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        check_degrees(self.degrees)
        object.__setattr__(self, "root", root_of(self.correlation))
        if np.abs(self.correlation.diagonal() - 1.0).max() > 1e-9:
            raise RiskError("The copula's correlations have a diagonal other than 1. Give a correlation matrix.")
        ordered = np.ascontiguousarray(self.ordered, dtype=np.float64)
        if ordered.ndim != 2 or len(ordered) != len(self.root) or ordered.shape[1] < 2:
            raise RiskError(f"Margins have shape {ordered.shape}. Give 2 or more returns for {len(self.root)} assets.")
        if not np.isfinite(ordered).all() or (np.diff(ordered, axis=1) < 0.0).any():
            raise RiskError("Margins hold what is not a number or not in ascending order. Sort finite returns.")
        object.__setattr__(self, "ordered", ordered)

    @property
    def assets(self) -> int:
        """Returns in a scenario."""
        return len(self.ordered)

    def law(self, horizon: int) -> Law:
        """Return as many draws as there are periods."""
        zeros = np.zeros(self.assets)
        return Law(mean=zeros, root=self.root, degrees=self.degrees, ordered=self.ordered, periods=horizon)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PortfolioModel:
    """Portfolios of elliptical returns as if they were the assets: the same scenarios, without the assets' own returns.

    Agrees with the portfolios on the scenarios of `whole` up to rounding, at a fraction of the work.
    """

    whole: NormalModel | StudentModel
    weights: FloatArray
    """(P, N)"""

    @property
    def assets(self) -> int:
        """Portfolios."""
        return len(self.weights)

    def law(self, horizon: int) -> Law:
        """Return the law of the portfolios, driven by the normals of all assets."""
        law = self.whole.law(horizon)
        return Law(
            mean=self.weights @ law.mean, root=self.weights @ law.root, degrees=law.degrees, periods=law.periods,
            triangular=False,
        )  # fmt: skip


def fit_normal(returns: npt.ArrayLike) -> NormalModel:
    """Take mean and sample covariance (ddof 1) of returns (T, N), T > N."""
    panel = check_returns(returns)
    return NormalModel(mean=panel.mean(axis=0), covariance=sample(panel))


def fit_student(returns: npt.ArrayLike, *, degrees: float | None = None) -> StudentModel:
    """Take mean and sample covariance of returns (T, N), T > N, and the likeliest degrees of freedom given them.

    Degrees lie between 2.1 and 200; at the upper bound returns are as good as normal.
    """
    panel = check_returns(returns)
    mean, covariance = panel.mean(axis=0), sample(panel)
    if degrees is None:
        squares = (np.linalg.solve(_definite(covariance), (panel - mean).T) ** 2).sum(axis=0)

        def likelihood(nu: float) -> float:
            wider = nu / (nu - 2.0)
            return _log_density(squares * wider, nu, panel.shape[1]) + 0.5 * panel.size * math.log(wider)

        degrees = _likeliest(likelihood)
    return StudentModel(mean=mean, covariance=covariance, degrees=degrees)


def fit_copula(returns: npt.ArrayLike, *, degrees: float | None = None) -> CopulaModel:
    """Fit a t copula to returns (T, N): correlations of ranks, margins as they are, likeliest degrees given them.

    Notes
    -----
    Correlation = sin(pi tau / 2), tau of Kendall; Demarta and McNeil (2005), The t copula and related copulas. Where
    the matrix of pairs is not positive semi-definite the nearest one is taken, and `repair` says so.
    """
    panel = check_returns(returns)
    taus = kendall(panel)
    if not np.isfinite(taus).all():
        at = int(np.argmax(np.ptp(panel, axis=0) == 0.0))
        raise RiskError(f"Returns of asset {at} never change, so they have no ranks. Leave it out.")
    repair = nearest_psd(np.sin(0.5 * math.pi * taus), floor=1e-8)
    if degrees is None:
        shares = rankdata(panel, axis=0) / (len(panel) + 1.0)
        degrees = _likeliest(lambda nu: _copula_likelihood(stdtrit(nu, shares), repair.matrix, nu))
    return CopulaModel(correlation=repair.matrix, degrees=degrees, ordered=np.sort(panel.T, axis=1), repair=repair)


def root_of(covariance: npt.ArrayLike) -> FloatArray:
    """Return the lower triangle R (N, N) with R R' = covariance, which may be singular but not indefinite."""
    matrix = check_covariance(covariance)
    try:
        return np.asarray(np.linalg.cholesky(matrix))
    except np.linalg.LinAlgError:
        check_semidefinite(matrix)
    values, vectors = np.linalg.eigh(matrix)
    _, upper = np.linalg.qr((vectors * np.sqrt(np.maximum(values, 0.0))).T)
    return np.asarray(np.tril(upper.T))


def check_degrees(degrees: float) -> None:
    """Refuse degrees of freedom without a variance."""
    if not 2.0 < degrees < math.inf:
        raise RiskError(f"{degrees} degrees of freedom leave no finite variance. Use more than 2, such as 5.")


def check_mean(mean: npt.ArrayLike, assets: int) -> FloatArray:
    """Return expected returns (N,) that are finite."""
    try:
        return check_weights(mean, assets)
    except RiskError as error:
        raise RiskError(f"Expected returns of {assets} assets: {error}") from None


def _definite(covariance: FloatArray) -> FloatArray:
    try:
        return np.asarray(np.linalg.cholesky(covariance))
    except np.linalg.LinAlgError:
        raise RiskError(
            "The covariance is singular, so degrees of freedom have no likelihood. Give `degrees`, or other assets."
        ) from None


def _likeliest(likelihood: Callable[[float], float]) -> float:
    found = minimize_scalar(
        lambda x: -likelihood(math.exp(x)), bounds=(math.log(HEAVIEST), math.log(LIGHTEST)), method="bounded",
        options={"xatol": 1e-4},
    )  # fmt: skip
    return float(math.exp(found.x))


def _log_density(squares: FloatArray, nu: float, dimensions: int) -> float:
    """Sum of log densities of a t with unit scatter at squared distances (T,)."""
    constant = gammaln(0.5 * (nu + dimensions)) - gammaln(0.5 * nu) - 0.5 * dimensions * math.log(nu * math.pi)
    return float(len(squares) * constant - 0.5 * (nu + dimensions) * np.log1p(squares / nu).sum())


def _copula_likelihood(variates: FloatArray, correlation: FloatArray, nu: float) -> float:
    """Log likelihood of t variates (T, N) under a copula, up to what does not depend on nu."""
    root = _definite(correlation)
    white = np.linalg.solve(root, variates.T)
    joint = _log_density((white**2).sum(axis=0), nu, variates.shape[1])
    return joint - _log_density(variates.ravel() ** 2, nu, 1)
