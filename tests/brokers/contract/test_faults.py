"""For any single fault at most one order for each client id is at the venue, and asking again converges."""

import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nt_ray.brokers.base import AmbiguousError, Broker, NotSentError, OrderRejectedError, VenueOrder
from nt_ray.trading.orders import OrderRequest, OrderStatus, OrderType, Side, TimeInForce

OpenDesk = Callable[..., Any]

FAULTS: dict[str, dict[str, Any]] = {
    "dropped before": {"kind": "drop_before"},
    "dropped after": {"kind": "drop_after"},
    "too slow": {"kind": "delay", "seconds": 0.6},
    "limited": {"kind": "rate_limit"},
    "limited for a while": {"kind": "rate_limit", "seconds": 3},
    "500": {"kind": "error", "status": 500},
    "502 though done": {"kind": "error", "status": 502, "processed": True},
    "504 though done": {"kind": "error", "status": 504, "processed": True},
    "truncated": {"kind": "truncate"},
}
DONE = {"dropped after", "too slow", "502 though done", "504 though done", "truncated"}
UNSENT = {"limited", "limited for a while"}

SILENT = (NotSentError, AmbiguousError)


def order(client_order_id: str, price: str = "95", **changes: Any) -> OrderRequest:
    values: dict[str, Any] = {"side": Side.BUY, "strategy": "t", "type": OrderType.LIMIT, "limit_price": Decimal(price)}
    values |= {"time_in_force": TimeInForce.GTC}
    return OrderRequest(client_order_id, "AAPL", quantity=Decimal(10), **(values | changes))


def bracket(desk: Any) -> list[OrderRequest]:
    exits: dict[str, Any] = {"side": Side.SELL, "parent": "in", "oco_group": "x"}
    stop = {"type": OrderType.STOP, "limit_price": None, "stop_price": Decimal(90)}
    return [
        order("in"),
        order(desk.leg("in", True), "110", **exits),
        order(desk.leg("in", False), **(exits | stop)),
    ]


def outcome(call: Callable[[], Any]) -> str:
    try:
        call()
    except NotSentError:
        return "not sent"
    except AmbiguousError:
        return "in doubt"
    except OrderRejectedError:
        return "rejected"
    return "done"


def settle(desk: Any, broker: Broker, requests: Sequence[OrderRequest], send: Callable[[], Any]) -> list[VenueOrder]:
    """Ask, and send again what is proven absent, until everything is known: what an account does."""
    for _ in range(20):
        try:
            found = [broker.order(r.client_order_id) for r in requests]
            if all(o is not None for o in found):
                return [o for o in found if o is not None]
            send()
        except SILENT:
            desk.time.sleep(2.0)
    raise AssertionError("it does not converge")


@pytest.mark.parametrize("name", FAULTS)
def test_a_submission(faulty_desk: OpenDesk, name: str) -> None:
    desk = faulty_desk("100", "95")
    broker = desk.connect()
    desk.fault(method="POST", path="/v2/orders", client_order_id="a", **FAULTS[name])
    expected = "not sent" if name in UNSENT else "in doubt"
    assert outcome(lambda: broker.submit_order(order("a"))) == expected
    assert desk.held() == (["a"] if name in DONE else [])
    (found,) = settle(desk, broker, [order("a")], lambda: broker.submit_order(order("a")))
    assert found.status is OrderStatus.ACCEPTED
    assert desk.held() == ["a"]
    desk.next()
    assert [f.client_order_id for f in broker.fills(None)] == ["a"]


@pytest.mark.parametrize("name", FAULTS)
def test_a_submission_of_linked_orders(faulty_desk: OpenDesk, name: str) -> None:
    desk = faulty_desk("100", "95")
    broker = desk.connect()
    requests = bracket(desk)
    desk.fault(method="POST", path="/v2/orders", client_order_id="in", **FAULTS[name])
    assert outcome(lambda: broker.submit_linked(requests)) == ("not sent" if name in UNSENT else "in doubt")
    # A new process settles what the old one left.
    broker = desk.connect()
    found = settle(desk, broker, requests, lambda: broker.submit_linked(requests))
    assert [o.status for o in found] == [OrderStatus.ACCEPTED] * 3
    assert desk.held() == ["in"]
    assert {o.client_order_id for o in broker.open_orders()} == {r.client_order_id for r in requests}


@pytest.mark.parametrize("name", FAULTS)
def test_a_replacement(faulty_desk: OpenDesk, name: str) -> None:
    desk = faulty_desk("100", "95", "90")
    broker = desk.connect()
    broker.submit_order(order("a"))
    new = order("b", "90", replaces="a")
    desk.fault(method="PATCH", path="/v2/orders/*", **FAULTS[name])
    assert outcome(lambda: broker.replace_order(new)) == ("not sent" if name in UNSENT else "in doubt")
    (found,) = settle(desk, broker, [new], lambda: broker.replace_order(new))
    old = broker.order("a")
    assert old is not None
    assert (old.status, old.replaced_by, found.status) == (OrderStatus.REPLACED, "b", OrderStatus.ACCEPTED)
    assert desk.held() == ["a", "b"]
    desk.next()
    assert broker.fills(None) == []
    desk.next()
    assert [f.client_order_id for f in broker.fills(None)] == ["b"]


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("count", [1, 9])
def test_a_cancel(faulty_desk: OpenDesk, name: str, count: int) -> None:
    desk = faulty_desk("100", "95")
    broker = desk.connect()
    broker.submit_order(order("a"))
    desk.fault(method="DELETE", path="/v2/orders/*", count=count, **FAULTS[name])
    for _ in range(10):
        if outcome(lambda: broker.cancel_order("a")) == "done":
            break
        desk.time.sleep(10.0)
    # A cancel passes while everything else has to wait.
    desk.time.sleep(10.0)
    found = broker.order("a")
    assert found is not None
    assert found.status is OrderStatus.CANCELED
    desk.next()
    assert broker.fills(None) == []


