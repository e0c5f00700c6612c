"""Expected returns per period: from the past, shrunk, or implied by what the market holds.

None is annualised. A mean of past returns is a poor forecast; the shrunk ones have a smaller expected error.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_factor, cho_solve

from nt_ray.errors import RiskError
from nt_ray.portfolio.inputs import check_returns, check_series, check_weights
from nt_ray.portfolio.moments.checks import check_covariance, check_semidefinite
from nt_ray.portfolio.moments.factor_covariance import FactorCovariance
from nt_ray.portfolio.moments.sample import decay_weights, sample
from nt_ray.portfolio.moments.standard import check_varying
from nt_ray.types import FloatArray

_LEFT = 1e-12
"""Share of an asset's variance that others leave unexplained, below which it follows from them."""


@dataclass(frozen=True, slots=True)
class ShrunkMeans:
    """Means (N,) shrunk towards one number."""

    means: FloatArray
    target: float
    """The return every mean is drawn towards."""
    intensity: float
    """Share of the target, 0 to 1."""


def mean(returns: npt.ArrayLike) -> FloatArray:
    """Return the mean (N,) of returns (T, N); NaN is refused."""
    return np.asarray(check_returns(returns, least=1).mean(axis=0))


def ewma_mean(returns: npt.ArrayLike, *, decay: float = 0.99) -> FloatArray:
    """Return the exponentially weighted mean (N,) of returns (T, N), the latest weighing most; NaN is refused."""
    values = check_returns(returns, least=1)
    return np.asarray(decay_weights(values.shape[0], decay) @ values)


def shrink_james_stein(returns: npt.ArrayLike) -> ShrunkMeans:
    """Shrink the means of returns (T, N) towards their common mean.

    The intensity is (trace - 2 largest) / (T |m - target|^2), within 0 and 1, trace and largest being those of the
    eigenvalues of the sample covariance; with less than three independent assets nothing is shrunk. NaN is refused.
    Source: Jorion (1986), Bayes-Stein estimation for portfolio analysis, Journal of Financial and Quantitative
    Analysis 21, 279-292, equation 8, for correlated assets as in Meucci (2005), Risk and Asset Allocation, 4.4.1.
    """
    values = check_returns(returns)
    means = values.mean(axis=0)
    target = float(means.mean())
    eigenvalues = np.linalg.eigvalsh(sample(values, singular=True))
    apart = float(np.sum((means - target) ** 2)) * values.shape[0]
    excess = float(eigenvalues.sum() - 2.0 * eigenvalues[-1])
    return _towards(means, target, excess / apart if apart > 0.0 else 1.0)


def shrink_bayes_stein(returns: npt.ArrayLike) -> ShrunkMeans:
    """Shrink the means of returns (T, N) towards the mean of the minimum-variance portfolio.

    The intensity is (N + 2) / (N + 2 + T d), d being the squared Mahalanobis distance of the means from the target
    under the sample covariance scaled by (T - 1) / (T - N - 2). Needs T > N + 2; NaN is refused.
    Source: Jorion (1986), Bayes-Stein estimation for portfolio analysis, Journal of Financial and Quantitative
    Analysis 21, 279-292, equations 14, 15 and 17.
    """
    values = check_returns(returns)
    periods, assets = values.shape
    if periods <= assets + 2:
        raise RiskError(f"{periods} periods are too few for {assets} assets. Give at least {assets + 3}.")
    means = values.mean(axis=0)
    scaled = sample(values) * ((periods - 1) / (periods - assets - 2))
    factor = _factored(scaled)
    ones = cho_solve(factor, np.ones(assets))
    target = float(ones @ means / ones.sum())
    distance = float((means - target) @ cho_solve(factor, means - target))
    return _towards(means, target, (assets + 2) / (assets + 2 + periods * distance))


def implied(
    covariance: npt.ArrayLike | FactorCovariance, weights: npt.ArrayLike, *, risk_aversion: float, rate: float = 0.0
) -> FloatArray:
    """Return the expected returns (N,) at which `weights` (N,) are the best portfolio: rate + risk_aversion S w.

    The best portfolio maximises mean - risk_aversion / 2 variance. Rate and covariance are of the same period.
    """
    if not risk_aversion > 0.0:
        raise RiskError(f"risk_aversion={risk_aversion} is not positive. Use a value such as 2.5.")
    if isinstance(covariance, FactorCovariance):
        return rate + risk_aversion * covariance.times(check_weights(weights, covariance.assets))
    matrix = check_covariance(covariance)
    check_semidefinite(matrix)
    return rate + risk_aversion * np.asarray(matrix @ check_weights(weights, matrix.shape[0]))


def market_risk_aversion(market: npt.ArrayLike, *, rate: float = 0.0) -> float:
    """Return the price of risk in the market's returns (T,): mean excess return over variance."""
    values = check_series(market, least=2, what="Market returns")
    check_varying(values[:, None], "Market")
    return (float(values.mean()) - rate) / float(values.var(ddof=1))


def capm(
    returns: npt.ArrayLike, market: npt.ArrayLike, *, premium: float | None = None, rate: float = 0.0
) -> FloatArray:
    """Return rate + beta (N,) times the market's premium, beta being those of returns (T, N) on market returns (T,).

    The premium is per period; None takes the market's own mean less the rate. NaN is refused.
    """
    values = check_returns(returns)
    index = check_series(market, least=2, what="Market returns")
    if index.size != values.shape[0]:
        raise RiskError(f"The market has {index.size} returns for {values.shape[0]} periods. Give one a period.")
    check_varying(index[:, None], "Market")
    centred = index - index.mean()
    betas = np.asarray(centred @ (values - values.mean(axis=0))) / float(centred @ centred)
    return rate + betas * (float(index.mean()) - rate if premium is None else premium)


def james_stein(returns: npt.ArrayLike) -> FloatArray:
    """Return the means (N,) of `shrink_james_stein`."""
    return shrink_james_stein(returns).means


def bayes_stein(returns: npt.ArrayLike) -> FloatArray:
    """Return the means (N,) of `shrink_bayes_stein`."""
    return shrink_bayes_stein(returns).means


EXPECTATIONS: Mapping[str, Callable[..., FloatArray]] = MappingProxyType(
    {"mean": mean, "ewma": ewma_mean, "james_stein": james_stein, "bayes_stein": bayes_stein, "capm": capm}
)
"""Estimators of expected returns from past returns (T, N), by the names that configuration uses."""


def _towards(means: FloatArray, target: float, intensity: float) -> ShrunkMeans:
    intensity = min(max(intensity, 0.0), 1.0)
    return ShrunkMeans((1.0 - intensity) * means + intensity * target, target, intensity)


def _factored(matrix: FloatArray) -> tuple[FloatArray, bool]:
    try:
        factor, lower = cho_factor(matrix, lower=True, check_finite=False)
    except np.linalg.LinAlgError:
        factor, lower = np.zeros_like(matrix), True
    # What earlier assets leave of the variance of each.
    if (factor.diagonal() ** 2 <= _LEFT * matrix.diagonal()).any():
        raise RiskError("The covariance is singular: some asset follows from others. Leave it out.")
    return np.asarray(factor), bool(lower)
