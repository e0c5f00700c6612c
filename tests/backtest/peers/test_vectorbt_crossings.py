"""Crossings filled at the close that makes them, as vectorbt fills them; and who is right on an exact tie."""

import json
from decimal import ROUND_HALF_UP, Decimal
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numba import njit

from nt_ray.backtest.event.market import Market, Terms
from nt_ray.backtest.event.python_strategy import Context, PythonStrategy
from nt_ray.backtest.event.result import EventResult
from nt_ray.backtest.event.simulate import simulate_orders, simulate_python
from nt_ray.backtest.look_ahead import votes
from nt_ray.brokers.simulated.matching import Costs
from nt_ray.brokers.simulated.tables import FILL_FEE, FILL_LOTS, FILL_ROW, FILL_SIDE, FILL_TICKS
from nt_ray.market.bars import CLOSE, BarPanel, Instrument
from nt_ray.strategies.base import Parameter
from nt_ray.strategies.order_step import ACCOUNT_CASH, ORDER_STEP_SIGNATURE, OrderStrategy, market
from nt_ray.strategies.registry import find
from nt_ray.types import QUANTA_PER_UNIT, FloatArray, IntArray

CASH = Decimal(10_000)
FAST, SLOW, UNITS = 10, 20, 10
QUANTA_PER_CENT = QUANTA_PER_UNIT // 100
RECORD = Path(__file__).parent / "recorded" / "vectorbt.json"


@njit(ORDER_STEP_SIGNATURE)
def act(
    state: FloatArray,
    bar: FloatArray,
    ticks: IntArray,
    params: FloatArray,
    lots: IntArray,
    account: IntArray,
    orders: IntArray,
    requests: IntArray,
) -> int:
    """Go where the signal of this bar points: with so many units, or with 0 all that the account pays for."""
    units, both, ppm, signal = np.int64(params[0]), params[1] > 0, np.int64(params[2]), np.int64(bar[0, 5])
    if signal == 0 or (signal > 0 and lots[0] > 0):
        return 0
    cents = account[ACCOUNT_CASH] // QUANTA_PER_CENT + lots[0] * ticks[0, CLOSE]
    most = units if units > 0 else cents * 1_000_000 // (ticks[0, CLOSE] * (1_000_000 + ppm))
    return int(market(requests, 0, 0, (signal * most if signal > 0 or both else 0) - lots[0]))


STRATEGY = OrderStrategy(
    "signals",
    "Act on signals.",
    (
        Parameter("units", 0.0, 0.0, 1e6, "Units of an entry; 0: all that the account pays for."),
        Parameter("both", 0.0, 0.0, 1.0, "Whether it goes short, too."),
        Parameter("ppm", 0.0, 0.0, 1e6, "Commission that sizing leaves room for."),
    ),
    lambda _: 0,
    act,
)
PARAMS = {
    "fixed units, free": [UNITS, 0, 0],
    "fixed units": [UNITS, 0, 2000],
    "all in": [0, 0, 2000],
    "all in, both ways": [0, 1, 0],
}


