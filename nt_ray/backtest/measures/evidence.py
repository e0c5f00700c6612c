"""What a measure may look at: one account's equity and, where they are known, its benchmark, trades and exposure.

Built once, checked once; derived series are computed when first asked for. Returns are simple and start at the opening
equity. A measure gets None for what is not known or says nothing, and answers None in turn.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nt_ray.backtest.metrics import Metrics, MetricsError, MonthlyReturn, drawdowns, measure, monthly_returns
from nt_ray.backtest.round_trips import excursions, round_trips
from nt_ray.backtest.simulator import LOTS, TICKS, BacktestResult, Tape
from nt_ray.brokers.simulated.matching import Costs
from nt_ray.market.bars import BarPanel
from nt_ray.types import QUANTA_PER_UNIT, FloatArray, IntArray

DAY_NS = 86_400_000_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Trades:
    """Closed round trips and what the account did beside them."""

    profits: FloatArray
    """(R,) result after commissions, in money."""
    returns: FloatArray
    """(R,) result over the notional at entry."""
    holding: FloatArray
    """(R,) bars."""
    adverse: FloatArray
    """(R,) largest adverse excursion over the entry price, zero or more."""
    favourable: FloatArray
    """(R,) largest favourable one."""
    traded: float
    """Sum of all executions' notionals, in money."""
    commission: float
    """Sum of all commissions, in money."""
    gross: FloatArray
    """(T,) sum of position sizes over equity after each bar."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """One account over T bars."""

    times: IntArray
    """(T,) nanoseconds since the epoch, UTC."""
    equity: FloatArray
    """(T+1,), the opening first."""
    periods_per_year: float
    risk_free: float = 0.0
    """Annual rate."""
    benchmark: FloatArray | None = None
    """(T+1,) values at the same times."""
    trades: Trades | None = None

    def __post_init__(self) -> None:
        if len(self.equity) != len(self.times) + 1 or len(self.times) == 0:
            raise MetricsError(
                f"{len(self.times)} times stand beside {len(self.equity)} equity values. "
                "Give the opening equity and one for each time."
            )

    @cached_property
    def metrics(self) -> Metrics:
        """The metrics that every report shows; also checks the evidence."""
        return measure(self.equity, self.periods_per_year, risk_free=self.risk_free, benchmark=self.benchmark)

    @cached_property
    def returns(self) -> FloatArray | None:
        """(T,) simple returns; None for fewer than two or after ruin."""
        return _returns(self.equity)

    @cached_property
    def excess(self) -> FloatArray | None:
        """(T,) returns less the risk-free rate of a bar, (1 + rate)^(1/q) - 1."""
        return None if self.returns is None else self.returns - self.bar_rate

    @cached_property
    def market(self) -> FloatArray | None:
        """(T,) returns of the benchmark."""
        return None if self.benchmark is None else _returns(self.benchmark)

    @cached_property
    def bar_rate(self) -> float:
        """Risk-free rate of a bar."""
        return float((1.0 + self.risk_free) ** (1.0 / self.periods_per_year) - 1.0)

    @cached_property
    def drawdown(self) -> FloatArray:
        """(T,) drawdown after each bar, zero or negative."""
        return drawdowns(self.equity)[1:]

    @cached_property
    def months(self) -> tuple[MonthlyReturn, ...]:
        """Returns of calendar months, UTC."""
        return monthly_returns(self.times, self.equity)

    @cached_property
    def years(self) -> float:
        """Calendar years of 365.25 days from the first bar to the last, and one average bar before it."""
        if len(self.times) < 2:
            return 0.0
        span = float(self.times[-1] - self.times[0])
        return span * len(self.times) / (len(self.times) - 1) / (365.25 * DAY_NS)

    def growth_since(self, moment: int) -> float | None:
        """Return from the last equity before a time (nanoseconds) to the end; None where it is not above zero."""
        start = float(self.equity[int(np.searchsorted(self.times, moment))])
        return float(self.equity[-1]) / start - 1.0 if start > 0.0 else None

    def by_period(self, unit: str) -> FloatArray:
        """Compounded returns of calendar days ("D"), months ("M") or years ("Y"), UTC; until ruin."""
        periods = self.times.astype("datetime64[ns]").astype(f"datetime64[{unit}]").astype(np.int64)
        last = np.flatnonzero(np.append(np.diff(periods) != 0, values=True))
        values = np.concatenate((self.equity[:1], self.equity[1:][last]))
        ruined = np.flatnonzero(values <= 0.0)
        values = values[: int(ruined[0]) + 1] if len(ruined) else values
        result: FloatArray = values[1:] / values[:-1] - 1.0
        return result


def evidence_of(
    panel: BarPanel,
    equity_quanta: IntArray,
    positions: IntArray,
    executions: IntArray,
    *,
    first: int,
    opening_quanta: int,
    costs: Costs,
    risk_free: float = 0.0,
    benchmark: FloatArray | None = None,
) -> Evidence:
    """Evidence of an account that traded rows `first` .. `first` + T - 1 of a panel.

    Parameters
    ----------
    equity_quanta, positions
        (T,) and (T, N), after each row.
    executions
        (F, 6), rows of the panel.
    benchmark
        (T+1,) values, its opening first.
    """
    tape = Tape.of(panel, costs)
    rows = slice(first, first + len(equity_quanta))
    trips = round_trips(executions, tape.units).closed
    adverse, favourable = excursions(trips, panel)
    marks = np.maximum(tape.marks()[rows], 0)
    sizes = (np.abs(positions) * marks * tape.units).sum(axis=1).astype(np.float64)
    gross = np.divide(sizes, equity_quanta, out=np.zeros_like(sizes), where=equity_quanta > 0)
    notional = executions[:, LOTS] * executions[:, TICKS] * tape.units[executions[:, 1]]
    trades = Trades(
        profits=trips.profit_quanta / QUANTA_PER_UNIT,
        returns=trips.returns,
        holding=trips.holding.astype(np.float64),
        adverse=adverse,
        favourable=favourable,
        traded=float(np.sum(notional / QUANTA_PER_UNIT)),
        commission=float(np.sum(executions[:, 5] / QUANTA_PER_UNIT)),
        gross=gross,
    )
    equity = np.concatenate(([opening_quanta], equity_quanta)) / QUANTA_PER_UNIT
    return Evidence(panel.timestamps[rows], equity, panel.periods_per_year, risk_free, benchmark, trades)


def evidence_of_backtest(
    result: BacktestResult,
    opening_quanta: int,
    costs: Costs,
    *,
    risk_free: float = 0.0,
    benchmark: FloatArray | None = None,
) -> Evidence:
    """Evidence of a backtest; `benchmark` (T+1,) with its opening first."""
    return evidence_of(
        result.panel,
        result.equity_quanta,
        result.positions,
        result.executions,
        first=0,
        opening_quanta=opening_quanta,
        costs=costs,
        risk_free=risk_free,
        benchmark=benchmark,
    )


def _returns(values: FloatArray) -> FloatArray | None:
    if len(values) < 3 or not math.isfinite(float(np.sum(values))) or float(np.min(values)) <= 0.0:
        return None
    result: FloatArray = values[1:] / values[:-1] - 1.0
    return result
