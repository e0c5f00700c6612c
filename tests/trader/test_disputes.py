"""What a venue tells and cannot be, and orders that arrive after they were given up."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeAlias

import pytest

from nt_ray.brokers.base import AmbiguousError, OrderRejectedError
from nt_ray.trading import events as e
from nt_ray.trading.orders import OrderRequest, OrderStatus, Side

MORNING = datetime(2026, 1, 5, 15, tzinfo=UTC)
MARKS = {"KO": Decimal(50), "PEP": Decimal(100)}
Desk: TypeAlias = Any


def buy(number: int, quantity: int = 10, **changes: Any) -> OrderRequest:
    values: dict[str, Any] = {"symbol": "KO", "side": Side.BUY, "strategy": "momentum"}
    return OrderRequest(f"o.{number}", quantity=Decimal(quantity), **(values | changes))


@pytest.mark.parametrize(
    "changes",
    [{"quantity": Decimal(11)}, {"symbol": "PEP"}, {"quantity": Decimal("1e-10")}],
    ids=["overfill", "symbol", "finer than can be held"],
)
def test_an_impossible_report_is_set_aside_and_named_and_the_rest_goes_on(desk: Desk, changes: dict[str, Any]) -> None:
    account = desk.open(marks=MARKS)
    account.submit([buy(1), buy(2, symbol="PEP")])
    desk.venue.fill("o.1", 1, **changes)
    desk.venue.fill("o.2", 10, 100)
    for hours in (1, 2):
        state = account.sync(MORNING + timedelta(hours=hours), {"KO": Decimal(51), "PEP": Decimal(101)})
    assert (state.positions, account.books.marks["KO"]) == ({"PEP": Decimal(10)}, Decimal(51))
    assert list(state.halts) == ["symbol:KO"]
    assert account.order("o.1").status is OrderStatus.CANCELED
    account.resume("symbol:KO", "ann", "looked")
    again = desk.open()
    again.sync(MORNING + timedelta(hours=3), MARKS)
    assert (list(again.books.disputes), again.state().halts) == (["x0"], {})
    assert sum(isinstance(event, e.FactDisputed) for event in again.events()) == 1
    found = again.compare().differences[0]
    assert (found.kind, found.key, found.ours) == ("dispute", "x0", "o.1 is canceled")


def test_an_execution_of_an_order_that_the_venue_refused_is_disputed_until_it_is_booked(desk: Desk) -> None:
    account = desk.open(marks=MARKS)
    desk.venue.after = [OrderRejectedError("no")]
    account.submit([buy(1)])
    desk.venue.fill("o.1", 10)
    assert account.sync(MORNING + timedelta(hours=1), MARKS).positions == {}
    assert desk.open().state().halts.keys() == {"symbol:KO"}


@pytest.mark.parametrize("called_off", [False, True])
@pytest.mark.parametrize("fills", [0, 4, 10])
def test_an_order_that_was_given_up_and_arrives_is_taken_back_and_trading_stops(
    desk: Desk, fills: int, called_off: bool
) -> None:
    desk.venue.arrives_late = True
    account = desk.open(marks=MARKS)
    desk.venue.before = [AmbiguousError("timeout")]
    account.submit([buy(1)])
    if called_off:
        desk.venue.cancel_error = AmbiguousError("timeout")
        account.cancel("o.1")
        desk.venue.cancel_error = None
    desk.now += timedelta(minutes=5)
    account.sync(desk.now, MARKS)
    given_up = account.submit([buy(1)])[0]
    assert (given_up.status.is_final, given_up.not_sent) == (True, False)
    assert (account.state().open_orders, account.state().halts) == (0, {})
    desk.venue.submit_order(buy(1))
    if fills:
        desk.venue.fill("o.1", fills)
    desk.now += timedelta(minutes=5)
    account.sync(desk.now, MARKS)
    ended = OrderStatus.FILLED if fills == 10 else OrderStatus.CANCELED
    for attempt in range(2):
        one = desk.open() if attempt else account
        one.sync(desk.now, MARKS)
        assert (one.order("o.1").status, one.order("o.1").filled_quantity) == (ended, Decimal(fills))
        assert one.state().positions == ({"KO": Decimal(fills)} if fills else {})
        assert one.state().halts == {"account": "risk gate: o.1 was given up and works at the venue."}
        assert one.submit([buy(2)])[0].rule == "kill_switch"
    assert desk.venue.sent == ["o.1", "o.1"]
    assert sum(isinstance(event, e.OrderFound) for event in desk.opened[-1].events()) == 1
