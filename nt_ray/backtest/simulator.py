"""The compiled backtest: one strategy over one panel, one cash account, to the last quantum.

On each bar, in this order, which the live session keeps too: match the orders of the bar before, in column
order; move cash and mark every position at its last known close; run the strategy; size; order the
differences, to be matched on the next bar. Orders are market DAY orders, so what does not fill expires; none
is sent on the last bar.

Guarantees: whole lots, whole ticks, whole money quanta; equity is cash plus marks on every bar; the matching
and sizing rules are the very functions that the simulated exchange and the session call. There is no buying
power check here: a risk gate stands in the live path only. Knows nothing of orders' ids, journals or venues.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import numpy as np
import polars as pl
from numba import boolean, float64, int64, njit, types, void

from nt_ray.brokers.simulated import matching
from nt_ray.brokers.simulated.matching import UNKNOWN_PRICE, Costs
from nt_ray.errors import BadInputError, StrategyError
from nt_ray.market.bars import CLOSE, VOLUME, BarPanel, last_known
from nt_ray.portfolio.allocation import Allocator
from nt_ray.portfolio.sizing import SizingParams, as_weights, target_lots, volatility_path
from nt_ray.strategies.base import STEP_TYPE, Strategy
from nt_ray.strategies.fault import find_fault, located
from nt_ray.strategies.inputs import input_values
from nt_ray.swarm.messages import TARGET_ONE, WEIGHT_ONE
from nt_ray.types import MONEY_DECIMALS, QUANTA_PER_UNIT, BoolArray, FloatArray, IntArray

ROW, COLUMN, SIDE, LOTS, TICKS, COMMISSION = range(6)
"""Columns of `BacktestResult.executions`."""

LARGEST_QUANTA: Final = 2**62
"""Equity and marks beyond this (46 billion units of currency) are refused: int64 would soon overflow."""

_BAD_TARGET, _BAD_CONFIDENCE, _TOO_LARGE = 1.0, 2.0, 3.0
_FIRST_CAPACITY = 1024


@dataclass(frozen=True, slots=True, eq=False)
class Tape:
    """A panel and its costs as the kernels read them."""

    ticks: IntArray
    """(T, N, 4) open, high, low, close in ticks; -1 unknown."""
    closes: FloatArray
    """(T, N); NaN unknown, as volumes are."""
    volumes: FloatArray
    close_only: BoolArray
    units: IntArray
    """(N,) money quanta of one tick times one lot."""
    lot_sizes: FloatArray
    costs: IntArray
    """(N, 5) `Costs.vector()` of each instrument."""

    @classmethod
    def of(cls, panel: BarPanel, costs: Costs) -> "Tape":
        """Read a panel."""
        return cls(
            panel.ticks(),
            np.array(panel.closes, order="C"),
            np.array(panel.values[:, :, VOLUME], order="C"),
            panel.close_only,
            np.array([i.notional_unit for i in panel.instruments], dtype=np.int64),
            np.array([float(i.quantity_increment) for i in panel.instruments]),
            np.array([costs.vector(i.quantity_increment) for i in panel.instruments], dtype=np.int64),
        )

    def marks(self) -> IntArray:
        """Last known close in ticks, (T, N); -1 before an instrument's first."""
        return last_known(self.ticks[:, :, CLOSE])


@dataclass(frozen=True, slots=True, eq=False)
class BacktestResult:
    """What a backtest leaves. Row t holds what is true after bar t has been matched and marked."""

    panel: BarPanel
    executions: IntArray
    """(F, 6), oldest first: row, column, side, lots (> 0), price in ticks, commission in quanta."""
    equity_quanta: IntArray
    """(T,)."""
    cash_quanta: IntArray
    """(T,)."""
    positions: IntArray
    """(T, N) lots, signed."""

    @property
    def final_equity(self) -> Decimal:
        """Equity after the last bar."""
        return Decimal(int(self.equity_quanta[-1])).scaleb(-MONEY_DECIMALS)

    def fills(self) -> pl.DataFrame:
        """Fills as a table: row, time, symbol, side, lots, quantity, price, commission; exact decimals."""
        rows, columns, sides, lots, ticks, fees = self.executions.T
        traded = [self.panel.instruments[c] for c in columns.tolist()]
        quantities = [i.quantity(n) for i, n in zip(traded, lots.tolist(), strict=True)]
        prices = [i.price(n) for i, n in zip(traded, ticks.tolist(), strict=True)]
        commissions = [Decimal(n).scaleb(-MONEY_DECIMALS) for n in fees.tolist()]
        exact = pl.Decimal(38, _decimals(self.panel))
        return pl.DataFrame(
            {
                "row": rows,
                "time": pl.Series(self.panel.timestamps[rows]).cast(pl.Datetime("ns", "UTC")),
                "symbol": pl.Series([i.symbol for i in traded], dtype=pl.String),
                "side": pl.Series(["buy" if s > 0 else "sell" for s in sides.tolist()], dtype=pl.String),
                "lots": lots,
                "quantity": pl.Series(quantities, dtype=exact),
                "price": pl.Series(prices, dtype=exact),
                "commission": pl.Series(commissions, dtype=exact),
            }
        )


