from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nt_ray.errors import TradingError
from nt_ray.trading import events as e
from nt_ray.trading.lifecycle import (
    LEGAL,
    ForeignFillError,
    IllegalTransitionError,
    OverfillError,
    apply,
    open_order,
)
from nt_ray.trading.orders import Fill, Order, OrderRequest, OrderStatus, Side

NOW = datetime(2026, 1, 2, tzinfo=UTC)
REQUEST = OrderRequest("a.1", "KO", Side.BUY, Decimal(10), "test")


def fill(number: int, quantity: str, **changes: Any) -> e.OrderFilled:
    values: dict[str, Any] = {
        "execution_id": f"x{number}",
        "client_order_id": "a.1",
        "symbol": "KO",
        "side": Side.BUY,
        "quantity": Decimal(quantity),
        "price": Decimal(50),
        "commission": Decimal("0.01"),
        "time": NOW,
    }
    return e.OrderFilled(NOW, Fill(**(values | changes)))


def event(kind: type) -> Any:
    extra: dict[type, tuple[Any, ...]] = {
        e.OrderDenied: ("rule", "1", "2", "why"),
        e.OrderAccepted: ("venue-1",),
        e.OrderRejected: ("why",),
        e.OrderGivenUp: ("why",),
        e.OrderFound: ("venue-1",),
        e.CancelRejected: ("why",),
        e.PendingReplace: ("a.2",),
        e.ReplaceRejected: ("why",),
        e.OrderReplaced: ("a.2",),
    }
    return fill(99, "1") if kind is e.OrderFilled else kind(NOW, "a.1", *extra.get(kind, ()))


def order_in(status: OrderStatus) -> Order:
    is_lost = status in LEGAL[e.OrderFound]
    return open_order(e.OrderInitialized(NOW, REQUEST)).with_(status=status, given_up=is_lost)


def accepted() -> Order:
    order = open_order(e.OrderInitialized(NOW, REQUEST))
    return apply(apply(order, e.OrderSubmitted(NOW, "a.1")), e.OrderAccepted(NOW, "a.1", "venue-1"))


def test_an_order_walks_from_request_to_filled() -> None:
    order = accepted()
    order = apply(order, fill(1, "4"))
    assert (order.status, order.remaining) == (OrderStatus.PARTIALLY_FILLED, Decimal(6))
    order = apply(order, fill(2, "6", price=Decimal(51)))
    assert order.status is OrderStatus.FILLED
    assert order.filled_notional == Decimal(4 * 50 + 6 * 51)
    assert order.commission == Decimal("0.02")


def test_an_execution_is_applied_once() -> None:
    once = apply(accepted(), fill(1, "4"))
    assert apply(once, fill(1, "4")) is once


@pytest.mark.parametrize("ending", [e.OrderCanceled, e.OrderExpired, e.OrderReplaced])
def test_a_late_fill_counts_and_leaves_the_ending(ending: type) -> None:
    order = apply(accepted(), event(ending))
    late = apply(order, fill(1, "4"))
    assert (late.status, late.filled_quantity) == (order.status, Decimal(4))
    assert apply(late, fill(2, "6")).status is OrderStatus.FILLED


def test_more_than_was_ordered_cannot_fill() -> None:
    with pytest.raises(OverfillError, match=r"exceeds order a\.1"):
        apply(accepted(), fill(1, "11"))


@pytest.mark.parametrize(
    "changes",
    [{"symbol": "PEP"}, {"side": Side.SELL}, {"client_order_id": "a.2"}],
    ids=["symbol", "side", "id"],
)
def test_a_fill_of_another_order_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ForeignFillError):
        apply(accepted(), fill(1, "1", **changes))


def test_a_refused_cancel_gives_the_working_state_back() -> None:
    pending = apply(apply(accepted(), fill(1, "4")), e.PendingCancel(NOW, "a.1"))
    assert apply(pending, fill(2, "1")).status is OrderStatus.PENDING_CANCEL
    assert apply(pending, e.CancelRejected(NOW, "a.1", "no")).status is OrderStatus.PARTIALLY_FILLED
    untouched = apply(accepted(), e.PendingCancel(NOW, "a.1"))
    assert apply(untouched, e.CancelRejected(NOW, "a.1", "no")).status is OrderStatus.ACCEPTED


