"""Measures of risk: dispersion, tails and drawdowns. Losses at risk are positive, drawdowns zero or negative."""

import math

import numpy as np

from nt_ray.backtest.measures.base import BARS, FRACTION, RATIO, Measure, measured
from nt_ray.backtest.measures.evidence import Evidence
from nt_ray.risk.historical import historical_es


@measured("Volatility", FRACTION)
def volatility(e: Evidence) -> float | None:
    """Standard deviation of returns (ddof 1) times sqrt(q)."""
    return e.metrics.volatility


@measured("Downside deviation", FRACTION, "Sortino and Price (1994)")
def downside_deviation(e: Evidence) -> float | None:
    """Root mean square of min(r, 0) over all n bars, times sqrt(q)."""
    if e.returns is None:
        return None
    return math.sqrt(float(np.mean(np.minimum(e.returns, 0.0) ** 2)) * e.periods_per_year)


@measured("Skewness", RATIO)
def skewness(e: Evidence) -> float | None:
    """Third standardised moment of returns, population form."""
    return e.metrics.skew


@measured("Excess kurtosis", RATIO)
def excess_kurtosis(e: Evidence) -> float | None:
    """Fourth standardised moment of returns less 3, population form."""
    return e.metrics.excess_kurtosis


@measured("Value at risk 95 %", FRACTION)
def value_at_risk(e: Evidence) -> float | None:
    """Historical, one bar: the ceil(0.05 n)-th largest loss, not interpolated."""
    return e.metrics.var_95


@measured("Expected shortfall 95 %", FRACTION, "Acerbi and Tasche (2002)")
def expected_shortfall(e: Evidence) -> float | None:
    """Historical, one bar: mean loss in the worst 5 % of bars, the borderline bar counted in part."""
    return e.metrics.es_95


@measured("Tail ratio", RATIO)
def tail_ratio(e: Evidence) -> float | None:
    """95th percentile of returns over the size of the 5th, interpolated linearly; None unless the 5th is negative."""
    if e.returns is None:
        return None
    low, high = np.quantile(e.returns, [0.05, 0.95]).tolist()
    return high / -low if low < 0.0 else None


@measured("Max drawdown", FRACTION)
def max_drawdown(e: Evidence) -> float | None:
    """Lowest V_t / max(V_0..V_t) - 1, the opening equity included."""
    return e.metrics.max_drawdown


@measured("Average drawdown", FRACTION)
def average_drawdown(e: Evidence) -> float | None:
    """Mean of each drawdown's own lowest point, from peak to recovery (or the end); None where there is none."""
    under = np.concatenate(([False], e.drawdown < 0.0, [False]))
    edges = np.flatnonzero(np.diff(under.astype(np.int8)))
    if len(edges) == 0:
        return None
    depths = [float(np.min(e.drawdown[a:b])) for a, b in zip(edges[::2], edges[1::2], strict=True)]
    return float(np.mean(depths))


@measured("Longest drawdown", BARS)
def longest_drawdown(e: Evidence) -> float | None:
    """Most bars from a peak to its recovery, or to the end."""
    at_peak = np.flatnonzero(np.concatenate(([True], e.drawdown >= 0.0)))
    # From one peak to the next is one bar where nothing was lost; the last stretch runs to the end.
    longest = int(np.diff(np.append(at_peak, len(e.drawdown))).max())
    return float(longest) if longest > 1 or e.drawdown[-1] < 0.0 else 0.0


@measured("Time under water", FRACTION)
def time_under_water(e: Evidence) -> float | None:
    """Share of bars after which equity is below its peak so far."""
    return float(np.mean(e.drawdown < 0.0))


@measured("Ulcer index", FRACTION, "Martin and McCann (1989)")
def ulcer_index(e: Evidence) -> float | None:
    """Root mean square drawdown over all n bars."""
    return math.sqrt(float(np.mean(e.drawdown**2)))


@measured("Pain index", FRACTION)
def pain_index(e: Evidence) -> float | None:
    """Mean size of the drawdown over all n bars."""
    return float(-np.mean(e.drawdown)) + 0.0


@measured("Conditional drawdown at risk 95 %", FRACTION, "Chekhlov, Uryasev and Zabarankin (2005)")
def conditional_drawdown(e: Evidence) -> float | None:
    """Mean size of the deepest 5 % of the n drawdowns, the borderline bar counted in part; a positive loss."""
    return historical_es(e.drawdown, 0.95) + 0.0


MEASURES: tuple[Measure, ...] = (
    volatility, downside_deviation, skewness, excess_kurtosis, value_at_risk, expected_shortfall, tail_ratio,
    max_drawdown, average_drawdown, longest_drawdown, time_under_water, ulcer_index, pain_index, conditional_drawdown,
)  # fmt: skip