def backtest(
    panel: BarPanel,
    strategy: Strategy,
    params: FloatArray,
    *,
    symbols: Sequence[int] | None = None,
    sizing: SizingParams,
    costs: Costs,
    initial_cash: Decimal,
    allocator: Allocator | None = None,
) -> BacktestResult:
    """Run a strategy over a panel.

    Parameters
    ----------
    panel
        T bars of N instruments.
    strategy
        Its step runs once on each bar for each group of `width` columns, each group with a state of its own.
    params
        `strategy.vector(...)`.
    symbols
        Columns to trade, in order, each once, a multiple of `width`; None takes all.
    sizing, costs
        How decisions become positions, and what trading costs.
    initial_cash
        Units of currency, a whole number of quanta.
    allocator
        Makes weights of all decisions of a bar; without one, or its caps apart, `sizing` alone does.

    Returns
    -------
    `BacktestResult`. A vote of confidence 0 holds the position. Raises `StrategyError` where the strategy
    gives a target outside [-1, 1] or a confidence outside [0, 1], NaN included.
    """
    cash = cash_quanta(initial_cash)
    groups = _groups(panel, strategy, symbols)
    if len(params) != len(strategy.parameters):
        raise StrategyError(
            f"{strategy.name}: {len(params)} parameters given, it has {len(strategy.parameters)}. "
            "Use strategy.vector()."
        )
    params = np.array(params, dtype=np.float64)
    tape = Tape.of(panel, costs)
    volatility = volatility_path(tape.closes, panel.periods_per_year, sizing.volatility_halflife)
    equity, balance = np.zeros(len(panel), dtype=np.int64), np.zeros(len(panel), dtype=np.int64)
    positions = np.zeros(tape.closes.shape, dtype=np.int64)
    failure = np.zeros(4)
    decided = np.full(tape.closes.shape, np.nan)
    values, states = input_values(strategy, panel), np.zeros((len(groups), strategy.state_size(params)))
    with located(lambda: find_fault(strategy, params, panel, groups.tolist())):
        _decide_all(strategy.step, params, states, groups, values, decided, failure)
    # Up to and with the bar of a fault: equity may have become too large before it.
    bars = len(panel) if failure[0] == 0.0 else int(failure[1]) + 1
    if allocator is not None:
        sizing = as_weights(sizing)
        for row in range(bars):
            decided[row] = allocator.weights(row, decided[row])
    executions = _simulate(
        decided, bars, tape.ticks, tape.marks(), tape.volumes, tape.closes, volatility, tape.close_only, tape.units,
        tape.lot_sizes, tape.costs, sizing.vector(), cash, equity, balance, positions, failure,
    )  # fmt: skip
    if failure[0] != 0.0:
        raise _error(panel, strategy, failure)
    return BacktestResult(panel, executions, equity, balance, positions)


def cash_quanta(initial_cash: Decimal) -> int:
    """Opening cash in quanta; raises where it is not positive, not exact or too large."""
    quanta = initial_cash * QUANTA_PER_UNIT if initial_cash.is_finite() else Decimal(0)
    if quanta <= 0 or quanta != quanta.to_integral_value() or quanta >= LARGEST_QUANTA:
        raise BadInputError(
            f"Initial cash {initial_cash} is not usable. Give a positive amount of at most {MONEY_DECIMALS} "
            f"decimals, below {LARGEST_QUANTA // QUANTA_PER_UNIT}."
        )
    return int(quanta)


