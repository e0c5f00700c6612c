from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from nt_ray.backtest.event.market import FeeTier, Market, Terms
from nt_ray.backtest.event.python_strategy import Context, PythonStrategy
from nt_ray.backtest.event.result import EventResult
from nt_ray.backtest.event.simulate import simulate_exposures, simulate_orders, simulate_python
from nt_ray.backtest.simulator import backtest
from nt_ray.brokers.simulated.matching import Costs
from nt_ray.brokers.simulated.money import share_of
from nt_ray.errors import BadInputError, StrategyError
from nt_ray.market.bars import CLOSE, BarPanel, Instrument
from nt_ray.portfolio.sizing import SizingParams
from nt_ray.strategies.base import Parameter
from nt_ray.strategies.order_step import ORDER_STEP_SIGNATURE, OrderStrategy, bracket, market
from nt_ray.strategies.registry import find
from nt_ray.types import FloatArray, IntArray

DAY = 86_400_000_000_000
NAN = float("nan")
FREE = Costs(Decimal(0), Decimal(0), Decimal(0), Decimal(0), Decimal(1))


def panel_of(*prices: list[float], **changes: Any) -> BarPanel:
    """Bars without a range, one instrument for each list."""
    closes = np.array(prices, dtype=np.float64).T
    values = np.repeat(closes[:, :, None], 5, axis=2)
    values[:, :, 4] = NAN
    instruments = tuple(Instrument(f"S{i}", Decimal("0.01"), **changes) for i in range(len(prices)))
    return BarPanel(instruments, DAY * np.arange(1, len(closes) + 1), np.ascontiguousarray(values), 100.0)


class Trades(PythonStrategy):
    """Market orders by row."""

    def __init__(self, orders: dict[int, int]) -> None:
        self.orders = orders

    def on_bar(self, context: Context) -> None:
        if context.row in self.orders:
            context.order("S0", self.orders[context.row])


def trade(prices: list[float], orders: dict[int, int], cash: int = 10_000, **rules: Any) -> EventResult:
    terms = {"terms": Terms(costs=FREE)} | rules
    result = simulate_python(panel_of(prices), Trades(orders), market=Market(**terms), initial_cash=Decimal(cash))
    assert result.unexplained == 0
    return result


@given(st.integers(-(2**61), 2**61), st.integers(0, 2**61), st.integers(1, 2**61))
def test_shares_of_amounts_are_exact(amount: int, part: int, whole: int) -> None:
    exact = int(Fraction(amount * part, whole))
    if abs(exact) < 2**62:
        assert share_of(amount, part, whole) == exact


def walk(seed: int, bars: int = 400, count: int = 4) -> BarPanel:
    random = np.random.default_rng(seed)
    close = np.rint(1e4 * np.exp(random.normal(0, 0.02, (bars, count)).cumsum(axis=0))) / 100
    close[:, 1] = np.rint(close[:, 0] * (1.0 + random.normal(0, 0.02, bars)) * 100) / 100
    opening = np.rint(close * (1 + random.normal(0, 0.005, close.shape)) * 100) / 100
    values = np.empty((bars, count, 5))
    values[:, :, 0], values[:, :, 3] = opening, close
    values[:, :, 1], values[:, :, 2] = np.maximum(opening, close) + 0.25, np.minimum(opening, close) - 0.25
    values[:, :, 4] = random.integers(0, 4_000, close.shape)
    values[random.random((bars, count)) < 0.03] = NAN
    instruments = tuple(Instrument(f"S{i}", Decimal("0.01")) for i in range(count))
    return BarPanel(instruments, DAY * np.arange(1, bars + 1), values)


@pytest.mark.parametrize("name", ["momentum", "mean_reversion", "pairs"])
@pytest.mark.parametrize("seed", range(3))
def test_target_exposures_give_the_plain_backtest_to_the_last_bit(name: str, seed: int) -> None:
    panel, strategy = walk(seed), find(name)
    costs = Costs(Decimal("1.5"), Decimal("0.005"), Decimal(1), Decimal("2.5"), Decimal("0.1"))
    options: dict[str, Any] = {"sizing": SizingParams(max_weight=0.5), "initial_cash": Decimal(1_000_000)}
    short = {"momentum": {"lookback": 20, "short": 1}, "mean_reversion": {}, "pairs": {"lookback": 60}}[name]
    vector = strategy.vector(short)
    plain = backtest(panel, strategy, vector, costs=costs, **options)
    event = simulate_exposures(panel, strategy, vector, market=Market(terms=Terms(costs=costs)), **options)
    assert len(plain.executions) > 0
    assert np.array_equal(plain.executions, event.fills[:, :6])
    assert np.array_equal(plain.equity_quanta, event.equity_quanta)
    assert np.array_equal(plain.cash_quanta, event.cash_quanta)
    assert np.array_equal(plain.positions, event.positions)
    assert event.unexplained == 0


