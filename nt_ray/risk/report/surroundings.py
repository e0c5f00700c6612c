"""The market around a portfolio: how its assets move together, and in which regime of volatility it is."""

import math
from dataclasses import dataclass

import numpy as np

from nt_ray.errors import RiskError
from nt_ray.portfolio.correlation import average, rolling, shrunk
from nt_ray.portfolio.dependence import tail_dependence
from nt_ray.portfolio.regimes import fit_regimes
from nt_ray.types import FloatArray

RECENT = 60
TAIL = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependence:
    """Correlations (N, N) drawn towards zero, and the share of worst periods that assets have in common."""

    symbols: tuple[str, ...]
    correlation: tuple[tuple[float, ...], ...]
    tail: tuple[tuple[float, ...], ...]
    """Share of an asset's worst 5 % of periods that are among the other's; 0.05 where they are independent."""
    average: float
    recent_average: float | None
    """Of the latest 60 periods, not shrunk; None where an asset did not move in them, or there are fewer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Regime:
    """Two regimes of the portfolio's own returns, the calm one first."""

    volatilities: tuple[float, ...]
    """A year, as fractions."""
    chances: tuple[float, ...]
    """Of being in each now, given the past alone."""
    durations: tuple[float, ...]
    """Periods that each lasts on average."""
    now: str
    """calm or wild, whichever is likelier."""


def dependence(symbols: tuple[str, ...], returns: FloatArray) -> Dependence:
    """Describe how assets of returns (T, N) move together, for two assets or more."""
    if len(symbols) < 2:
        raise RiskError(f"One position, {symbols[0]}, has nothing to be correlated with. Look at its own figures.")
    matrix = shrunk(returns)
    recent = float(average(rolling(returns[-RECENT:], RECENT))[-1]) if len(returns) >= RECENT else math.nan
    return Dependence(
        symbols=symbols,
        correlation=_rows(matrix),
        tail=_rows(tail_dependence(returns, quantile=TAIL)),
        average=float(average(matrix)),
        recent_average=recent if math.isfinite(recent) else None,
    )


def regime(portfolio: FloatArray, periods_per_year: float, seed: int) -> Regime:
    """Fit two regimes to the returns (T,) of a portfolio and say in which it is."""
    model = fit_regimes(portfolio, states=2, seed=seed)
    chances = model.filter(portfolio[:, None])[-1]
    return Regime(
        volatilities=tuple((model.volatilities[:, 0] * math.sqrt(periods_per_year)).tolist()),
        chances=tuple(chances.tolist()),
        durations=tuple(model.durations.tolist()),
        now=("calm", "wild")[int(np.argmax(chances))],
    )


def _rows(matrix: FloatArray) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in matrix.tolist())