def _decimals(panel: BarPanel) -> int:
    """Decimals that hold every price, quantity and commission of the panel."""
    increments = [d for i in panel.instruments for d in (i.price_increment, i.quantity_increment)]
    return max(MONEY_DECIMALS, *(-int(d.as_tuple().exponent) for d in increments))


def _groups(panel: BarPanel, strategy: Strategy, symbols: Sequence[int] | None) -> IntArray:
    columns = list(range(len(panel.instruments))) if symbols is None else [int(c) for c in symbols]
    if not columns or len(columns) % strategy.width:
        raise StrategyError(
            f"{strategy.name} looks at {strategy.width} symbols at a time; {len(columns)} are given. "
            f"Give a positive multiple of {strategy.width}."
        )
    unknown = [c for c in columns if not 0 <= c < len(panel.instruments)]
    if unknown or len(set(columns)) != len(columns):
        raise StrategyError(
            f"{strategy.name}: columns {columns} are not distinct columns of the panel. "
            f"Use each of 0 to {len(panel.instruments) - 1} at most once."
        )
    return np.array(columns, dtype=np.int64).reshape(-1, strategy.width)


def _error(panel: BarPanel, strategy: Strategy, failure: FloatArray) -> BadInputError:
    code, row, column, value = failure.tolist()
    when = panel.time(int(row)).isoformat()
    if code == _TOO_LARGE:
        return BadInputError(
            f"{strategy.name}: the account outgrows {LARGEST_QUANTA // QUANTA_PER_UNIT} at {when}. "
            "Use less initial cash."
        )
    what, low = ("target", -1) if code == _BAD_TARGET else ("confidence", 0)
    return StrategyError(
        f"{strategy.name} gave the {what} {value:g} for {panel.symbols[int(column)]} at {when}. "
        f"A {what} must lie in [{low}, 1]."
    )


@njit(
    int64(
        int64, int64[:, :, ::1], float64[:, ::1], boolean[::1], int64[::1], float64[::1], int64[:, ::1],
        int64[::1], int64[::1], int64[::1], int64[:, ::1],
    ),
    cache=True,
    nogil=True,
)  # fmt: skip
def match_bar(
    row: int,
    ticks: IntArray,
    volumes: FloatArray,
    close_only: BoolArray,
    units: IntArray,
    lot_sizes: FloatArray,
    costs: IntArray,
    orders: IntArray,
    lots: IntArray,
    cash: IntArray,
    out: IntArray,
) -> int:
    """Match market orders against a bar in column order; return the number of executions written to `out`.

    `orders` (N,) are signed lots; `lots` (N,) and `cash` (1,) are moved. `out` has room for N rows.
    """
    count = 0
    for c in range(orders.shape[0]):
        if orders[c] == 0:
            continue
        side = 1 if orders[c] > 0 else -1
        price = matching.fill_price(ticks[row, c], close_only[c], side, matching.NO_LIMIT, costs[c])
        if price == UNKNOWN_PRICE:
            continue
        filled = matching.fill_lots(side * orders[c], volumes[row, c], lot_sizes[c], costs[c, 4])
        if filled == 0:
            continue
        notional = price * filled * units[c]
        fee = matching.commission(notional, filled, costs[c])
        cash[0] -= side * notional + fee
        lots[c] += side * filled
        out[count, ROW] = row
        out[count, COLUMN] = c
        out[count, SIDE] = side
        out[count, LOTS] = filled
        out[count, TICKS] = price
        out[count, COMMISSION] = fee
        count += 1
    return count


@njit(int64(int64, int64[::1], int64[::1], int64[::1]), cache=True, nogil=True)
def marked(cash: int, lots: IntArray, marks: IntArray, units: IntArray) -> int:
    """Equity in quanta: cash plus positions at these marks; `LARGEST_QUANTA` where int64 could overflow."""
    equity = cash
    size = abs(float(cash))
    for c in range(lots.shape[0]):
        if lots[c] != 0:
            size += abs(float(lots[c]) * float(marks[c]) * float(units[c]))
            equity += lots[c] * marks[c] * units[c]
    return equity if size < LARGEST_QUANTA else LARGEST_QUANTA


