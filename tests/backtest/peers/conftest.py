"""What the comparisons share: the bars, the records, and both engines' trades as whole cents."""

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nt_ray.backtest.event.market import Market, Terms
from nt_ray.backtest.event.python_strategy import PythonStrategy
from nt_ray.backtest.event.result import EventResult
from nt_ray.backtest.event.simulate import simulate_orders, simulate_python
from nt_ray.brokers.simulated.matching import Costs
from nt_ray.brokers.simulated.tables import FILL_FEE, FILL_LOTS, FILL_ROW, FILL_SIDE, FILL_TICKS
from nt_ray.market.bars import OPEN, BarPanel, Instrument
from nt_ray.strategies.order_step import OrderStrategy
from nt_ray.types import QUANTA_PER_UNIT

HERE = Path(__file__).parent
RECORDED = HERE / "recorded"
QUANTA_PER_CENT = QUANTA_PER_UNIT // 100
PAID_IN_FULL = Terms(
    costs=Costs(commission_bps=Decimal(20), slippage_bps=Decimal(0), volume_share=Decimal(1)),
    initial_margin=Decimal(1),
)
"""0.2 % of each execution, no slippage, nothing borrowed: what both engines are told."""


@dataclass(frozen=True)
class Trade:
    """A position from its entry to its exit; prices and money in whole cents. Open: no exit, nothing earned yet."""

    entry: int
    exit: int | None
    size: int
    entry_price: int
    exit_price: int | None = None
    profit: int | None = None
    costs: int | None = None


def whole_cents(amount: float) -> int:
    """Cents of an amount that is a whole number of them, whatever a float made of it."""
    assert abs(amount * 100 - round(amount * 100)) < 1e-4, amount
    return round(amount * 100)


def recorded_trades(rows: list[list[float]]) -> list[Trade]:
    trades = []
    for entry, left, size, *money in rows:
        exit_row = None if left < 0 else int(left)
        trades.append(Trade(int(entry), exit_row, int(size), *(whole_cents(m) for m in money)))
    return trades


def our_trades(result: EventResult) -> list[Trade]:
    """Fills as trades: the strategies of this folder enter at once and leave at once."""
    trades: list[Trade] = []
    for fill in result.fills.tolist():
        row, size, price = fill[FILL_ROW], fill[FILL_SIDE] * fill[FILL_LOTS], fill[FILL_TICKS]
        fee, remainder = divmod(fill[FILL_FEE], QUANTA_PER_CENT)
        assert remainder == 0
        if not trades or trades[-1].exit is not None:
            trades.append(Trade(row, None, size, price, costs=fee))
            continue
        last = trades[-1]
        assert size == -last.size
        costs = fee + (last.costs or 0)
        gain = last.size * (price - last.entry_price)
        trades[-1] = Trade(last.entry, row, last.size, last.entry_price, price, gain - costs, costs)
    if trades and trades[-1].exit is None:
        last = trades[-1]
        trades[-1] = Trade(last.entry, None, last.size, last.entry_price)
    return trades


def our_equity(result: EventResult) -> list[int]:
    assert not np.any(result.equity_quanta % QUANTA_PER_CENT)
    equity: list[int] = (result.equity_quanta // QUANTA_PER_CENT).tolist()
    return equity


@dataclass(frozen=True)
class Run:
    """Trades and the equity after each bar, whole cents, of either engine."""

    trades: list[Trade]
    equity: list[int]


def panel_of(instrument: Instrument, bars: list[list[str]]) -> BarPanel:
    """Bars of one instrument, with the next bar's open as a further field."""
    days = [datetime.fromisoformat(row[0]).replace(tzinfo=UTC) for row in bars]
    times = np.array([int(day.timestamp()) * 10**9 for day in days], dtype=np.int64)
    values = np.array([[[float(v) for v in row[1:6]]] for row in bars])
    following = np.append(values[1:, :, OPEN], [[np.nan]], axis=0)
    return BarPanel((instrument,), times, values).with_field("next_open", following)


@pytest.fixture(scope="session")
def goog() -> BarPanel:
    """Daily bars of GOOG from 2004-08-19 to 2013-03-01, as they come with backtesting.py; every price whole cents."""
    with (HERE / "goog.csv").open() as file:
        rows = list(csv.reader(file))[1:]
    return panel_of(Instrument("GOOG", Decimal("0.01")), rows)


@pytest.fixture(scope="session")
def backtesting() -> dict[str, Any]:
    """What backtesting.py gave, as it gave it."""
    record: dict[str, Any] = json.loads((RECORDED / "backtesting.json").read_text())
    return record["runs"]  # type: ignore[no-any-return]


@pytest.fixture(scope="session")
def recorded(backtesting: dict[str, Any]) -> Callable[[str], Run]:
    """A run of backtesting.py in whole cents."""
    return lambda name: Run(
        recorded_trades(backtesting[name]["trades"]), [whole_cents(e) for e in backtesting[name]["equity"]]
    )


@pytest.fixture(scope="session")
def simulate(goog: BarPanel) -> Callable[..., Run]:
    """Run a compiled step, or a strategy in plain Python, told what the peer was told."""

    def run(what: Any, state: int, cash: int, *, bars: BarPanel = goog, **rules: Any) -> Run:
        market, money = Market(**{"terms": PAID_IN_FULL} | rules), Decimal(cash)
        if isinstance(what, PythonStrategy):
            result = simulate_python(bars, what, market=market, initial_cash=money)
        else:
            strategy = OrderStrategy("peer", "As it is run on a peer.", (), lambda _: state, what)
            result = simulate_orders(bars, strategy, market=market, initial_cash=money)
        assert result.unexplained == 0
        return Run(our_trades(result), our_equity(result))

    return run