def test_a_refused_replacement_gives_the_working_state_back() -> None:
    pending = apply(accepted(), event(e.PendingReplace))
    assert apply(pending, event(e.ReplaceRejected)).status is OrderStatus.ACCEPTED
    assert apply(apply(pending, fill(1, "4")), event(e.ReplaceRejected)).status is OrderStatus.PARTIALLY_FILLED
    assert apply(pending, event(e.OrderReplaced)).status is OrderStatus.REPLACED


def test_an_order_by_notional_is_filled_by_the_execution_that_leaves_nothing() -> None:
    request = OrderRequest("a.1", "KO", Side.BUY, Decimal(0), "test", notional=Decimal(500))
    order = open_order(e.OrderInitialized(NOW, request)).with_(status=OrderStatus.ACCEPTED)
    assert order.remaining == 0
    part = apply(order, fill(1, "6", leaves=Decimal(4)))
    assert (part.status, part.filled_quantity) == (OrderStatus.PARTIALLY_FILLED, Decimal(6))
    whole = apply(part, fill(2, "4", leaves=Decimal(0)))
    assert (whole.status, whole.filled_notional) == (OrderStatus.FILLED, Decimal(500))


@pytest.mark.parametrize("status", list(OrderStatus))
@pytest.mark.parametrize("kind", [*LEGAL, e.OrderInitialized])
def test_what_the_table_does_not_allow_raises(status: OrderStatus, kind: type) -> None:
    order = order_in(status)
    happened = e.OrderInitialized(NOW, REQUEST) if kind is e.OrderInitialized else event(kind)
    if status in LEGAL.get(kind, frozenset()):
        apply(order, happened)
    else:
        with pytest.raises(IllegalTransitionError):
            apply(order, happened)


def test_finished_orders_take_nothing_but_late_fills_and_being_found() -> None:
    final = {status for status in OrderStatus if status.is_final}
    allowed: dict[type, set[OrderStatus]] = {
        e.OrderFilled: {OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.REPLACED},
        e.OrderFound: {OrderStatus.REJECTED, OrderStatus.CANCELED},
    }
    for kind, states in LEGAL.items():
        assert states & final == allowed.get(kind, set())


@pytest.mark.parametrize(
    ("asked", "ended"), [(False, OrderStatus.REJECTED), (True, OrderStatus.CANCELED)], ids=["sent", "called off"]
)
def test_an_order_that_was_given_up_works_again_where_it_is_found(asked: bool, ended: OrderStatus) -> None:
    order = apply(order_in(OrderStatus.INITIALIZED), e.OrderSubmitted(NOW, "a.1"))
    if asked:
        order = apply(order, e.PendingCancel(NOW, "a.1"))
    lost = apply(order, e.OrderGivenUp(NOW, "a.1", "gone"))
    assert (lost.status, lost.is_lost, lost.not_sent, lost.reason) == (ended, True, False, "gone")
    found = apply(lost, e.OrderFound(NOW, "a.1", "venue-1"))
    assert (found.status, found.is_lost, found.venue_order_id) == (OrderStatus.ACCEPTED, False, "venue-1")
    assert apply(found, fill(1, "10")).status is OrderStatus.FILLED


@pytest.mark.parametrize("ending", [e.OrderCanceled, e.OrderRejected])
def test_an_order_that_the_venue_has_ended_is_never_found(ending: type) -> None:
    with pytest.raises(IllegalTransitionError):
        apply(apply(accepted(), event(ending)), event(e.OrderFound))


@given(st.lists(st.sampled_from([*LEGAL]) | st.tuples(st.integers(0, 5), st.integers(1, 6)), max_size=25))
def test_filled_quantity_never_falls_and_never_exceeds_the_order(steps: list[Any]) -> None:
    order = open_order(e.OrderInitialized(NOW, REQUEST))
    seen: set[str] = set()
    total = Decimal(0)
    for step in steps:
        happened = fill(step[0], str(step[1])) if isinstance(step, tuple) else event(step)
        before = order
        try:
            order = apply(order, happened)
        except TradingError:
            assert order is before
            continue
        if isinstance(happened, e.OrderFilled) and happened.fill.execution_id not in seen:
            seen.add(happened.fill.execution_id)
            total += happened.fill.quantity
        assert order.filled_quantity == total <= REQUEST.quantity
        assert order.execution_ids == seen
        assert (order.status is OrderStatus.FILLED) == (total == REQUEST.quantity)
