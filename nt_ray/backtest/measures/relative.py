"""Measures against a benchmark at the same times; None without one."""

import math

import numpy as np

from nt_ray.backtest.measures.base import FRACTION, RATIO, Measure, measured
from nt_ray.backtest.measures.evidence import Evidence
from nt_ray.backtest.metrics import compounded
from nt_ray.types import BoolArray


@measured("Beta", RATIO)
def beta(e: Evidence) -> float | None:
    """Covariance with the benchmark's returns over their variance, same ddof."""
    return e.metrics.beta


@measured("Alpha", FRACTION, "Jensen (1968)")
def alpha(e: Evidence) -> float | None:
    """(Mean excess return - beta * the benchmark's) times q, not compounded."""
    return e.metrics.alpha


@measured("Correlation", RATIO)
def correlation(e: Evidence) -> float | None:
    """Pearson correlation with the benchmark's returns."""
    return e.metrics.correlation


@measured("R squared", FRACTION)
def r_squared(e: Evidence) -> float | None:
    """Square of the correlation: share of variance that the benchmark explains."""
    return None if e.metrics.correlation is None else e.metrics.correlation**2


@measured("Tracking error", FRACTION)
def tracking_error(e: Evidence) -> float | None:
    """Standard deviation (ddof 1) of return differences to the benchmark, times sqrt(q)."""
    return e.metrics.tracking_error


@measured("Information ratio", RATIO, "Grinold and Kahn (2000)")
def information_ratio(e: Evidence) -> float | None:
    """Mean return difference times q over the tracking error: annualised."""
    return e.metrics.information_ratio


@measured("Treynor", FRACTION, "Treynor (1965)")
def treynor(e: Evidence) -> float | None:
    """Mean excess return times q over beta; None for a beta of zero."""
    if e.excess is None or not e.metrics.beta:
        return None
    return float(np.mean(e.excess)) * e.periods_per_year / e.metrics.beta


@measured("Up capture", RATIO, "Morningstar")
def up_capture(e: Evidence) -> float | None:
    """Geometric mean return over the benchmark's, both on bars on which the benchmark gains."""
    return None if e.market is None else _capture(e, e.market > 0.0)


@measured("Down capture", RATIO, "Morningstar")
def down_capture(e: Evidence) -> float | None:
    """Geometric mean return over the benchmark's, both on bars on which the benchmark loses."""
    return None if e.market is None else _capture(e, e.market < 0.0)


@measured("Capture ratio", RATIO, "Morningstar")
def capture_ratio(e: Evidence) -> float | None:
    """Up capture over down capture; None where the latter is not positive."""
    up, down = up_capture(e), down_capture(e)
    return up / down if up is not None and down is not None and down > 0.0 else None


@measured("Excess growth", FRACTION)
def excess_growth(e: Evidence) -> float | None:
    """CAGR by bars less the benchmark's; None where either is beyond any number."""
    if e.metrics.cagr is None or e.market is None:
        return None
    market = compounded(float(np.mean(np.log1p(e.market))) * e.periods_per_year)
    return None if market is None else e.metrics.cagr - market


def _capture(e: Evidence, bars: BoolArray) -> float | None:
    if e.returns is None or e.market is None or not bars.any():
        return None
    market = math.expm1(float(np.mean(np.log1p(e.market[bars]))))
    return math.expm1(float(np.mean(np.log1p(e.returns[bars])))) / market if market != 0.0 else None


MEASURES: tuple[Measure, ...] = (
    beta, alpha, correlation, r_squared, tracking_error, information_ratio, treynor, up_capture, down_capture,
    capture_ratio, excess_growth,
)  # fmt: skip