def differences(closes: list[int]) -> list[int]:
    """Fast mean less slow mean, exactly, in 1 / `SLOW` cents; 0 before there is one."""
    values = [0] * (SLOW - 1)
    for end in range(SLOW, len(closes) + 1):
        values.append(SLOW // FAST * sum(closes[end - FAST : end]) - sum(closes[end - SLOW : end]))
    return values


def crossings(sides: list[int], side: int) -> list[int]:
    """Rows on which a side is entered, from the other or from equality, once the other has been seen."""
    rows, seen = [], False
    for row, (before, now) in enumerate(pairwise(sides), 1):
        seen = seen or before * side < 0
        if seen and before * side <= 0 < now * side:
            rows.append(row)
    return rows


def signalled(bars: BarPanel, above: list[int], below: list[int]) -> BarPanel:
    signal = np.zeros((len(bars), 1))
    signal[above] = 1.0
    signal[below] = -1.0
    return bars.with_field("signal", signal)


def simulated(bars: BarPanel, params: list[float]) -> EventResult:
    costs = Costs(commission_bps=Decimal(params[2]) / 100, slippage_bps=Decimal(0), volume_share=Decimal(1))
    market_rules = Market(terms=Terms(costs=costs), same_close=True)
    return simulate_orders(bars, STRATEGY, np.array(params, dtype=float), market=market_rules, initial_cash=CASH)


def orders_of(result: EventResult) -> list[tuple[int, int, int]]:
    """Row, signed units and price in cents of each fill."""
    return [(f[FILL_ROW], f[FILL_SIDE] * f[FILL_LOTS], f[FILL_TICKS]) for f in result.fills.tolist()]


def recorded_orders(run: dict[str, Any]) -> list[tuple[int, int, int]]:
    return [(row, int(size), round(price * 100)) for row, size, price, _ in run["orders"]]


@pytest.fixture(scope="module")
def record() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(RECORD.read_text())
    return content


@pytest.fixture(scope="module")
def plain(goog: BarPanel) -> BarPanel:
    return BarPanel(goog.instruments, goog.timestamps, np.ascontiguousarray(goog.values[:, :, :5]))


@pytest.fixture(scope="module")
def ties(record: dict[str, Any]) -> BarPanel:
    closes = np.array(record["ties"], dtype=float) / 100
    values = np.repeat(closes[:, None, None], 5, axis=2)
    values[:, :, 4] = 1e6
    return BarPanel((Instrument("TIES", Decimal("0.01")),), np.arange(len(closes), dtype=np.int64), values)


@pytest.mark.parametrize("name", PARAMS)
def test_crossings_on_real_bars_give_the_same_orders_and_equity(
    name: str, plain: BarPanel, record: dict[str, Any]
) -> None:
    run = record["runs"][name]
    sides = differences(np.rint(plain.closes[:, 0] * 100).astype(int).tolist())
    assert 0 not in sides[SLOW - 1 :]
    above, below = crossings(sides, 1), crossings(sides, -1)
    assert (above, below) == (run["above"], run["below"])
    result = simulated(signalled(plain, above, below), PARAMS[name])
    assert orders_of(result) == recorded_orders(run)
    rounding = [Decimal(0)] * len(plain)
    for fill, (row, size, price, fee) in zip(result.fills.tolist(), run["orders"], strict=True):
        exact = abs(Decimal(size)) * Decimal(str(price)) * PARAMS[name][2] / 1_000_000
        # The record has six decimals.
        assert abs(exact - Decimal(str(fee))) < Decimal("0.000001")
        rounded = exact.quantize(Decimal("0.01"), ROUND_HALF_UP)
        assert Decimal(fill[FILL_FEE]) / QUANTA_PER_UNIT == rounded
        rounding[row] += rounded - exact
    for mine, theirs, gone in zip(result.equity_quanta.tolist(), run["equity"], accumulate(rounding), strict=True):
        assert abs(Decimal(mine) / QUANTA_PER_UNIT + gone - Decimal(str(theirs))) < Decimal("0.000002")
    assert any(rounding) == (PARAMS[name][2] > 0)


@pytest.mark.parametrize("engine", ["numba", "rust"])
def test_its_engines_leave_the_exact_crossings_on_exact_ties_alone(
    engine: str, ties: BarPanel, record: dict[str, Any]
) -> None:
    run = record["runs"][f"ties, {engine}"]
    sides = differences(record["ties"])
    for side, found in ((1, run["above"]), (-1, run["below"])):
        different = set(crossings(sides, side)) ^ set(found)
        assert different
        assert all(sides[row] == 0 or sides[row - 1] == 0 for row in different)
    # From the peer's own signals come the peer's own orders.
    result = simulated(signalled(ties, run["above"], run["below"]), PARAMS["fixed units, free"])
    assert orders_of(result) == recorded_orders(run)
    assert [Decimal(q) / QUANTA_PER_UNIT for q in result.equity_quanta.tolist()] == [
        Decimal(str(e)) for e in run["equity"]
    ]


def test_the_strategy_of_this_house_takes_equal_means_for_equal(ties: BarPanel, record: dict[str, Any]) -> None:
    cross = find("sma_cross")
    targets = votes(cross, cross.vector({"fast": FAST, "slow": SLOW, "short": 1}), ties)["target of TIES"]
    sides = differences(record["ties"])
    assert sides[SLOW - 1 :].count(0) > 40
    held = 0
    for row, side in enumerate(sides):
        held = held if side == 0 else 1 if side > 0 else -1
        assert targets[row] == held


def test_its_two_engines_differ_from_each_other(record: dict[str, Any]) -> None:
    first, second = record["runs"]["ties, numba"], record["runs"]["ties, rust"]
    assert first["above"] != second["above"]
    assert first["equity"][-1] != second["equity"][-1]


class Corners(PythonStrategy):
    """A bracket five below and above the close of every third bar."""

    def on_bar(self, context: Context) -> None:
        """Enter."""
        if context.row % 3 == 1:
            context.bracket("X", UNITS, profit=105, loss=95)


def test_a_bracket_is_worked_alike_but_where_the_open_is_beyond_the_profit(record: dict[str, Any]) -> None:
    run = record["runs"]["corners"]
    prices = np.array(run["bars"], dtype=float)
    values = np.concatenate((prices, np.full((len(prices), 1), 1e6)), axis=1)[:, None, :]
    bars = BarPanel((Instrument("X", Decimal("0.01")),), np.arange(len(prices), dtype=np.int64), values)
    free = Terms(costs=Costs(commission_bps=Decimal(0), slippage_bps=Decimal(0), volume_share=Decimal(1)))
    result = simulate_python(bars, Corners(), market=Market(terms=free, same_close=True), initial_cash=CASH)
    expected = recorded_orders(run)
    assert expected[3] == (5, -UNITS, 9_500)
    expected[3] = (5, -UNITS, 10_700)
    assert orders_of(result) == expected
