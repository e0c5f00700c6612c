"""Performance metrics of an equity curve, each with one stated convention.

Returns are simple, from the initial equity on, so a loss on the first bar counts. What is undefined is None
(constant returns, fewer than two returns, ruin), never infinite and never NaN. It does not know orders, fills
or strategies.
"""

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np

from nt_ray.errors import BadInputError
from nt_ray.risk.historical import historical_es, historical_var
from nt_ray.types import FloatArray, IntArray

TAIL = 0.95
"""Confidence of the value at risk and expected shortfall in `Metrics`."""

CONSTANT = 1e-12
"""A deviation of returns below this is rounding of a constant series."""


class MetricsError(BadInputError):
    """An equity curve that cannot be measured."""

    code = "metrics"


@dataclass(frozen=True, slots=True)
class Metrics:
    """Metrics of one equity curve of n returns, q periods a year. None is undefined."""

    periods: int
    """n, the number of returns."""
    periods_per_year: float
    """q, for annualisation."""
    total_return: float
    """V_n / V_0 - 1."""
    cagr: float | None
    """(V_n / V_0)^(q/n) - 1: compound growth by bars, not by calendar days."""
    volatility: float | None
    """Standard deviation of returns (ddof 1) times sqrt(q)."""
    sharpe: float | None
    """Mean excess return over its standard deviation (ddof 1), times sqrt(q)."""
    sortino: float | None
    """Mean excess return times sqrt(q) over the root mean square of min(r, 0) across all n returns."""
    max_drawdown: float
    """Lowest V_t / max(V_0..V_t) - 1; zero or negative, the initial equity included."""
    drawdown_peak: int | None
    """Index in the equity array of the peak before the deepest drawdown; None without a drawdown."""
    drawdown_trough: int | None
    """Index of its lowest point."""
    drawdown_recovery: int | None
    """Index at which the peak was reached again; None where it was not."""
    drawdown_length: int
    """Bars from that peak to the recovery, or to the end."""
    calmar: float | None
    """CAGR over the size of the deepest drawdown, both over the whole history."""
    skew: float | None
    """Third standardised moment of returns, population form (biased)."""
    excess_kurtosis: float | None
    """Fourth standardised moment less 3, population form (biased)."""
    best: float | None
    """Largest return of one bar."""
    worst: float | None
    """Smallest return of one bar."""
    positive_share: float | None
    """Share of returns above zero among all n."""
    var_95: float | None
    """Historical value at risk of one bar at 95 %, a positive loss (`nt_ray.risk.historical`)."""
    es_95: float | None
    """Historical expected shortfall of one bar at 95 %, a positive loss."""
    beta: float | None = None
    """Covariance with the benchmark's excess returns over their variance (same ddof)."""
    alpha: float | None = None
    """Jensen's: (mean excess return - beta * benchmark's) times q, not compounded."""
    correlation: float | None = None
    """Pearson correlation with the benchmark's returns."""
    tracking_error: float | None = None
    """Standard deviation (ddof 1) of the return differences to the benchmark, times sqrt(q)."""
    information_ratio: float | None = None
    """Mean return difference times q over the tracking error."""


LARGEST_EXPONENT: Final = 700.0


@dataclass(frozen=True, slots=True)
class Drawdown:
    """One fall from a peak: times of peak, trough and recovery (None while under water), and bars in all."""

    depth: float
    peak: datetime
    trough: datetime
    recovery: datetime | None
    length: int


@dataclass(frozen=True, slots=True)
class MonthlyReturn:
    """Return of one calendar month, UTC."""

    year: int
    month: int
    value: float


