"""Market risk of a packaged product as the European Union prescribes it: value at risk, equivalent volatility, class.

Commission Delegated Regulation (EU) 2017/653, Annex II, Part 1, category 2. Its Cornish-Fisher form and its normal
drift are fixed by law, so they are kept apart from `nt_ray.risk.measures.cornish_fisher`.
"""

import math
from bisect import bisect_right
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nt_ray.errors import RiskError
from nt_ray.portfolio.inputs import check_horizon, check_series
from nt_ray.risk.measures.cornish_fisher import shape_of
from nt_ray.risk.measures.series import spread_of

_CLASSES = (0.005, 0.05, 0.12, 0.20, 0.30, 0.80)
_LEAST = 59
"""Fewest prices of the regulation are five years of months: 60 prices, 59 returns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketRisk:
    """Prescribed figures at 97.5 % over the recommended holding period."""

    var_return: float
    """Log return at the 2.5th percentile; negative is a loss (the regulation's VaR in return space)."""
    volatility: float
    """Annual volatility equivalent to it (VEV); 0 where even this percentile gains."""
    risk_class: int
    """Market risk measure from 1 to 7."""


def market_risk(returns: npt.ArrayLike, periods: int, years: float) -> MarketRisk:
    """Compute the figures from past returns.

    Parameters
    ----------
    returns
        (T,) simple returns, at least 59; their logarithms are taken.
    periods
        Trading periods in the recommended holding period.
    years
        The recommended holding period in years.
    """
    check_horizon(periods)
    if not 0.0 < years < math.inf:
        raise RiskError(f"A holding period of {years} years cannot be used. Give a positive number.")
    series = check_series(returns, least=_LEAST)
    if not series.min() > -1.0:
        raise RiskError(f"Return {int(series.argmin())} is {series.min():g}, which has no logarithm. Remove it.")
    logs = np.log1p(series)
    spread_of(logs)
    var = prescribed_var(float(logs.std()), *shape_of(logs), periods)
    volatility = max(0.0, math.sqrt(max(0.0, 3.842 - 2.0 * var)) - 1.96) / math.sqrt(years)
    return MarketRisk(var_return=var, volatility=volatility, risk_class=1 + bisect_right(_CLASSES, volatility))


def prescribed_var(deviation: float, skew: float, kurtosis: float, periods: int) -> float:
    """Return the prescribed log return at the 2.5th percentile.

    Notes
    -----
    sigma sqrt(N) (-1.96 + 0.474 S / sqrt(N) - 0.0687 K / N + 0.146 S^2 / N) - sigma^2 N / 2, with the moments of one
    period and K the excess kurtosis.
    """
    n = float(periods)
    bend = -1.96 + 0.474 * skew / math.sqrt(n) - 0.0687 * kurtosis / n + 0.146 * skew**2 / n
    return deviation * math.sqrt(n) * bend - 0.5 * deviation**2 * n
