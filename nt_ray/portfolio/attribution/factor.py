"""Factor attribution: how much of a return its exposures to factors explain, and what is left.

A period's return is the sum of exposure times factor return, less costs, plus a residual. Over periods everything is
linked by Carino's factors, so contributions, costs and residual sum exactly to the compounded return, or, against a
benchmark, to the difference of both compounded returns.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nt_ray.errors import RiskError
from nt_ray.portfolio.attribution.linking import active_factors, compound
from nt_ray.portfolio.inputs import check_returns, check_series
from nt_ray.types import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorAttribution:
    """Contributions that sum to the return: those of the factors, costs, and what neither explains."""

    factors: tuple[str, ...]
    contributions: FloatArray
    """(k,) linked over all periods."""
    costs: float
    """Zero or less."""
    residual: float
    """Linked return that neither factors nor costs explain: selection and what the factors leave out."""
    total: float
    """Compounded return after costs, less that of the benchmark."""
    explained: float
    """Share of the variance of the periods' returns before costs that the factors explain; NaN without variance."""
    by_period: FloatArray
    """(T, k) contributions of each period alone, not linked."""


def attribute_factors(
    returns: npt.ArrayLike,
    exposures: npt.ArrayLike,
    factor_returns: npt.ArrayLike,
    *,
    factors: Sequence[str] | None = None,
    costs: npt.ArrayLike | None = None,
    benchmark: npt.ArrayLike | None = None,
) -> FactorAttribution:
    """Attribute a portfolio's returns to factors.

    Parameters
    ----------
    returns
        (T,) simple returns after costs, above -1; NaN is refused.
    exposures
        (T, k) at the start of each period, or (k,) where they stay; against a benchmark, the active ones.
    factor_returns
        (T, k) simple returns of the factors.
    factors
        (k,) names; their numbers where none are given.
    costs
        (T,) costs as a fraction of equity, zero or more.
    benchmark
        (T,) simple returns against which the portfolio is held; None attributes the whole return.
    """
    series = check_series(returns)
    base = np.zeros(series.size) if benchmark is None else check_series(benchmark, what="Benchmark returns")
    if base.size != series.size:
        raise RiskError(f"{base.size} benchmark returns for {series.size} returns. Give one a period.")
    drivers = check_returns(factor_returns, least=1, what="Factor returns")
    if drivers.shape[0] != series.size:
        raise RiskError(f"{drivers.shape[0]} periods of factors for {series.size} returns. Give one row a return.")
    loadings = _spread(exposures, drivers)
    paid = np.zeros(series.size) if costs is None else check_series(costs, what="Costs")
    if paid.size != series.size or (paid < 0.0).any():
        raise RiskError(f"Costs {paid} do not fit {series.size} returns. Give one of zero or more a period.")
    names = tuple(str(at) for at in range(drivers.shape[1])) if factors is None else tuple(factors)
    if len(names) != drivers.shape[1]:
        raise RiskError(f"{len(names)} factor names for {drivers.shape[1]} factors. Give one a factor.")
    by_period = loadings * drivers
    gross = series - base + paid
    left = gross - by_period.sum(axis=1)
    links = active_factors(series, base)
    return FactorAttribution(
        factors=names, contributions=links @ by_period, costs=-float(links @ paid), residual=float(links @ left),
        total=compound(series) - compound(base), explained=_explained(gross, left), by_period=by_period,
    )  # fmt: skip


def regress_exposures(returns: npt.ArrayLike, factor_returns: npt.ArrayLike) -> FloatArray:
    """Return exposures (k,) of returns (T,) to factors (T, k) by least squares with an intercept; NaN is refused."""
    series = check_series(returns)
    drivers = check_returns(factor_returns, what="Factor returns")
    if drivers.shape[0] != series.size or series.size < drivers.shape[1] + 2:
        raise RiskError(
            f"{series.size} returns and {drivers.shape[0]} periods of {drivers.shape[1]} factors cannot be regressed. "
            f"Give both for the same periods, at least {drivers.shape[1] + 2}."
        )
    exposures, _, rank, _ = np.linalg.lstsq(drivers - drivers.mean(axis=0), series - series.mean())
    if rank < drivers.shape[1]:
        raise RiskError(f"Only {rank} of {drivers.shape[1]} factors are independent. Leave out those that follow.")
    return np.asarray(exposures)


def _spread(exposures: npt.ArrayLike, drivers: FloatArray) -> FloatArray:
    values = np.asarray(exposures, dtype=np.float64)
    if values.shape not in (drivers.shape, drivers.shape[1:]):
        raise RiskError(f"Exposures have shape {values.shape} for factors {drivers.shape}. Give one a factor.")
    return check_returns(np.broadcast_to(values, drivers.shape), least=1, what="Exposures")


def _explained(series: FloatArray, left: FloatArray) -> float:
    spread = float(series.var())
    return 1.0 - float(left.var()) / spread if spread > 0.0 else np.nan
