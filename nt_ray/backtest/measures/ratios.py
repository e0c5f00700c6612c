"""Measures of reward for risk. Excess is over the risk-free rate of a bar; annualised by q bars a year."""

import math

import numpy as np

from nt_ray.backtest.measures.base import BARS, FRACTION, PROBABILITY, RATIO, Measure, measured
from nt_ray.backtest.measures.evidence import Evidence
from nt_ray.backtest.measures.risk import pain_index, ulcer_index
from nt_ray.backtest.research.sharpe import (
    adjusted_sharpe,
    minimum_track_record,
    probabilistic_sharpe,
    sharpe_sample,
)


def _over(e: Evidence, size: float | None) -> float | None:
    """CAGR less the risk-free rate over a size of drawdowns."""
    if e.metrics.cagr is None or not size:
        return None
    return (e.metrics.cagr - e.risk_free) / size


@measured("Sharpe", RATIO, "Sharpe (1994)")
def sharpe(e: Evidence) -> float | None:
    """Mean excess return over its standard deviation (ddof 1), times sqrt(q)."""
    return e.metrics.sharpe


@measured("Sharpe, autocorrelation-adjusted", RATIO, "Lo (2002)")
def sharpe_adjusted(e: Evidence) -> float | None:
    """Sharpe of a bar times q / sqrt(q + 2 sum (q - k) rho_k), over floor(4 (n/100)^(2/9)) autocorrelations."""
    return None if e.excess is None else adjusted_sharpe(e.excess, e.periods_per_year)


@measured("Probabilistic Sharpe", PROBABILITY, "Bailey and López de Prado (2012)")
def sharpe_probability(e: Evidence) -> float | None:
    """Probability that the true Sharpe ratio is above zero, given n, skewness and kurtosis."""
    sample = None if e.excess is None else sharpe_sample(e.excess)
    return None if sample is None else probabilistic_sharpe(sample)


@measured("Minimum track record", BARS, "Bailey and López de Prado (2012)")
def track_record(e: Evidence) -> float | None:
    """Bars needed to tell this Sharpe ratio from zero at 95 %; None where it is not positive."""
    sample = None if e.excess is None else sharpe_sample(e.excess)
    return None if sample is None else minimum_track_record(sample)


@measured("Sortino", RATIO, "Sortino and Price (1994)")
def sortino(e: Evidence) -> float | None:
    """Mean excess return times sqrt(q) over the root mean square of min(r, 0) across all n bars."""
    return e.metrics.sortino


@measured("Calmar", RATIO, "Young (1991)")
def calmar(e: Evidence) -> float | None:
    """CAGR by bars over the size of the deepest drawdown, both over the whole history."""
    return e.metrics.calmar


@measured("Omega", RATIO, "Keating and Shadwick (2002)")
def omega(e: Evidence) -> float | None:
    """Sum of max(r, 0) over sum of max(-r, 0): threshold zero; None without a loss."""
    if e.returns is None:
        return None
    lost = float(-np.sum(np.minimum(e.returns, 0.0)))
    return float(np.sum(np.maximum(e.returns, 0.0))) / lost if lost > 0.0 else None


@measured("Gain to pain", RATIO, "Schwager (2012)")
def gain_to_pain(e: Evidence) -> float | None:
    """Sum of calendar months' returns over the size of the sum of the negative ones; None without one."""
    months = e.by_period("M")
    lost = float(-np.sum(np.minimum(months, 0.0)))
    return float(np.sum(months)) / lost if lost > 0.0 else None


@measured("Ulcer performance index", RATIO, "Martin and McCann (1989)")
def ulcer_performance(e: Evidence) -> float | None:
    """CAGR by bars less the risk-free rate, over the ulcer index."""
    return _over(e, ulcer_index(e))


@measured("Pain ratio", RATIO)
def pain_ratio(e: Evidence) -> float | None:
    """CAGR by bars less the risk-free rate, over the pain index."""
    return _over(e, pain_index(e))


@measured("Recovery factor", RATIO)
def recovery_factor(e: Evidence) -> float | None:
    """Total return over the size of the deepest drawdown; None without one."""
    deepest = -e.metrics.max_drawdown
    return e.metrics.total_return / deepest if deepest > 0.0 else None


@measured("Kelly fraction", FRACTION, "Thorp (2006)")
def kelly(e: Evidence) -> float | None:
    """Mean excess return over its variance (ddof 1): leverage of the fastest growth; not clipped."""
    if e.excess is None:
        return None
    variance = float(np.var(e.excess, ddof=1))
    return float(np.mean(e.excess)) / variance if math.sqrt(variance) > 1e-12 else None


MEASURES: tuple[Measure, ...] = (
    sharpe, sharpe_adjusted, sharpe_probability, track_record, sortino, calmar, omega, gain_to_pain, ulcer_performance,
    pain_ratio, recovery_factor, kelly,
)  # fmt: skip