@njit(ORDER_STEP_SIGNATURE)
def in_and_out(
    state: FloatArray, bar: FloatArray, ticks: IntArray, params: FloatArray, lots: IntArray, account: IntArray,
    orders: IntArray, requests: IntArray,
) -> int:  # fmt: skip
    """A bracket in every flat instrument with a close."""
    count = 0
    for c in range(lots.shape[0]):
        close = ticks[c, CLOSE]
        waits = False
        for o in range(orders.shape[0]):
            waits = waits or orders[o, 1] == c
        if lots[c] == 0 and close > 0 and not waits:
            count = bracket(requests, count, c, int(params[0]), 0, close + close // 40, close - close // 50)
    return count


class InAndOut(PythonStrategy):
    """The same in plain Python."""

    def on_bar(self, context: Context) -> None:
        waiting = {order.symbol for order in context.orders()}
        for symbol in context.symbols:
            close = context.close(symbol)
            if context.position(symbol) == 0 and not np.isnan(close) and symbol not in waiting:
                cents = round(close * 100)
                context.bracket(
                    symbol, 30, profit=Decimal(cents + cents // 40) / 100, loss=Decimal(cents - cents // 50) / 100
                )


def test_compiled_and_python_strategies_trade_alike_while_the_tables_grow() -> None:
    strategy = OrderStrategy("in and out", "", (Parameter("lots", 30, 1, 100, "Lots."),), lambda params: 0, in_and_out)
    panel = walk(9, 600)
    compiled = simulate_orders(panel, strategy, initial_cash=Decimal(100_000))
    python = simulate_python(panel, InAndOut(), initial_cash=Decimal(100_000))
    assert len(compiled.orders) > 700
    assert np.array_equal(compiled.fills, python.fills)
    assert np.array_equal(compiled.orders, python.orders)
    assert compiled.unexplained == python.unexplained == 0
    again = simulate_orders(panel, strategy, initial_cash=Decimal(100_000))
    assert np.array_equal(compiled.fills, again.fills)


@njit(ORDER_STEP_SIGNATURE)
def greedy(
    state: FloatArray, bar: FloatArray, ticks: IntArray, params: FloatArray, lots: IntArray, account: IntArray,
    orders: IntArray, requests: IntArray,
) -> int:  # fmt: skip
    """More requests than there is room for."""
    count = 0
    for _ in range(100):
        count = market(requests, count, 0, 1)
    return count


def test_too_many_requests_of_a_compiled_step_are_refused() -> None:
    strategy = OrderStrategy("greedy", "", (), lambda params: 0, greedy)
    with pytest.raises(StrategyError, match="100 requests"):
        simulate_orders(panel_of([100.0, 100.0]), strategy, initial_cash=Decimal(1))
    with pytest.raises(StrategyError, match="1 parameters given, it has 0"):
        simulate_orders(panel_of([100.0]), strategy, np.ones(1), initial_cash=Decimal(1))


def test_profit_of_a_round_trip_is_realised_and_the_rest_is_not() -> None:
    result = trade([100, 100, 110, 120, 130], {0: 10, 1: -4})
    assert (result.realised, result.unrealised) == (Decimal(40), Decimal(180))
    assert result.final_equity == Decimal(10_220)


def test_a_position_that_turns_realises_the_closed_part_alone() -> None:
    result = trade([100, 100, 110, 120], {0: 10, 1: -15})
    assert (result.realised, result.unrealised) == (Decimal(100), Decimal(-50))


def test_fees_are_fixed_by_unit_by_value_and_by_tier() -> None:
    costs = Costs(Decimal(10), Decimal("0.02"), Decimal(0), Decimal(0), Decimal(1))
    terms = Terms(costs=costs, fee_per_order=Decimal(2))
    assert trade([100.0] * 3, {0: 10}, terms=terms).fees == Decimal("3.20")
    tiers = (FeeTier(Decimal(1_000), Decimal(5), Decimal(1)),)
    assert trade([100.0] * 4, {0: 10, 1: 10}, terms=terms, fee_tiers=tiers).fees == Decimal("3.20") + Decimal("2.70")


def test_slippage_is_fixed_relative_or_grows_with_the_share_of_volume() -> None:
    panel = panel_of([100.0] * 3)
    values = panel.values.copy()
    values[:, :, 4] = 100.0
    panel = BarPanel(panel.instruments, panel.timestamps, values)
    cases = {
        Terms(costs=FREE, slippage_ticks=3): "100.03",
        Terms(costs=Costs(Decimal(0), Decimal(0), Decimal(0), Decimal(20), Decimal(1))): "100.20",
        Terms(costs=FREE, quadratic_bps=Decimal(400)): "100.25",
        Terms(costs=FREE, root_bps=Decimal(400)): "102.00",
    }
    for terms, price in cases.items():
        result = simulate_python(panel, Trades({0: 25}), market=Market(terms=terms), initial_cash=Decimal(10_000))
        assert result.fill_table()["price"].to_list() == [Decimal(price)]


def test_shorts_pay_for_borrowing_and_only_what_can_be_borrowed_is_sold() -> None:
    terms = Terms(costs=FREE, borrow_rate=Decimal("0.10"), borrowable=Decimal(6))
    result = trade([100.0] * 4, {0: -10}, terms=terms)
    assert result.positions[-1].tolist() == [-6]
    assert result.borrowing == Decimal("1.80")  # 600 borrowed, a tenth a year, over three bars of 100 a year


def test_funding_is_paid_by_longs_and_dividends_by_shorts() -> None:
    funding = np.array([[0.0], [0.001], [-0.002]])
    assert trade([100.0] * 3, {0: 10}, funding=funding).funding == Decimal(-1) + Decimal(2)
    dividends = np.array([[0.0], [0.0], [0.25]])
    assert trade([100.0] * 3, {0: 10}, dividends=dividends).dividends == Decimal("2.50")
    assert trade([100.0] * 3, {0: -10}, dividends=dividends).dividends == Decimal("-2.50")


def test_a_split_keeps_the_value_and_pays_out_fractions() -> None:
    splits = np.array([[[1, 1]], [[1, 1]], [[3, 2]], [[1, 1]]])
    result = trade([90, 90, 60, 60], {0: 5}, splits=splits)
    assert result.positions[-1].tolist() == [7]
    assert result.final_equity == Decimal(10_000)
    assert result.cash_quanta[-1] == (10_000 - 450 + 30) * 10**8


def test_margin_refuses_what_equity_does_not_carry_and_closes_out_what_it_no_longer_does() -> None:
    terms = Terms(costs=FREE, initial_margin=Decimal("0.5"), maintenance_margin=Decimal("0.25"))
    assert len(trade([100.0] * 3, {0: 201}, terms=terms).fills) == 0
    assert trade([100.0] * 3, {0: 200}, terms=terms).positions[-1].tolist() == [200]
    result = trade([100, 100, 66, 60, 60], {0: 200, 2: 1}, terms=terms)
    assert result.fills[:, :5].tolist() == [[1, 0, 1, 200, 10_000], [3, 0, -1, 200, 6_000]]
    assert result.order_table()["reason"].to_list() == ["", "", "in_liquidation"]
    assert result.final_equity == Decimal(2_000)


def test_two_currencies_share_one_account() -> None:
    panel = panel_of([100.0] * 4, currency="EUR")
    rates = np.array([1.0, 1.25, 1.5, 1.5])
    result = simulate_python(
        panel, Trades({0: 10}), market=Market(terms=Terms(costs=FREE), fx={"EUR": rates}), initial_cash=Decimal(10_000)
    )
    assert result.cash_quanta[-1] == (10_000 - 1_250) * 10**8
    assert (result.final_equity, result.unrealised) == (Decimal(10_250), Decimal(250))


@pytest.mark.parametrize(
    ("rules", "match"),
    [
        ({"latency": -1}, "latency"),
        ({"latency": 1, "same_close": True}, "same_close"),
        ({"dividends": np.zeros((2, 2))}, "shape"),
        ({"funding": np.full((3, 1), NAN)}, "NaN"),
        ({"splits": np.zeros((3, 1, 2), dtype=np.int64)}, "splits"),
        ({"sessions": np.array([1, 0, 2])}, "sessions"),
        ({"fee_tiers": (FeeTier(Decimal(5), Decimal(1), Decimal(1)),) * 2}, "rise"),
        ({"terms": {"OTHER": Terms()}}, "S0"),
        ({"requests": 0}, "requests"),
        ({"currency": "EUR"}, "no rate for USD"),
        ({"currency": "EUR", "fx": {"USD": -1.0}}, "positive"),
    ],
)
def test_a_market_that_does_not_fit_the_panel_is_refused(rules: dict[str, Any], match: str) -> None:
    with pytest.raises(BadInputError, match=match):
        trade([100.0] * 3, {0: 1}, **rules)
    with pytest.raises(BadInputError, match="slippage_ticks"):
        Terms(slippage_ticks=-1)
    with pytest.raises(BadInputError, match="below maintenance_margin"):
        Terms(initial_margin=Decimal("0.1"), maintenance_margin=Decimal("0.2"))


def test_an_account_that_outgrows_exact_arithmetic_is_refused() -> None:
    with pytest.raises(BadInputError, match="outgrows"):
        trade([4e10, 4e10, 4e10], {0: 2}, cash=40_000_000_000)
