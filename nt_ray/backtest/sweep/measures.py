"""From the totals of runs to their metrics, under the conventions of `nt_ray/backtest/metrics.py`.

What that module calls undefined (constant returns, fewer than two, ruin) is NaN here and null in a result's table.
"""

from typing import Final

import numpy as np

from nt_ray.backtest.metrics import CONSTANT
from nt_ray.backtest.sweep import totals
from nt_ray.types import QUANTA_PER_UNIT, FloatArray, IntArray

METRICS: Final = (
    "total_return",
    "cagr",
    "sharpe",
    "sortino",
    "max_drawdown",
    "trades",
    "turnover",
    "costs",
    "exposure",
    "final_equity",
)
"""Columns of a result, in order.

total_return, cagr, sharpe, sortino, max_drawdown as in `Metrics`; trades: executions; turnover: annualised one-way
turnover of mean equity; costs: commission in money; exposure: share of bars that end with a position.
"""

LESS_IS_BETTER: Final = frozenset({"turnover", "costs", "trades"})
"""Metrics that rank upwards; a drawdown is negative, so more is better there too."""


def measures(whole: IntArray, real: FloatArray, cash: int, bars: int, periods_per_year: float) -> dict[str, FloatArray]:
    """Metrics of runs.

    Parameters
    ----------
    whole, real
        (..., WHOLE) and (..., REAL) totals of runs over `bars` bars that started with `cash` quanta.
    periods_per_year
        Bars in a year.

    Returns
    -------
    Arrays (...) by the names of `METRICS`; NaN undefined.
    """
    q, years = periods_per_year, bars / periods_per_year
    growth = whole[..., totals.FINAL] / cash
    defined = (whole[..., totals.RUINED] == 0) & (bars >= 2)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        mean = real[..., totals.RETURNS] / bars
        spread = real[..., totals.SQUARES] - bars * mean * mean
        deviation = np.sqrt(np.maximum(spread, 0.0) / max(bars - 1, 1))
        downside = np.sqrt(real[..., totals.DOWNSIDE] / bars)
        exponent = np.log(growth) * q / bars
        mean_equity = real[..., totals.EQUITY] / bars
        found = {
            "total_return": growth - 1.0,
            "cagr": np.where(defined & (exponent < 700.0), np.expm1(exponent), np.nan),
            "sharpe": np.where(defined & (deviation > CONSTANT), mean / deviation * np.sqrt(q), np.nan),
            "sortino": np.where(defined & (downside > CONSTANT), mean / downside * np.sqrt(q), np.nan),
            "max_drawdown": real[..., totals.DRAWDOWN],
            "trades": whole[..., totals.TRADES].astype(np.float64),
            "turnover": np.where(mean_equity > 0.0, real[..., totals.TRADED] / 2.0 / mean_equity / years, 0.0),
            "costs": whole[..., totals.FEES] / QUANTA_PER_UNIT,
            "exposure": whole[..., totals.HELD] / bars,
            "final_equity": whole[..., totals.FINAL] / QUANTA_PER_UNIT,
        }
    failed = whole[..., totals.STATUS] != totals.FINE
    return {name: np.where(failed, np.nan, found[name]) for name in METRICS}