def measure(
    equity: FloatArray,
    periods_per_year: float,
    *,
    risk_free: float = 0.0,
    benchmark: FloatArray | None = None,
) -> Metrics:
    """Measure an equity curve.

    Parameters
    ----------
    equity
        (T+1,) equity, the initial equity first; NaN is an error.
    periods_per_year
        Bars in a year.
    risk_free
        Annual rate; (1 + rate)^(1/q) - 1 is taken from each return.
    benchmark
        (T+1,) values of the benchmark at the same times, in any unit.
    """
    equity = _checked(equity, "equity")
    if not (math.isfinite(periods_per_year) and periods_per_year > 0.0):
        raise MetricsError(f"periods_per_year = {periods_per_year} is not positive. Give bars a year, such as 252.")
    if not (math.isfinite(risk_free) and risk_free > -1.0):
        raise MetricsError(f"risk_free = {risk_free} is no annual rate. Give a fraction such as 0.02.")
    episodes = _episodes(equity)
    deepest = min(episodes, key=lambda e: e.depth, default=None)
    returns = _returns(equity)
    return Metrics(
        periods=len(equity) - 1,
        periods_per_year=float(periods_per_year),
        total_return=float(equity[-1] / equity[0] - 1.0),
        max_drawdown=deepest.depth if deepest else 0.0,
        drawdown_peak=deepest.peak if deepest else None,
        drawdown_trough=deepest.trough if deepest else None,
        drawdown_recovery=deepest.recovery if deepest else None,
        drawdown_length=deepest.length if deepest else 0,
        **_growth(equity, returns, periods_per_year, deepest.depth if deepest else 0.0),
        **_ratios(returns, periods_per_year, risk_free),
        **_shape(returns),
        **_against(returns, benchmark, len(equity), periods_per_year, risk_free),
    )


def drawdowns(equity: FloatArray) -> FloatArray:
    """Drawdown at each point, V_t / max(V_0..V_t) - 1, same shape, zero or negative."""
    equity = _checked(equity, "equity")
    return equity / np.maximum.accumulate(equity) - 1.0


def monthly_returns(times: IntArray, equity: FloatArray) -> tuple[MonthlyReturn, ...]:
    """Returns by calendar month, oldest first; the first starts at the initial equity.

    Parameters
    ----------
    times
        (T,) nanoseconds since the epoch, UTC, increasing.
    equity
        (T+1,) equity, the initial equity first. A month that starts at or below zero ends the list.
    """
    equity = _timed(times, equity)
    months = np.asarray(times, dtype="datetime64[ns]").astype("datetime64[M]").astype(np.int64)
    last = np.flatnonzero(np.append(np.diff(months) != 0, values=True))
    found = []
    start = float(equity[0])
    for row in last:
        if start <= 0.0:
            break
        end = float(equity[row + 1])
        year, month = divmod(int(months[row]), 12)
        found.append(MonthlyReturn(1970 + year, month + 1, end / start - 1.0))
        start = end
    return tuple(found)


def drawdown_table(times: IntArray, equity: FloatArray, top: int = 5) -> tuple[Drawdown, ...]:
    """List the deepest drawdowns, deepest first.

    Parameters
    ----------
    times
        (T,) nanoseconds since the epoch, UTC, increasing. A peak at the initial equity bears the first time.
    equity
        (T+1,) equity, the initial equity first.
    top
        How many at most.
    """
    equity = _timed(times, equity)

    def moment(index: int) -> datetime:
        return datetime.fromtimestamp(int(times[max(index - 1, 0)]) // 1_000_000_000, tz=UTC)

    ranked = sorted(_episodes(equity), key=lambda e: e.depth)[: max(top, 0)]
    return tuple(
        Drawdown(
            e.depth,
            moment(e.peak),
            moment(e.trough),
            moment(e.recovery) if e.recovery is not None else None,
            e.length,
        )
        for e in ranked
    )


@dataclass(frozen=True, slots=True)
class _Episode:
    """A drawdown by index in the equity array."""

    depth: float
    peak: int
    trough: int
    recovery: int | None
    length: int


def _episodes(equity: FloatArray) -> list[_Episode]:
    depth = equity / np.maximum.accumulate(equity) - 1.0
    edges = np.diff(np.concatenate(([0], (depth < 0.0).astype(np.int8), [0])))
    found = []
    for first, after in zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True):
        peak, end = int(first) - 1, int(after)
        recovery = end if end < len(equity) else None
        length = (recovery if recovery is not None else len(equity) - 1) - peak
        trough = int(first) + int(np.argmin(depth[first:after]))
        found.append(_Episode(float(depth[trough]), peak, trough, recovery, length))
    return found


def _checked(equity: FloatArray, name: str) -> FloatArray:
    equity = np.asarray(equity, dtype=np.float64)
    if equity.ndim != 1 or equity.size == 0:
        raise MetricsError(f"The {name} has shape {equity.shape}. Give one series, its first value first.")
    finite = np.isfinite(equity)
    if not finite.all():
        at = int(np.argmin(finite))
        raise MetricsError(f"The {name} at index {at} is {equity[at]}. Give finite values.")
    if equity[0] <= 0.0:
        raise MetricsError(f"The {name} starts at {equity[0]:g}. Start above zero.")
    return equity


