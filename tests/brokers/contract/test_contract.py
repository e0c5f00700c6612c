"""What every venue must do behind the interface; each test runs for each desk of `conftest.py`."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from nt_ray.brokers.base import Broker, OrderRejectedError
from nt_ray.trading.orders import OrderRequest, OrderStatus, OrderType, Side, TimeInForce

OpenDesk = Callable[..., Any]
GTC = TimeInForce.GTC


def order(client_order_id: str, quantity: str = "10", **changes: Any) -> OrderRequest:
    values: dict[str, Any] = {"side": Side.BUY, "strategy": "test", "time_in_force": GTC}
    return OrderRequest(client_order_id, "AAPL", quantity=Decimal(quantity), **(values | changes))


def limit(price: str, **changes: Any) -> dict[str, Any]:
    return {"type": OrderType.LIMIT, "limit_price": Decimal(price), **changes}


def stop(price: str, **changes: Any) -> dict[str, Any]:
    return {"type": OrderType.STOP, "stop_price": Decimal(price), **changes}


def bracket(desk: Any, entry: str = "95", target: str = "110", loss: str = "90") -> list[OrderRequest]:
    exits: dict[str, Any] = {"side": Side.SELL, "parent": "in", "oco_group": "exits"}
    return [
        order("in", **limit(entry)),
        order(desk.leg("in", True), **limit(target, **exits)),
        order(desk.leg("in", False), **stop(loss, **exits)),
    ]


def status(broker: Broker, client_order_id: str) -> OrderStatus | None:
    found = broker.order(client_order_id)
    return None if found is None else found.status


def traded(broker: Broker) -> list[tuple[str, Decimal, Decimal]]:
    return [(f.client_order_id, f.quantity, f.price) for f in broker.fills(None)]


def open_ids(broker: Broker) -> set[str]:
    return {o.client_order_id for o in broker.open_orders()}


def test_it_is_a_broker(open_desk: OpenDesk) -> None:
    broker = open_desk("100").connect()
    assert isinstance(broker, Broker)
    broker.ping()


def test_an_order_is_found_by_its_id_from_anywhere(open_desk: OpenDesk) -> None:
    desk = open_desk("100")
    first = desk.connect()
    sent = first.submit_order(order("a", **limit("90")))
    found = desk.connect().order("a")
    assert (sent.client_order_id, sent.status) == ("a", OrderStatus.ACCEPTED)
    assert found == sent
    assert open_ids(desk.connect()) == {"a"}


def test_an_unknown_order_is_none(open_desk: OpenDesk) -> None:
    assert open_desk("100").connect().order("never-sent") is None


def test_the_same_request_is_the_same_order(open_desk: OpenDesk) -> None:
    desk = open_desk("100")
    broker = desk.connect()
    first = broker.submit_order(order("a", **limit("90")))
    assert broker.submit_order(order("a", **limit("90"))) == first
    assert desk.connect().submit_order(order("a", **limit("90"))) == first
    assert open_ids(desk.connect()) == {"a"}


@pytest.mark.parametrize("changes", [{"quantity": "11"}, limit("91"), {"side": Side.SELL, **limit("190")}])
def test_another_request_under_the_same_id_is_rejected(open_desk: OpenDesk, changes: dict[str, Any]) -> None:
    desk = open_desk("100")
    broker = desk.connect()
    first = broker.submit_order(order("a", **limit("90")))
    with pytest.raises(OrderRejectedError, match="different order already"):
        broker.submit_order(order("a", **(limit("90") | changes)))
    assert broker.order("a") == first


def test_a_market_order_fills_and_is_told(open_desk: OpenDesk) -> None:
    desk = open_desk("100", "100")
    broker = desk.connect()
    broker.submit_order(order("a", time_in_force=TimeInForce.DAY))
    desk.next()
    assert traded(broker) == [("a", Decimal(10), Decimal(100))]
    assert status(broker, "a") is OrderStatus.FILLED
    assert broker.positions() == {"AAPL": Decimal(10)}
    assert broker.open_orders() == []


def test_executions_are_asked_for_from_a_time_on_that_time_included(open_desk: OpenDesk) -> None:
    desk = open_desk("100", "99", "98")
    broker = desk.connect()
    broker.submit_order(order("a", **limit("99")))
    broker.submit_order(order("b", **limit("98")))
    desk.next()
    desk.next()
    first, second = broker.fills(None)
    assert first.time < second.time
    assert broker.fills(first.time) == [first, second]
    assert broker.fills(second.time) == [second]
    assert desk.connect().fills(None) == [first, second]


def test_a_limit_is_kept(open_desk: OpenDesk) -> None:
    desk = open_desk("100", "96", "95")
    broker = desk.connect()
    broker.submit_order(order("a", **limit("95")))
    desk.next()
    assert status(broker, "a") is OrderStatus.ACCEPTED
    desk.next()
    assert traded(broker) == [("a", Decimal(10), Decimal(95))]


@pytest.mark.parametrize("kind", [OrderType.STOP, OrderType.STOP_LIMIT])
def test_a_stop_waits_for_its_price(open_desk: OpenDesk, kind: OrderType) -> None:
    desk = open_desk("100", "104", "105")
    broker = desk.connect()
    prices = {"limit_price": Decimal(106)} if kind is OrderType.STOP_LIMIT else {}
    broker.submit_order(order("a", type=kind, stop_price=Decimal(105), **prices))
    desk.next()
    assert traded(broker) == []
    desk.next()
    assert traded(broker) == [("a", Decimal(10), Decimal(105))]


@pytest.mark.parametrize("trail", [{"trail_amount": Decimal(11)}, {"trail_percent": Decimal(10)}])
def test_a_trailing_stop_follows_the_market(open_desk: OpenDesk, trail: dict[str, Decimal]) -> None:
    desk = open_desk("100", "100", "110", "100", "99", "99")
    broker = desk.connect()
    broker.submit_order(order("long", time_in_force=TimeInForce.DAY))
    desk.next()
    broker.submit_order(order("a", side=Side.SELL, type=OrderType.TRAILING_STOP, **trail))
    desk.next()
    desk.next()
    assert status(broker, "a") is OrderStatus.ACCEPTED
    desk.next()
    assert status(broker, "a") is OrderStatus.FILLED
    assert traded(broker)[-1] == ("a", Decimal(10), Decimal(99))
    assert broker.positions() == {}


def test_partial_fills_add_up(open_desk: OpenDesk) -> None:
    desk = open_desk("100", "95", "95", "95", sizes=[None, "3", "4", "100"])
    broker = desk.connect()
    broker.submit_order(order("a", **limit("95")))
    desk.next()
    found = broker.order("a")
    assert found is not None
    assert (found.status, found.filled_quantity) == (OrderStatus.PARTIALLY_FILLED, Decimal(3))
    desk.next()
    assert desk.connect().order("a").filled_quantity == Decimal(7)
    broker = desk.connect()
    desk.next()
    fills = broker.fills(None)
    assert [f.quantity for f in fills] == [3, 4, 3]
    assert len({f.execution_id for f in fills}) == len(fills)
    assert status(broker, "a") is OrderStatus.FILLED


def test_a_cancel_ends_what_is_left_and_may_be_repeated(open_desk: OpenDesk) -> None:
    desk = open_desk("100", "95", "95", sizes=[None, "3", None])
    broker = desk.connect()
    broker.submit_order(order("a", **limit("95")))
    desk.next()
    for again in (False, False, True):
        broker = desk.connect() if again else broker
        answer = broker.cancel_order("a") or broker.order("a")
        assert answer is not None
        assert (answer.status, answer.filled_quantity) == (OrderStatus.CANCELED, Decimal(3))
    desk.next()
    assert traded(broker) == [("a", Decimal(3), Decimal(95))]
    assert broker.open_orders() == []


def test_a_cancel_of_a_filled_order_answers_with_it(open_desk: OpenDesk) -> None:
    desk = open_desk("100", "100")
    broker = desk.connect()
    broker.submit_order(order("a", time_in_force=TimeInForce.DAY))
    desk.next()
    assert broker.cancel_order("a").status is OrderStatus.FILLED


def test_a_cancel_of_an_unknown_order_is_rejected(open_desk: OpenDesk) -> None:
    with pytest.raises(OrderRejectedError, match="nobody"):
        open_desk("100").connect().cancel_order("nobody")


def test_a_replacement_takes_the_place_of_an_order(open_desk: OpenDesk) -> None:
    desk = open_desk("100", "95", "90")
    broker = desk.connect()
    broker.submit_order(order("a", **limit("95")))
    new = broker.replace_order(order("b", "7", replaces="a", **limit("90")))
    assert (new.client_order_id, new.status) == ("b", OrderStatus.ACCEPTED)
    for again in (False, True):
        broker = desk.connect() if again else broker
        old = broker.order("a")
        assert (old.status, old.replaced_by) == (OrderStatus.REPLACED, "b")
    again = broker.replace_order(order("b", "7", replaces="a", **limit("90")))
    assert (again.client_order_id, again.venue_order_id) == ("b", new.venue_order_id)
    assert open_ids(broker) == {"b"}
    desk.next()
    assert traded(broker) == []
    desk.next()
    assert traded(broker) == [("b", Decimal(7), Decimal(90))]


def test_what_has_ended_cannot_be_replaced(open_desk: OpenDesk) -> None:
    desk = open_desk("100", "95")
    broker = desk.connect()
    broker.submit_order(order("a", **limit("95")))
    desk.next()
    with pytest.raises(OrderRejectedError):
        broker.replace_order(order("b", replaces="a", **limit("90")))
    with pytest.raises(OrderRejectedError):
        broker.replace_order(order("c", replaces="nobody", **limit("90")))
    assert broker.order("b") is None
    assert len(broker.fills(None)) == 1


@pytest.mark.parametrize(("price", "exit_"), [("111", True), ("89", False)])
def test_a_bracket_leaves_by_one_of_its_exits(open_desk: OpenDesk, price: str, exit_: bool) -> None:
    desk = open_desk("100", "95", "95", price, price, "100")
    broker = desk.connect()
    requests = bracket(desk)
    answers = broker.submit_linked(requests)
    assert [a.client_order_id for a in answers] == [r.client_order_id for r in requests]
    assert open_ids(broker) == {r.client_order_id for r in requests}
    desk.next()
    desk.next()
    assert status(broker, "in") is OrderStatus.FILLED
    assert open_ids(desk.connect()) == {r.client_order_id for r in requests[1:]}
    broker = desk.connect()
    desk.next()
    desk.next()
    left, other = desk.leg("in", exit_), desk.leg("in", not exit_)
    assert (status(broker, left), status(broker, other)) == (OrderStatus.FILLED, OrderStatus.CANCELED)
    assert [(i, q) for i, q, _ in traded(broker)] == [("in", Decimal(10)), (left, Decimal(10))]
    assert broker.positions() == {}
    assert broker.open_orders() == []


def test_linked_orders_sent_again_are_the_same_orders(open_desk: OpenDesk) -> None:
    desk = open_desk("100")
    first = desk.connect().submit_linked(bracket(desk))
    assert desk.connect().submit_linked(bracket(desk)) == first
    broker = desk.connect()
    with pytest.raises(OrderRejectedError):
        broker.submit_linked(bracket(desk, target="111"))
    assert open_ids(broker) == {a.client_order_id for a in first}


def test_a_cancelled_entry_takes_its_exits_along(open_desk: OpenDesk) -> None:
    desk = open_desk("100", "95")
    broker = desk.connect()
    broker.submit_linked(bracket(desk))
    broker.cancel_order("in")
    assert {status(broker, r.client_order_id) for r in bracket(desk)} == {OrderStatus.CANCELED}
    desk.next()
    assert traded(broker) == []


def test_of_two_exits_one_cancels_the_other(open_desk: OpenDesk) -> None:
    desk = open_desk("100", "100", "111", "111")
    broker = desk.connect()
    broker.submit_order(order("long", time_in_force=TimeInForce.DAY))
    desk.next()
    exits: dict[str, Any] = {"side": Side.SELL, "oco_group": "exits"}
    sl = desk.leg("up", False)
    broker.submit_linked([order("up", **limit("110", **exits)), order(sl, **stop("90", **exits))])
    assert open_ids(desk.connect()) == {"up", sl}
    broker = desk.connect()
    desk.next()
    assert (status(broker, "up"), status(broker, sl)) == (OrderStatus.FILLED, OrderStatus.CANCELED)
    assert broker.positions() == {}


def test_one_order_triggers_another(open_desk: OpenDesk) -> None:
    desk = open_desk("100", "95", "95", "89", "89")
    broker = desk.connect()
    sl = desk.leg("in", False)
    broker.submit_linked([order("in", **limit("95")), order(sl, **stop("90", side=Side.SELL, parent="in"))])
    for _ in range(4):
        desk.next()
    assert [i for i, _, _ in traded(broker)] == ["in", sl]
    assert broker.positions() == {}


def test_a_leg_can_be_replaced(open_desk: OpenDesk) -> None:
    desk = open_desk("100", "95", "95", "111", "121", "121")
    broker = desk.connect()
    broker.submit_linked(bracket(desk))
    desk.next()
    desk.next()
    tp, sl = desk.leg("in", True), desk.leg("in", False)
    higher = order("higher", side=Side.SELL, replaces=tp, **limit("120", parent="in", oco_group="exits"))
    broker.replace_order(higher)
    assert open_ids(desk.connect()) == {"higher", sl}
    broker = desk.connect()
    assert (broker.order(tp).status, broker.order(tp).replaced_by) == (OrderStatus.REPLACED, "higher")
    desk.next()
    assert len(broker.fills(None)) == 1
    desk.next()
    assert (status(broker, "higher"), status(broker, sl)) == (OrderStatus.FILLED, OrderStatus.CANCELED)
    assert [f.client_order_id for f in desk.connect().fills(None)] == ["in", "higher"]


@pytest.mark.parametrize(("size", "kind", "filled"), [("4", TimeInForce.IOC, 4), ("4", TimeInForce.FOK, 0)])
def test_an_immediate_order_takes_what_is_there(open_desk: OpenDesk, size: str, kind: TimeInForce, filled: int) -> None:
    # The market stands at the first price: a venue of quotes trades there, one of bars in the next.
    desk = open_desk("100", "100", sizes=[size, size])
    broker = desk.connect()
    broker.submit_order(order("a", time_in_force=kind))
    desk.next()
    found = broker.order("a")
    assert found.filled_quantity == filled
    assert found.status in (OrderStatus.CANCELED, OrderStatus.EXPIRED)


def test_what_is_pushed_is_what_is_told(open_desk: OpenDesk) -> None:
    desk = open_desk("100", "95", "95", sizes=[None, "3", None])
    broker = desk.connect()
    broker.updates()
    if hasattr(broker, "stream"):
        assert broker.stream.wait_until_listening(10)
    broker.submit_order(order("a", **limit("95")))
    desk.next()
    desk.next()
    told = broker.fills(None)
    pushed: list[Any] = []
    for _ in range(200):
        pushed += broker.updates()
        if len([u for u in pushed if u.fill is not None]) >= len(told):
            break
        if hasattr(broker, "stream"):
            broker.stream.wait_for_message(0.05)
    assert [u.fill for u in pushed if u.fill is not None] == told
    assert pushed[-1].order.status is OrderStatus.FILLED


def test_an_account_where_there_is_one_counts_its_money(open_desk: OpenDesk) -> None:
    desk = open_desk("100", "100", "110")
    broker = desk.connect()
    before = broker.account()
    broker.submit_order(order("a", time_in_force=TimeInForce.DAY))
    desk.next()
    desk.next()
    after = broker.account()
    assert (before is None) == (after is None)
    if before is not None and after is not None:
        assert before.cash - after.cash == Decimal(1000)
        assert after.equity - before.equity == Decimal(100)
        assert not after.blocked


def test_everything_is_cancelled_at_once_and_several_orders_are_looked_up_at_once(open_desk: OpenDesk) -> None:
    desk = open_desk("100", "94")
    broker = desk.connect()
    names = [f"o{number}" for number in range(6)]
    for name in names:
        broker.submit_order(order(name, **limit("95")))
    broker.submit_linked(bracket(desk))
    legs = [request.client_order_id for request in bracket(desk)]
    found = broker.orders([*names, *legs, "nobody"])
    assert {name: told.status for name, told in found.items()} == dict.fromkeys([*names, *legs], OrderStatus.ACCEPTED)
    assert broker.capabilities().cancels_all
    broker.cancel_all()
    again = desk.connect()
    found = again.orders([*names, *legs])
    assert {name: told.status for name, told in found.items()} == dict.fromkeys([*names, *legs], OrderStatus.CANCELED)
    desk.next()
    assert traded(again) == []
    assert again.open_orders() == []
