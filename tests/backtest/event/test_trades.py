from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nt_ray.backtest.event.market import Market, Terms
from nt_ray.backtest.event.python_strategy import Context, PythonStrategy
from nt_ray.backtest.event.result import EventResult
from nt_ray.backtest.event.simulate import simulate_exposures, simulate_python
from nt_ray.backtest.event.trades import Trade, trade_table, trades
from nt_ray.backtest.practice import practice_panel
from nt_ray.backtest.round_trips import round_trips
from nt_ray.brokers.simulated.matching import Costs
from nt_ray.market.bars import BarPanel, Instrument
from nt_ray.portfolio.sizing import SizingParams
from nt_ray.strategies.registry import find

DAY = 86_400_000_000_000
FREE = Terms(costs=Costs(Decimal(0), Decimal(0), Decimal(0), Decimal(0), Decimal(1)))


def flat_bars(*prices: list[float], **changes: str) -> BarPanel:
    closes = np.array(prices, dtype=np.float64).T
    values = np.repeat(closes[:, :, None], 5, axis=2)
    values[:, :, 4] = np.nan
    instruments = tuple(Instrument(f"S{i}", Decimal("0.01"), **changes) for i in range(len(prices)))
    return BarPanel(instruments, DAY * np.arange(1, len(closes) + 1), np.ascontiguousarray(values), 100.0)


class ByRow(PythonStrategy):
    def __init__(self, orders: dict[int, list[tuple[str, int]]]) -> None:
        self.orders = orders

    def on_bar(self, context: Context) -> None:
        for symbol, quantity in self.orders.get(context.row, []):
            context.order(symbol, quantity)


def run(panel: BarPanel, orders: dict[int, list[tuple[str, int]]], market: Market) -> tuple[EventResult, list[Trade]]:
    result = simulate_python(panel, ByRow(orders), market=market, initial_cash=Decimal(1_000_000))
    assert result.unexplained == 0
    return result, trades(result, market.tape(panel))


def test_trades_are_the_round_trips_of_a_plain_backtest() -> None:
    panel, momentum, market = practice_panel(2, 600), find("momentum"), Market()
    values = momentum.vector({"lookback": 20, "short": 1})
    result = simulate_exposures(
        panel, momentum, values, sizing=SizingParams(), market=market, initial_cash=Decimal(10**6)
    )
    units = np.array([i.notional_unit for i in panel.instruments])
    trips = round_trips(np.ascontiguousarray(result.fills[:, :6]), units)
    found = trades(result, market.tape(panel))
    assert len(trips.closed) > 40
    for name in ("column", "side", "lots", "entry_row", "exit_row", "entry_ticks"):
        assert [getattr(t, name) for t in found] == getattr(trips, name).tolist()
    closed = [t for t in found if t.exit_row >= 0]
    assert [t.fees for t in found] == trips.commission.tolist()
    assert [t.profit - t.fees for t in closed] == trips.closed.profit_quanta.tolist()
    table = trade_table(result, found)
    assert table.filter(~table["open"])["net"].sum() == _money(int(trips.closed.profit_quanta.sum()))


def _money(quanta: int) -> Decimal:
    return Decimal(quanta).scaleb(-8)


@settings(max_examples=40)
@given(
    orders=st.lists(st.tuples(st.integers(0, 10), st.integers(0, 1), st.integers(-40, 40)), max_size=12),
    split=st.tuples(st.integers(1, 11), st.integers(1, 7), st.integers(1, 7)),
    rate=st.floats(0.3, 3.0),
    dividend=st.integers(0, 11),
)
def test_profits_and_fees_of_trades_are_those_of_the_books(
    orders: list[tuple[int, int, int]], split: tuple[int, int, int], rate: float, dividend: int
) -> None:
    panel = flat_bars([100.0 + 3 * (i % 5) for i in range(12)], [50.0 + i for i in range(12)], currency="EUR")
    rates = rate * (1.0 + 0.01 * np.arange(12))
    splits, dividends = np.ones((12, 2, 2), dtype=np.int64), np.zeros((12, 2))
    splits[split[0], 0], dividends[dividend, 1] = split[1:], 0.37
    market = Market(fx={"EUR": rates}, splits=splits, dividends=dividends)
    asked: dict[int, list[tuple[str, int]]] = {}
    for row, column, quantity in orders:
        if quantity:
            asked.setdefault(row, []).append((f"S{column}", quantity))
    result, found = run(panel, asked, market)
    assert _money(sum(t.fees for t in found)) == result.fees
    # Trades are the P&L of the books less what the split paid for the fraction of a lot, found here in the cash.
    units = [i.notional_unit for i in panel.instruments]
    spent = sum(
        f[2] * int(Fraction(f[3] * f[4] * units[f[1]] * round(float(rates[f[0]]) * 1e9), 10**9))
        for f in result.fills.tolist()
    )
    moved = _money(int(result.cash_quanta[-1]) - result.initial_quanta + spent)
    paid = moved + result.fees - result.dividends
    assert _money(sum(t.profit for t in found)) + paid == result.realised + result.unrealised
    if split[1] % split[2] == 0:
        assert paid == 0


def test_a_trade_across_a_split_earns_what_the_whole_position_earned() -> None:
    # 10 at 90 become 15 at 60, sold at 66: 990 less 900.
    splits = np.ones((5, 1, 2), dtype=np.int64)
    splits[3, 0] = (3, 2)
    panel = flat_bars([90.0, 90.0, 90.0, 60.0, 66.0])
    result, (trade,) = run(panel, {0: [("S0", 10)], 3: [("S0", -15)]}, Market(terms=FREE, splits=splits))
    assert (trade.lots, trade.entry_ticks, trade.exit_ticks) == (15, 9000, 6600)
    assert _money(trade.profit) == 90 == result.realised
    row = trade_table(result, [trade]).row(0, named=True)
    assert (row["side"], row["quantity"], row["bars"], row["pnl"]) == ("long", 15, 3, 90)
    assert row["return"] == pytest.approx(0.1)


def test_fractions_that_a_split_pays_out_stand_in_the_books_and_not_in_a_trade() -> None:
    # 3 become 1 of every 2: one lot at 20 and half a lot, 10, in cash.
    splits = np.ones((4, 1, 2), dtype=np.int64)
    splits[2, 0] = (1, 2)
    panel = flat_bars([10.0, 10.0, 20.0, 20.0])
    result, (trade,) = run(panel, {0: [("S0", 3)]}, Market(terms=FREE, splits=splits))
    assert (trade.lots, trade.exit_row) == (1, -1)
    assert _money(trade.profit) == 20 - 30
    assert result.realised == 10
    assert result.realised + result.unrealised == 0


def test_a_reversal_closes_one_trade_and_opens_another_with_its_share_of_the_fee() -> None:
    panel = flat_bars([100.0, 100.0, 110.0, 110.0, 105.0])
    costs = Costs(Decimal(10), Decimal(0), Decimal(0), Decimal(0), Decimal(1))
    _, (closed, still) = run(panel, {0: [("S0", 10)], 1: [("S0", -25)]}, Market(terms=Terms(costs=costs)))
    assert (closed.side, closed.lots, _money(closed.profit)) == (1, 10, Decimal(100))
    assert (still.side, still.lots, _money(still.profit)) == (-1, 15, Decimal(75))
    # 10 bps of 1,000 to buy, of 2,750 to sell; two fifths of the latter close.
    assert _money(closed.fees) == Decimal("1.00") + Decimal("2.75") * 10 / 25
    assert _money(still.fees) == Decimal("2.75") * 15 / 25
