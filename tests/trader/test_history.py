"""The past of a live account: links, times, numbers of changes, what a restart and a replay make of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from nt_ray.trader.history import order_id
from nt_ray.trader.live_account import LiveAccount
from nt_ray.trader.live_readings import ActivityQuery, OrderQuery
from nt_ray.trader.worth import Worth
from nt_ray.trading.orders import OrderRequest, OrderStatus, OrderType, Side, TimeInForce

TEN = Decimal(10)


def buy(name: str, price: str | None = "50", side: Side = Side.BUY, **more: Any) -> OrderRequest:
    kind = OrderType.MARKET if price is None else OrderType.LIMIT
    limit = None if price is None else Decimal(price)
    return OrderRequest(name, "KO", side, TEN, "test", kind, limit, TimeInForce.GTC, **more)


def names(account: LiveAccount, **asked: Any) -> list[str]:
    return [family.record.name for family in account.query(OrderQuery(**asked))]


def test_each_change_is_told_once_in_order_with_the_order_as_it_then_was(
    open_live: Any, venue: Any, times: Any
) -> None:
    account = open_live()
    start = account.changes(-1).last
    account.submit([buy("a")])
    venue.execute("a", 4)
    account.hear()
    venue.execute("a", 6)
    times.now += timedelta(minutes=1)
    account.sync()
    found = account.changes(start)
    told = [(c.event, c.family.record.order.status.value, c.family.record.order.filled_quantity) for c in found.changes]
    assert told == [
        ("OrderSubmitted", "submitted", 0),
        ("OrderAccepted", "accepted", 0),
        ("OrderFilled", "partially_filled", 4),
        ("OrderFilled", "filled", 10),
    ]
    assert [c.position for c in found.changes] == [None, None, Decimal(4), Decimal(10)]
    numbers = [c.number for c in found.changes]
    assert numbers == sorted(set(numbers))
    assert account.changes(numbers[1]).changes == found.changes[2:]
    assert account.changes(found.last).changes == ()


def test_the_past_after_a_restart_is_the_one_before(open_live: Any, venue: Any) -> None:
    account = open_live()
    account.overview()
    account.submit([buy("a"), buy("b", "49")])
    venue.execute("a", 10)
    account.sync()
    account.replace(buy("c", "48", replaces="b"))
    account.cancel("c")
    before = account.query(OrderQuery("all"))
    done = account.activities(ActivityQuery())
    changes = account.changes(0).changes
    account.close()
    venue.down = False
    again = open_live()
    assert again.query(OrderQuery("all")) == before
    assert again.activities(ActivityQuery()) == done
    assert again.changes(0).changes == changes
    by_name = {family.record.name: family.record for family in before}
    assert by_name["b"].replaced_by == "c"
    assert by_name["c"].canceled_at is not None
    assert by_name["a"].filled_at is not None


def test_orders_are_found_by_state_symbol_side_and_time_and_a_denied_one_by_nothing(
    open_live: Any, venue: Any, times: Any
) -> None:
    account = open_live()
    account.submit([buy("a")])
    times.now += timedelta(minutes=1)
    sent = account.state().time
    account.submit([buy("b", "51", Side.SELL), buy("denied", "5000")])
    account.cancel("a")
    assert account.order("denied").status is OrderStatus.DENIED
    assert names(account) == ["b"]
    assert names(account, status="closed") == ["a"]
    assert names(account, status="all", descending=False) == ["a", "b"]
    assert names(account, status="all", side=Side.SELL) == ["b"]
    assert names(account, status="all", symbols=frozenset({"PEP"})) == []
    assert names(account, status="all", after=sent) == ["b"]
    assert names(account, status="all", limit=1) == ["b"]
    assert account.look_up("denied") is None
    found = account.look_up(order_id("live", "a"))
    assert found is not None
    assert found.record.name == "a"


def test_a_bracket_shows_its_legs_held_until_its_entry_is_filled_and_follows_replaced_ones(
    open_live: Any, venue: Any
) -> None:
    account = open_live()
    legs = [
        buy("e.tp", "60", Side.SELL, parent="e", oco_group="g"),
        OrderRequest(
            "e.sl", "KO", Side.SELL, TEN, "test", OrderType.STOP, None, TimeInForce.GTC, Decimal(40), parent="e",
            oco_group="g",
        ),
    ]  # fmt: skip
    plain = venue.capabilities()
    venue.capabilities = lambda: replace(plain, linked=True)
    account.close()
    venue.down = False
    account = open_live()
    account.submit([buy("e"), *legs])
    family = account.look_up("e")
    assert family is not None
    assert (family.order_class, [leg.record.name for leg in family.legs]) == ("bracket", ["e.tp", "e.sl"])
    assert [leg.waits for leg in family.legs] == [True, True]
    assert names(account, nested=True) == ["e"]
    venue.execute("e", 10)
    account.sync()
    account.replace(buy("new", "61", Side.SELL, replaces="e.tp"))
    family = account.look_up("e")
    assert family is not None
    assert [(leg.record.name, leg.waits) for leg in family.legs] == [("new", False), ("e.sl", False)]
    assert account.look_up("new").order_class == "bracket"  # type: ignore[union-attr]


def test_the_overview_adds_up(open_live: Any, venue: Any) -> None:
    account = open_live()
    account.submit([buy("a", None)])
    venue.execute("a", 10)
    venue.marks["KO"] = Decimal(55)
    account.sync()
    account.submit([buy("out", "60", Side.SELL)])
    found = account.overview()
    (held,) = found.holdings
    assert (held.quantity, held.cost, held.mark, held.held_for_orders) == (TEN, Decimal(500), Decimal(55), TEN)
    assert found.cash == Decimal(1_000_000) - 500
    assert found.equity == found.cash + 550
    assert found.buying_power == found.equity * found.leverage - 550 - found.reserved
    assert [i.symbol for i in found.instruments] == ["KO"]


def test_activities_come_in_pages_that_meet(open_live: Any, venue: Any) -> None:
    account = open_live()
    for number in range(5):
        account.submit([buy(f"o{number}", str(50 + number))])
        venue.execute(f"o{number}", 10)
        account.sync()
    whole = account.activities(ActivityQuery(limit=100))
    assert [a.kind for a in reversed(whole)] == ["deposit", *["fill"] * 5]
    paged, past = [], None
    while page := account.activities(ActivityQuery(limit=2, past=past)):
        paged += page
        past = page[-1].number
    assert paged == whole
    assert [a.kind for a in account.activities(ActivityQuery(frozenset({"deposit"})))] == ["deposit"]


def test_equity_is_kept_by_minute_within_bounds_and_by_day_for_ever() -> None:
    worth, start = Worth(minutes=3), datetime(2026, 1, 5, 23, 57, tzinfo=UTC)
    for second in range(0, 360, 30):
        worth.note(start + timedelta(seconds=second), Decimal(second))
    minutes = worth.minutes(start, start + timedelta(hours=1))
    assert [(t.minute, int(v)) for t, v in minutes] == [(0, 210), (1, 270), (2, 330)]
    days = worth.days(start - timedelta(days=1), start + timedelta(days=1))
    assert [(t.day, int(v)) for t, v in days] == [(5, 150), (6, 330)]
    assert worth.before(start + timedelta(minutes=5)) == (start + timedelta(minutes=5), 270)
    # The minutes of that time are gone: what is known is the end of the day before, and deposits count from there.
    assert worth.before(start + timedelta(minutes=3, seconds=30)) == (start + timedelta(minutes=3), 150)
    assert worth.before(start) is None
    worth.deposited(start + timedelta(minutes=7), Decimal(1330))
    assert [paid for _, paid in worth.paid_in(start, start + timedelta(hours=1))] == [Decimal(1000)]


@pytest.mark.parametrize("wait_s", [0.0, 0.05])
def test_whoever_waits_for_news_that_do_not_come_is_told_so(open_live: Any, wait_s: float) -> None:
    account = open_live()
    last = account.changes(-1).last
    assert account.changes(last, wait_s).changes == ()
