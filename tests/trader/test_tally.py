"""What was traded, by strategy and symbol, against first principles: a flat position has earned its cash."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nt_ray.trader.tally import Tally, Traded
from nt_ray.trading.orders import Fill, Order, OrderRequest, Side

NOW = datetime(2026, 1, 5, 15, tzinfo=UTC)


def fill(
    number: int, quantity: int, price: str, name: str = "a-1", symbol: str = "AAPL", commission: str = "0"
) -> Fill:
    side = Side.BUY if quantity > 0 else Side.SELL
    return Fill(f"x{number}", name, symbol, side, Decimal(abs(quantity)), Decimal(price), Decimal(commission), NOW)


def order(name: str, strategy: str) -> Order:
    return Order(OrderRequest(name, "AAPL", Side.BUY, Decimal(1), strategy))


ORDERS = {"a-1": order("a-1", "momentum"), "b-1": order("b-1", "pairs")}


@given(
    st.lists(
        st.tuples(st.integers(-40, 40).filter(bool), st.integers(100, 9999), st.integers(0, 300)),
        min_size=1,
        max_size=30,
    )
)
def test_a_position_that_is_closed_has_earned_exactly_its_cash(trades: list[tuple[int, int, int]]) -> None:
    left = -sum(quantity for quantity, _, _ in trades)
    trades = [*trades, (left, 5000, 7)] if left else trades
    fills = [
        fill(n, quantity, str(Decimal(cents) / 100), commission=str(Decimal(fee) / 100))
        for n, (quantity, cents, fee) in enumerate(trades)
    ]
    cash = -sum((f.signed_quantity * f.price + f.commission for f in fills), Decimal(0))
    (line,) = Tally().take(ORDERS, fills)
    assert line.realised == pytest.approx(cash, abs=Decimal("1e-18"))
    assert (line.executions, line.quantity) == (len(fills), sum(f.quantity for f in fills))


def test_profit_is_reckoned_at_average_cost_and_a_turned_position_begins_anew() -> None:
    fills = [fill(1, 10, "100"), fill(2, 10, "110"), fill(3, -5, "120"), fill(4, -25, "90"), fill(5, 4, "80")]
    # Average 105: 5 at +15, 15 at -15; then 10 short at 90, of which 4 are bought back 10 lower.
    (line,) = Tally().take(ORDERS, fills)
    assert line.realised == 5 * 15 - 15 * 15 + 4 * 10


def test_each_strategy_has_a_position_of_its_own() -> None:
    fills = [fill(1, 10, "100"), fill(2, -10, "101", name="b-1"), fill(3, -10, "103"), fill(4, 10, "100", name="b-1")]
    assert Tally().take(ORDERS, fills) == (
        Traded("momentum", "AAPL", 2, Decimal(20), Decimal(30)),
        Traded("pairs", "AAPL", 2, Decimal(20), Decimal(10)),
    )


def test_asking_again_counts_what_is_new_and_only_that() -> None:
    fills = [fill(n, 1, "100") for n in range(6)]
    running = Tally()
    for end in (2, 2, 5, 6):
        assert running.take(ORDERS, fills[:end]) == Tally().take(ORDERS, fills[:end])


def test_books_that_were_folded_anew_are_counted_anew() -> None:
    running = Tally()
    running.take(ORDERS, [fill(1, 5, "100"), fill(2, 5, "100")])
    other = [fill(1, 5, "100"), fill(3, -5, "110")]
    assert running.take(ORDERS, other) == Tally().take(ORDERS, other)
    assert running.take(ORDERS, other[:1]) == Tally().take(ORDERS, other[:1])