@njit(
    void(
        STEP_TYPE, float64[::1], float64[:, ::1], int64[:, ::1], int64,
        types.Array(float64, 3, "C", readonly=True), float64[::1], float64[::1],
    ),
    cache=True,
    nogil=True,
)  # fmt: skip
def decide(
    step: Any,
    params: FloatArray,
    states: FloatArray,
    groups: IntArray,
    row: int,
    values: FloatArray,
    exposures: FloatArray,
    failure: FloatArray,
) -> None:
    """Run the step of each group on a bar and write its exposures, NaN where it abstains.

    Targets and confidences are rounded to the fixed point in which a swarm's votes travel.
    """
    width = groups.shape[1]
    bar = np.empty((width, values.shape[2]))
    targets = np.zeros(width)
    for g in range(groups.shape[0]):
        for i in range(width):
            bar[i] = values[row, groups[g, i]]
        confidence = step(states[g], bar, params, targets)
        if not 0.0 <= confidence <= 1.0:
            failure[:] = (_BAD_CONFIDENCE, float(row), float(groups[g, 0]), confidence)
            return
        for i in range(width):
            if confidence > 0.0 and not -1.0 <= targets[i] <= 1.0:
                failure[:] = (_BAD_TARGET, float(row), float(groups[g, i]), targets[i])
                return
            held = np.rint(confidence * WEIGHT_ONE) == 0.0
            exposures[groups[g, i]] = np.nan if held else np.rint(targets[i] * TARGET_ONE) / TARGET_ONE


@njit(int64[:, ::1](int64[:, ::1], int64), cache=True, nogil=True)
def with_room(table: IntArray, rows: int) -> IntArray:
    """Return the table itself, or a copy of twice the size where it has fewer rows."""
    if table.shape[0] >= rows:
        return table
    larger = np.zeros((max(2 * table.shape[0], rows), table.shape[1]), dtype=np.int64)
    larger[: table.shape[0]] = table
    return larger


@njit(
    void(
        STEP_TYPE, float64[::1], float64[:, ::1], int64[:, ::1], types.Array(float64, 3, "C", readonly=True),
        float64[:, ::1], float64[::1],
    ),
    cache=True,
    nogil=True,
)  # fmt: skip
def _decide_all(
    step: Any,
    params: FloatArray,
    states: FloatArray,
    groups: IntArray,
    values: FloatArray,
    decided: FloatArray,
    failure: FloatArray,
) -> None:
    """Write the exposures of every bar up to the first fault; no decision depends on what came of an earlier one."""
    for row in range(decided.shape[0]):
        decide(step, params, states, groups, row, values, decided[row], failure)
        if failure[0] != 0.0:
            return


@njit(
    int64[:, ::1](
        float64[:, ::1], int64, int64[:, :, ::1], int64[:, ::1], float64[:, ::1], float64[:, ::1], float64[:, ::1],
        boolean[::1], int64[::1], float64[::1], int64[:, ::1], float64[::1], int64, int64[::1], int64[::1],
        int64[:, ::1], float64[::1],
    ),
    cache=True,
    nogil=True,
)  # fmt: skip
def _simulate(
    exposures: FloatArray,
    bars: int,
    ticks: IntArray,
    marks: IntArray,
    volumes: FloatArray,
    closes: FloatArray,
    volatility: FloatArray,
    close_only: BoolArray,
    units: IntArray,
    lot_sizes: FloatArray,
    costs: IntArray,
    sizing: FloatArray,
    initial_cash: int,
    equity: IntArray,
    balance: IntArray,
    positions: IntArray,
    failure: FloatArray,
) -> IntArray:
    """Trade decided exposures over the first bars; write the last four arguments, return the executions."""
    n = closes.shape[1]
    cash = np.full(1, initial_cash, dtype=np.int64)
    lots, orders = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    executions = np.zeros((_FIRST_CAPACITY, 6), dtype=np.int64)
    count = 0
    for row in range(bars):
        executions = with_room(executions, count + n)
        count += match_bar(
            row, ticks, volumes, close_only, units, lot_sizes, costs, orders, lots, cash, executions[count:]
        )
        equity[row] = marked(cash[0], lots, marks[row], units)
        balance[row] = cash[0]
        positions[row] = lots
        if equity[row] == LARGEST_QUANTA:
            failure[:] = (_TOO_LARGE, float(row), 0.0, 0.0)
        if equity[row] == LARGEST_QUANTA or row == bars - 1:
            break
        orders = target_lots(exposures[row], closes[row], volatility[row], lots, lot_sizes, equity[row], sizing) - lots
    return executions[:count].copy()