def test_a_cancel_that_may_be_done_stays_in_doubt_whatever_comes_next(faulty_desk: OpenDesk) -> None:
    desk = faulty_desk("100")
    broker = desk.connect()
    broker.submit_order(order("a"))
    desk.fault(kind="drop_after", method="DELETE")
    desk.fault(kind="rate_limit", method="DELETE", count=5)
    assert outcome(lambda: broker.cancel_order("a")) == "in doubt"


def test_a_stale_reading_after_a_cancel_that_was_done_before_is_no_refusal(faulty_desk: OpenDesk) -> None:
    desk = faulty_desk("100")
    broker = desk.connect()
    broker.submit_order(order("a"))
    assert broker.cancel_order("a") is None
    desk.fault(kind="stale", method="GET", path="/v2/orders/*")
    again = broker.cancel_order("a")
    assert again is not None
    assert again.status is OrderStatus.ACCEPTED
    found = broker.order("a")
    assert found is not None
    assert found.status is OrderStatus.CANCELED


@pytest.mark.parametrize("name", FAULTS)
def test_one_reading_that_goes_wrong_is_asked_again(faulty_desk: OpenDesk, name: str) -> None:
    desk = faulty_desk("100")
    broker = desk.connect()
    broker.submit_order(order("a"))
    desk.fault(method="GET", path="/v2/orders*", **FAULTS[name])
    expected = "not sent" if name in UNSENT else "done"
    assert outcome(lambda: broker.order("a")) == expected


def test_a_venue_that_stays_silent_is_down(faulty_desk: OpenDesk) -> None:
    desk = faulty_desk("100")
    broker = desk.connect()
    desk.fault(kind="drop_before", count=50)
    for call in (broker.ping, broker.open_orders, broker.positions, broker.account, lambda: broker.order("a")):
        assert outcome(call) == "not sent"
    assert outcome(lambda: broker.submit_order(order("a"))) == "not sent"
    assert desk.held() == []


@pytest.mark.parametrize("kind", ["stream_duplicate", "stream_reorder", "stream_close"])
def test_what_goes_wrong_on_the_stream_changes_no_execution(faulty_desk: OpenDesk, kind: str) -> None:
    desk = faulty_desk("100", "95", "94")
    broker = desk.connect()
    broker.updates()
    assert broker.stream.wait_until_listening(10)
    broker.submit_order(order("a"))
    broker.submit_order(order("b", "94"))
    desk.fault(kind=kind, event="fill", client_order_id="a")
    desk.next()
    if kind == "stream_close":
        # The account finds in the history what the stream lost, and the stream comes back.
        for _ in range(3000):
            if broker.stream.broken and broker.stream.wait_until_listening(10):
                break
            time.sleep(0.01)
        assert broker.stream.broken == 1
    desk.next()
    executions = {f.execution_id: f for f in broker.fills(None)}
    for _ in range(100):
        fills = [u.fill for u in broker.updates() if u.fill is not None]
        for fill in fills:
            assert executions[fill.execution_id] == fill
        if any(f.client_order_id == "b" for f in fills):
            break
        broker.stream.wait_for_message(0.05)
    else:
        raise AssertionError("the stream fell silent")
    assert [f.client_order_id for f in executions.values()] == ["a", "b"]


steps = st.lists(
    st.tuples(st.sampled_from(["submit", "cancel", "replace", "move"]), st.sampled_from(["", *sorted(FAULTS)])),
    min_size=3,
    max_size=8,
)


@given(steps)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_run_of_faults_leaves_one_order_for_each_id(alpaca_desk: OpenDesk, run: list[tuple[str, str]]) -> None:
    with TemporaryDirectory() as folder, alpaca_desk([("100", None), *[("95", "4")] * 20], Path(folder)) as desk:
        broker = desk.connect()
        asked: list[str] = []
        for number, (step, fault) in enumerate(run):
            if fault and FAULTS[fault]["kind"] != "delay":
                desk.fault(method="[PD]*", path="/v2/orders*", **FAULTS[fault])
            if step == "move":
                desk.next()
            elif step == "submit" or not asked:
                asked.append(f"o{number}")
                outcome(lambda name=asked[-1], via=broker: via.submit_order(order(name)))
            elif step == "cancel":
                outcome(lambda name=asked[-1], via=broker: via.cancel_order(name))
            else:
                new = order(f"o{number}", "94", replaces=asked[-1])
                if outcome(lambda request=new, via=broker: via.replace_order(request)) != "rejected":
                    asked.append(new.client_order_id)
            desk.time.sleep(10.0)
            if fault:
                broker = desk.connect()
        desk.heal()
        held = desk.held()
        assert len(held) == len(set(held))
        assert set(held) <= set(asked)
        for name in asked:
            assert (broker.order(name) is not None) == (name in held)
        total = sum((f.signed_quantity for f in broker.fills(None)), Decimal(0))
        assert broker.positions().get("AAPL", Decimal(0)) == total
        assert all(o.filled_quantity <= 10 for o in broker.open_orders())