def _timed(times: IntArray, equity: FloatArray) -> FloatArray:
    equity = _checked(equity, "equity")
    if len(equity) != len(times) + 1 or len(times) == 0:
        raise MetricsError(
            f"{len(times)} times stand beside {len(equity)} equity values. "
            "Give the initial equity and one for each time."
        )
    return equity


def _returns(equity: FloatArray) -> FloatArray | None:
    """Simple returns; None where they say nothing (fewer than two, or ruin)."""
    if len(equity) < 3 or float(np.min(equity)) <= 0.0:
        return None
    return equity[1:] / equity[:-1] - 1.0


def _deviation(values: FloatArray) -> float | None:
    deviation = float(np.std(values, ddof=1))
    return deviation if deviation > CONSTANT else None


def _period_rate(annual: float, q: float) -> float:
    return float((1.0 + annual) ** (1.0 / q) - 1.0)


def compounded(exponent: float) -> float | None:
    """Return of a sum of log returns; None where it compounds to more than a float holds."""
    return math.expm1(exponent) if exponent < LARGEST_EXPONENT else None


def _growth(equity: FloatArray, returns: FloatArray | None, q: float, depth: float) -> dict[str, float | None]:
    if returns is None:
        return {"cagr": None, "calmar": None}
    exponent = math.log(equity[-1] / equity[0]) * q / len(returns)
    cagr = compounded(exponent)
    return {"cagr": cagr, "calmar": cagr / -depth if cagr is not None and depth < 0.0 else None}


def _ratios(returns: FloatArray | None, q: float, risk_free: float) -> dict[str, float | None]:
    if returns is None:
        return {"volatility": None, "sharpe": None, "sortino": None}
    deviation = _deviation(returns)
    mean = float(np.mean(returns)) - _period_rate(risk_free, q)
    downside = math.sqrt(float(np.mean(np.minimum(returns, 0.0) ** 2)))
    return {
        "volatility": (deviation or 0.0) * math.sqrt(q),
        "sharpe": mean / deviation * math.sqrt(q) if deviation is not None else None,
        "sortino": mean / downside * math.sqrt(q) if downside > CONSTANT else None,
    }


def _shape(returns: FloatArray | None) -> dict[str, float | None]:
    names = ("skew", "excess_kurtosis", "best", "worst", "positive_share", "var_95", "es_95")
    if returns is None:
        return dict.fromkeys(names)
    skew = kurtosis = None
    if _deviation(returns) is not None:
        scores = (returns - np.mean(returns)) / np.std(returns)
        # Products, since a general power is far slower and searches measure thousands of curves.
        squares = scores * scores
        skew, kurtosis = float(np.mean(squares * scores)), float(np.mean(squares * squares)) - 3.0
    return {
        "skew": skew,
        "excess_kurtosis": kurtosis,
        "best": float(np.max(returns)),
        "worst": float(np.min(returns)),
        "positive_share": float(np.mean(returns > 0.0)),
        "var_95": historical_var(returns, TAIL),
        "es_95": historical_es(returns, TAIL),
    }


def _against(
    returns: FloatArray | None, benchmark: FloatArray | None, length: int, q: float, risk_free: float
) -> dict[str, float | None]:
    if benchmark is None:
        return {}
    benchmark = _checked(benchmark, "benchmark")
    if len(benchmark) != length:
        raise MetricsError(
            f"The benchmark has {len(benchmark)} values and the equity {length}. Give both at the same times."
        )
    other = _returns(benchmark)
    if returns is None or other is None:
        return {}
    rate = _period_rate(risk_free, q)
    own, market = _deviation(returns), _deviation(other)
    difference = returns - other
    tracking = _deviation(difference)
    result: dict[str, float | None] = {"tracking_error": (tracking or 0.0) * math.sqrt(q)}
    if tracking is not None:
        result["information_ratio"] = float(np.mean(difference)) / tracking * math.sqrt(q)
    if market is not None:
        covariance = float(np.cov(returns, other, ddof=1)[0, 1])
        beta = covariance / market**2
        result["beta"] = beta
        result["alpha"] = (float(np.mean(returns)) - rate - beta * (float(np.mean(other)) - rate)) * q
        if own is not None:
            result["correlation"] = covariance / (own * market)
    return result
