"""Linked orders, replacements, orders by notional and what the exchange tells of them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nt_ray.brokers.base import OrderRejectedError
from nt_ray.brokers.simulated.exchange import SimulatedExchange
from nt_ray.brokers.simulated.matching import Costs
from nt_ray.errors import StorageError
from nt_ray.market.bars import BarPanel, Instrument
from nt_ray.trading.orders import OrderRequest, OrderStatus, OrderType, Side, TimeInForce

DAY = 86_400_000_000_000
FREE = Costs(Decimal(0), Decimal(0), Decimal(0), Decimal(0), Decimal("0.5"))
GTC = TimeInForce.GTC


def panel() -> BarPanel:
    # The market opens at 10 on row 1, falls to 8 on row 3 and rises to 14 on row 5.
    ranges = [(10, 10.5, 9.5, 10), (10, 11, 9.5, 10), (10, 10.5, 9, 9.5), (9, 9.5, 8, 8.5), (9, 12, 9, 12),
              (12, 14, 11, 13), (13, 13.5, 12, 13)]  # fmt: skip
    values = np.array([[[*bar, 200.0]] for bar in ranges])
    return BarPanel((Instrument("KO", Decimal("0.01")),), np.arange(1, 8, dtype=np.int64) * DAY, values)


def order(client_order_id: str, side: Side = Side.BUY, quantity: str = "10", **changes: Any) -> OrderRequest:
    prices = {k: Decimal(v) for k, v in changes.items() if isinstance(v, str) and k.endswith(("price", "amount"))}
    return OrderRequest(client_order_id, "KO", side, Decimal(quantity), "test", **(changes | prices))


def bracket(entry: dict[str, Any] | None = None, profit: str = "12", loss: str = "8.50") -> list[OrderRequest]:
    exits = {"parent": "e", "oco_group": "x", "time_in_force": GTC}
    return [
        order("e", **(entry or {})),
        order("tp", Side.SELL, type=OrderType.LIMIT, limit_price=profit, **exits),
        order("sl", Side.SELL, type=OrderType.STOP, stop_price=loss, **exits),
    ]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "venue.sqlite"


@pytest.fixture
def venue(path: Path) -> Iterator[SimulatedExchange]:
    exchange = SimulatedExchange("sim", panel(), FREE, path)
    exchange.advance(0)
    yield exchange
    exchange.close()


def states(venue: SimulatedExchange, *ids: str) -> list[str]:
    found = [venue.order(client_order_id) for client_order_id in ids]
    return ["none" if one is None else one.status.value for one in found]


def told(venue: SimulatedExchange) -> list[tuple[str, Decimal, Decimal]]:
    return [(f.client_order_id, f.signed_quantity, f.price) for f in venue.fills(None)]


def test_a_bracket_is_stopped_out_and_its_profit_is_cancelled(venue: SimulatedExchange) -> None:
    assert [o.client_order_id for o in venue.submit_linked(bracket())] == ["e", "tp", "sl"]
    venue.advance(1)
    assert states(venue, "e", "tp", "sl") == ["filled", "accepted", "accepted"]
    venue.advance(3)
    assert states(venue, "e", "tp", "sl") == ["filled", "canceled", "filled"]
    assert told(venue) == [("e", Decimal(10), Decimal(10)), ("sl", Decimal(-10), Decimal("8.5"))]
    assert venue.positions() == {}


def test_a_bracket_takes_its_profit_after_the_venue_was_opened_again(venue: SimulatedExchange, path: Path) -> None:
    venue.submit_linked(bracket(loss="7"))
    venue.advance(2)
    again = SimulatedExchange("sim", panel(), FREE, path)
    again.advance(4)
    assert states(again, "e", "tp", "sl") == ["filled", "filled", "canceled"]
    assert told(again)[1] == ("tp", Decimal(-10), Decimal(12))
    again.close()


def test_an_entry_that_is_cancelled_takes_its_exits_along(venue: SimulatedExchange) -> None:
    venue.submit_linked(bracket({"type": OrderType.LIMIT, "limit_price": "5", "time_in_force": GTC}))
    venue.advance(1)
    assert venue.cancel_order("e").status is OrderStatus.CANCELED
    assert states(venue, "tp", "sl") == ["canceled", "canceled"]
    assert venue.open_orders() == []


def test_exits_are_no_larger_than_what_the_entry_filled(venue: SimulatedExchange) -> None:
    big = [order(r.client_order_id, r.side, "150", **exit_terms(r)) for r in bracket(loss="9.25")]
    venue.submit_linked(big)
    venue.advance(3)
    # Half of the volume of 200 fills the entry; its day ends with it.
    assert told(venue) == [("e", Decimal(100), Decimal(10)), ("sl", Decimal(-100), Decimal("9.25"))]
    assert states(venue, "e", "tp", "sl") == ["expired", "canceled", "canceled"]


def exit_terms(request: OrderRequest) -> dict[str, Any]:
    names = ("type", "limit_price", "stop_price", "time_in_force", "parent", "oco_group")
    return {name: getattr(request, name) for name in names}


def test_a_trailing_stop_follows_the_market_up(venue: SimulatedExchange) -> None:
    venue.submit_order(order("b"))
    venue.submit_order(order("t", Side.SELL, type=OrderType.TRAILING_STOP, trail_amount="2.50", time_in_force=GTC))
    venue.advance(3)
    # The best price was 11 on row 1: the stop stands at 8.50.
    assert told(venue)[1] == ("t", Decimal(-10), Decimal("8.5"))


@pytest.mark.parametrize(
    ("batch", "reason"),
    [
        ([order("a", parent="b"), order("b")], "no order sent before it"),
        ([order("a"), order("b", parent="a"), order("c", parent="b")], "or has a parent"),
        ([order("a", oco_group="g"), order("b")], "alone in the group"),
        ([order("a"), order("a")], "given twice"),
        ([order("a"), order("b", replaces="a")], "by itself"),
    ],
)
def test_links_that_make_no_sense_enter_nothing(
    venue: SimulatedExchange, batch: list[OrderRequest], reason: str
) -> None:
    with pytest.raises(OrderRejectedError, match=reason):
        venue.submit_linked(batch)
    assert venue.open_orders() == []


def test_a_linked_order_is_not_taken_by_itself(venue: SimulatedExchange) -> None:
    with pytest.raises(OrderRejectedError, match="no order sent before it"):
        venue.submit_order(order("a", parent="b"))


def test_linked_orders_sent_twice_are_the_same_orders(venue: SimulatedExchange) -> None:
    first = venue.submit_linked(bracket())
    assert venue.submit_linked(bracket()) == first
    with pytest.raises(OrderRejectedError, match="Send all of them under new ids"):
        venue.submit_linked([*bracket(), order("more")])


def test_a_replacement_ends_the_old_order_and_takes_over_its_links(venue: SimulatedExchange, path: Path) -> None:
    venue.submit_linked(bracket(profit="20", loss="7"))
    venue.advance(1)
    better = order("tp2", Side.SELL, type=OrderType.LIMIT, limit_price="11.50", time_in_force=GTC, replaces="tp")
    assert venue.replace_order(better).status is OrderStatus.ACCEPTED
    assert venue.replace_order(better).client_order_id == "tp2"
    old = venue.order("tp")
    assert old is not None
    assert (old.status, old.replaced_by) == (OrderStatus.REPLACED, "tp2")
    again = SimulatedExchange("sim", panel(), FREE, path)
    again.advance(4)
    assert states(again, "tp2", "sl") == ["filled", "canceled"]
    again.close()


def test_a_replaced_entry_keeps_its_exits(venue: SimulatedExchange) -> None:
    resting = {"type": OrderType.LIMIT, "limit_price": "5", "time_in_force": GTC}
    venue.submit_linked(bracket(resting))
    venue.replace_order(order("e2", replaces="e"))
    venue.advance(3)
    assert told(venue) == [("e2", Decimal(10), Decimal(10)), ("sl", Decimal(-10), Decimal("8.5"))]
    # What was sent is still known under its id.
    known = venue.submit_linked(bracket(resting))
    assert [o.client_order_id for o in known] == ["e", "tp", "sl"]


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (order("n", replaces="gone"), "no order gone"),
        (order("n", replaces="e"), "has ended"),
        (order("n", replaces="tp"), "another instrument or side"),
        (order("n", Side.SELL, "11", replaces="tp"), "larger than the 10 lots"),
        (order("n", Side.SELL, replaces="tp", oco_group="other"), "group is not that of"),
    ],
)
def test_what_cannot_take_the_place_of_an_order_is_rejected(
    venue: SimulatedExchange, request_: OrderRequest, reason: str
) -> None:
    venue.submit_linked(bracket(loss="7"))
    venue.advance(1)
    with pytest.raises(OrderRejectedError, match=reason):
        venue.replace_order(request_)
    assert states(venue, "tp", "n") == ["accepted", "none"]


def test_an_order_by_notional_buys_as_many_whole_lots_as_its_money_pays_for(venue: SimulatedExchange) -> None:
    venue.submit_order(order("n", quantity="0", notional=Decimal(98)))
    venue.submit_order(order("little", quantity="0", notional=Decimal(9)))
    venue.advance(1)
    (fill,) = venue.fills(None)
    assert (fill.client_order_id, fill.quantity, fill.leaves) == ("n", Decimal(9), Decimal(0))
    assert states(venue, "n", "little") == ["filled", "expired"]


def test_an_order_by_notional_that_the_volume_cuts_off_tells_what_it_leaves(venue: SimulatedExchange) -> None:
    venue.submit_order(order("n", quantity="0", notional=Decimal(1200)))
    venue.advance(1)
    (fill,) = venue.fills(None)
    assert (fill.quantity, fill.leaves) == (Decimal(100), Decimal(20))
    assert states(venue, "n") == ["expired"]


def test_updates_tell_executions_and_endings_once_in_their_order(venue: SimulatedExchange, path: Path) -> None:
    venue.submit_linked(bracket())
    venue.advance(3)
    seen = [(u.order.client_order_id, u.order.status.value, u.fill is not None) for u in venue.updates()]
    assert seen == [
        ("e", "filled", True),
        ("e", "filled", False),
        ("sl", "filled", True),
        ("tp", "canceled", False),
        ("sl", "filled", False),
    ]
    assert venue.updates() == []
    again = SimulatedExchange("sim", panel(), FREE, path)
    assert again.updates() == []
    again.close()


def test_fills_are_told_from_a_time_on(venue: SimulatedExchange) -> None:
    venue.submit_linked(bracket())
    venue.advance(3)
    stopped = datetime(1970, 1, 5, tzinfo=UTC)
    assert [f.client_order_id for f in venue.fills(stopped)] == ["sl"]
    assert venue.fills(datetime(1970, 1, 6, tzinfo=UTC)) == []


def test_a_gtd_order_works_up_to_its_time(venue: SimulatedExchange) -> None:
    terms = {"type": OrderType.LIMIT, "limit_price": "5", "time_in_force": TimeInForce.GTD}
    venue.submit_order(order("g", **terms, expire_at=datetime(1970, 1, 4, 12, tzinfo=UTC)))
    venue.advance(1)
    assert states(venue, "g") == ["accepted"]
    venue.advance(2)
    assert states(venue, "g") == ["expired"]
    with pytest.raises(OrderRejectedError, match="has passed"):
        venue.submit_order(order("h", **terms, expire_at=datetime(1970, 1, 3, tzinfo=UTC)))


def test_a_book_of_an_older_version_is_refused(tmp_path: Path) -> None:
    import sqlite3

    from nt_ray.brokers.simulated.book import KIND

    path = tmp_path / "old.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE orders (entry INTEGER)")
    connection.execute(f"PRAGMA application_id = {KIND.application_id}")
    connection.execute("PRAGMA user_version = 1")
    connection.close()
    with pytest.raises(StorageError, match="schema version 1"):
        SimulatedExchange("sim", panel(), FREE, path)
