"""What nobody can read, told by the stream or in a list, holds nothing else up."""

import json
from collections.abc import Callable
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from nt_ray.brokers.alpaca.broker import AlpacaBroker
from nt_ray.brokers.alpaca.simulator.simulator import AlpacaSimulator
from nt_ray.brokers.base import VenueDownError
from nt_ray.trading.orders import OrderRequest, OrderType, Side

Connect = Callable[..., AlpacaBroker]

SPREAD: dict[str, Any] = {
    "id": "by-hand", "client_order_id": "hand", "symbol": None, "order_class": "mleg", "status": "filled",
    "filled_qty": "1", "qty": "1", "side": "", "submitted_at": "2026-07-02T14:00:00Z", "legs": None,
}  # fmt: skip
"""An order of several options as it comes where somebody has placed one by hand."""


@pytest.fixture
def tell(broker: AlpacaBroker, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let the stream bring messages."""
    waiting: list[dict[str, Any]] = []
    monkeypatch.setattr(broker.stream, "start", lambda: None)
    monkeypatch.setattr(broker.stream, "drain", lambda: [waiting.pop(0) for _ in range(len(waiting))])
    return lambda *messages: waiting.extend(messages)


def buy(name: str, **changes: Any) -> OrderRequest:
    return OrderRequest(name, "AAPL", Side.BUY, Decimal(1), "test", **changes)


def as_told(broker: AlpacaBroker, simulator: AlpacaSimulator) -> dict[str, Any]:
    """An order of the adapter's, as the venue writes it."""
    broker.submit_order(buy("a"))
    found: dict[str, Any] = broker._transport.read(f"/v2/orders/{simulator.orders()[0]['id']}")
    return found


def test_a_message_that_nobody_can_read_is_set_aside_and_counted(
    simulator: AlpacaSimulator, broker: AlpacaBroker, tell: Callable[..., None]
) -> None:
    ours = as_told(broker, simulator)
    fill = {"event": "fill", "qty": "1", "price": "100", "timestamp": "2026-07-02T14:00:00Z"}
    tell(fill | {"order": SPREAD}, fill | {"order": None}, fill | {"order": ours})
    (update,) = broker.updates()
    assert (update.order.client_order_id, update.fill is not None) == ("a", True)
    assert broker.updates() == []
    assert broker.warnings() == ("Messages, executions and orders that cannot be read: 2.",)


def test_a_message_waits_until_the_venue_can_be_asked_and_what_came_before_it_does_not(
    simulator: AlpacaSimulator, broker: AlpacaBroker, connect: Connect, tell: Callable[..., None]
) -> None:
    ours = as_told(broker, simulator)
    connect().submit_order(buy("b"))
    unknown = simulator.orders()[1]["id"]
    tell({"event": "new", "order": ours}, {"event": "replaced", "order": {**ours, "replaced_by": unknown}})
    simulator.fault("drop_before", method="GET", count=100)
    assert [update.order.replaced_by for update in broker.updates()] == [""]
    with pytest.raises(VenueDownError):
        broker.updates()
    simulator.heal()
    assert [update.order.replaced_by for update in broker.updates()] == ["b"]


def test_an_execution_of_an_order_that_has_no_name_is_asked_for_once_and_holds_nothing_up(
    simulator: AlpacaSimulator, broker: AlpacaBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker.submit_order(buy("a"))
    pages, by_venue_id = broker.reference.pages, broker._identities.by_venue_id
    # A leg of a spread that somebody has traded by hand: it bears no client id.
    legs = [
        {"id": f"20260702::{n}", "activity_type": "FILL", "symbol": "AAPL260717C00100000", "order_id": f"leg-{n}",
         "side": "buy", "qty": "1", "cum_qty": "1", "price": "2", "transaction_time": "2026-07-02T14:00:00Z"}
        for n in range(4)
    ]  # fmt: skip
    asked: list[str] = []

    def found(theirs: str, **how: bool) -> dict[str, Any]:
        asked.append(theirs)
        leg = {"id": theirs, "client_order_id": None, "order_class": "mleg", "legs": None}
        return leg if theirs.startswith("leg") else by_venue_id(theirs, **how)

    monkeypatch.setattr(broker.reference, "pages", lambda *since: [*legs, *pages(*since)])
    monkeypatch.setattr(broker._identities, "by_venue_id", found)
    for _ in range(2):
        assert [fill.client_order_id for fill in broker.fills(None)] == ["a"]
    assert asked == ["leg-0", "leg-1", "leg-2", "leg-3"]
    assert broker.warnings() == ("Messages, executions and orders that cannot be read: 4.",)


def test_a_group_with_a_leg_that_nobody_knows_keeps_no_other_execution_from_its_name(
    simulator: AlpacaSimulator, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = connect()
    for name in "abcd":
        other.submit_order(buy(name))
    broker = connect()
    read = broker._transport.read
    group = {**SPREAD, "order_class": "bracket", "legs": [{"id": simulator.orders()[0]["id"], "type": "pegged"}]}

    def listing(path: str, *asked: Any, **how: Any) -> Any:
        answer = read(path, *asked, **how)
        return [group, *answer] if path == "/v2/orders" else answer

    monkeypatch.setattr(broker._transport, "read", listing)
    assert [fill.client_order_id for fill in broker.fills(None)] == list("abcd")


def test_messages_that_wait_are_bounded(
    simulator: AlpacaSimulator, broker: AlpacaBroker, tell: Callable[..., None]
) -> None:
    ours = as_told(broker, simulator)
    simulator.fault("drop_before", method="GET", count=100)
    tell(
        {"event": "replaced", "order": {**ours, "replaced_by": "unknown"}}, *[{"event": "new", "order": ours}] * 10_000
    )
    # The one that would have to wait is the oldest of too many.
    assert len(broker.updates()) == 10_000


def test_a_stream_that_says_what_it_does_not_send_is_made_anew(broker: AlpacaBroker) -> None:
    said = [
        {"stream": "authorization", "data": {"status": "authorized"}},
        {"stream": "listening", "data": {"streams": None}},
    ]
    answers = iter(map(json.dumps, said))
    connection: Any = SimpleNamespace(send=lambda _: None, recv=lambda _: next(answers))
    assert broker.stream._subscribed(connection) is False


def test_what_cannot_be_read_in_a_list_hides_nothing_else(
    broker: AlpacaBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker.submit_order(buy("a"))
    broker.submit_order(buy("b", type=OrderType.LIMIT, limit_price=Decimal(90)))
    pages, listed = broker.reference.pages, broker._listed_open
    unread = {"id": "spread", "activity_type": "FILL", "symbol": None, "order_id": "by-hand"}
    monkeypatch.setattr(broker.reference, "pages", lambda *asked: [unread, *pages(*asked)])
    monkeypatch.setattr(broker, "_listed_open", lambda: [{**SPREAD, "status": None}, *listed()])
    for _ in range(2):
        assert [fill.client_order_id for fill in broker.fills(None)] == ["a"]
        assert [found.client_order_id for found in broker.open_orders()] == ["b"]
    assert broker.warnings() == ("Messages, executions and orders that cannot be read: 2.",)
