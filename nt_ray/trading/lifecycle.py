"""The life of an order: the fold `apply(order, event) -> order`, with checked transitions.

    INITIALIZED -> DENIED | SUBMITTED
    SUBMITTED -> ACCEPTED | REJECTED
    ACCEPTED -> PARTIALLY_FILLED -> FILLED | CANCELED | EXPIRED | REPLACED

PENDING_CANCEL and PENDING_REPLACE stand between a request to the venue and its answer. An order that is taken as
never arrived (REJECTED, or CANCELED where its cancel was on the way) works again where the venue shows it after all.

Guarantees: an illegal transition raises `TradingError` and changes nothing; an execution id is applied once;
the filled quantity never falls and never exceeds the order; a fill that arrives late, after CANCELED, EXPIRED or
REPLACED, counts. An order by notional is FILLED by the execution that leaves nothing.
"""

from typing import Final

from nt_ray.errors import TradingError
from nt_ray.trading.events import (
    CancelRejected,
    OrderAccepted,
    OrderCanceled,
    OrderDenied,
    OrderEvent,
    OrderExpired,
    OrderFilled,
    OrderFound,
    OrderGivenUp,
    OrderInitialized,
    OrderRejected,
    OrderReplaced,
    OrderSubmitted,
    PendingCancel,
    PendingReplace,
    ReplaceRejected,
)
from nt_ray.trading.orders import Fill, Order, OrderStatus

_WORKING: Final = frozenset(
    {
        OrderStatus.SUBMITTED,
        OrderStatus.ACCEPTED,
        OrderStatus.PARTIALLY_FILLED,
        OrderStatus.PENDING_CANCEL,
        OrderStatus.PENDING_REPLACE,
    }
)
_LATE: Final = frozenset({OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.REPLACED})

LEGAL: Final[dict[type, frozenset[OrderStatus]]] = {
    OrderDenied: frozenset({OrderStatus.INITIALIZED}),
    OrderSubmitted: frozenset({OrderStatus.INITIALIZED}),
    OrderAccepted: frozenset({OrderStatus.SUBMITTED}),
    OrderRejected: frozenset({OrderStatus.SUBMITTED, OrderStatus.ACCEPTED}),
    OrderGivenUp: frozenset({OrderStatus.SUBMITTED, OrderStatus.PENDING_CANCEL}),
    OrderFound: frozenset({OrderStatus.REJECTED, OrderStatus.CANCELED}),
    OrderFilled: _WORKING | _LATE,
    PendingCancel: _WORKING - {OrderStatus.PENDING_CANCEL},
    CancelRejected: frozenset({OrderStatus.PENDING_CANCEL}),
    OrderCanceled: _WORKING,
    PendingReplace: _WORKING - {OrderStatus.PENDING_CANCEL, OrderStatus.PENDING_REPLACE},
    ReplaceRejected: frozenset({OrderStatus.PENDING_REPLACE}),
    OrderReplaced: _WORKING,
    OrderExpired: _WORKING,
}
"""From which states each event may come."""


class IllegalTransitionError(TradingError):
    """An event that the order's state does not allow."""

    def __init__(self, order: Order, event: object) -> None:
        super().__init__(
            f"Order {order.request.client_order_id} is {order.status} and cannot take "
            f"{type(event).__name__}. Compare the journal with the venue's record of this order."
        )


class OverfillError(TradingError):
    """An execution that is larger than what is left of the order."""

    def __init__(self, order: Order, fill: Fill) -> None:
        super().__init__(
            f"Execution {fill.execution_id} of {fill.quantity} exceeds order {fill.client_order_id}: "
            f"{order.filled_quantity} of {order.request.quantity} are filled. Compare with the venue."
        )


class ForeignFillError(TradingError):
    """An execution that does not belong to the order."""

    def __init__(self, order: Order, fill: Fill) -> None:
        super().__init__(
            f"Execution {fill.execution_id} ({fill.side} {fill.symbol} for {fill.client_order_id}) does "
            f"not belong to order {order.request.client_order_id}. Check the venue's client ids."
        )


def open_order(event: OrderInitialized) -> Order:
    """Order as its first event makes it."""
    return Order(event.request)


def apply(order: Order, event: OrderEvent) -> Order:
    """Fold one event into an order; raise `TradingError` where the order's state does not allow it."""
    if isinstance(event, OrderFilled) and event.fill.execution_id in order.execution_ids:
        return order
    if event.client_order_id != order.request.client_order_id and not isinstance(event, OrderFilled):
        raise IllegalTransitionError(order, event)
    if order.status not in LEGAL.get(type(event), frozenset()):
        raise IllegalTransitionError(order, event)
    if isinstance(event, OrderFound) and not order.is_lost:
        raise IllegalTransitionError(order, event)
    return _step(order, event)


_PLAIN: Final[dict[type, OrderStatus]] = {
    OrderCanceled: OrderStatus.CANCELED,
    OrderExpired: OrderStatus.EXPIRED,
    PendingCancel: OrderStatus.PENDING_CANCEL,
    PendingReplace: OrderStatus.PENDING_REPLACE,
    OrderReplaced: OrderStatus.REPLACED,
}
"""Events that change the state alone."""


def _step(order: Order, event: OrderEvent) -> Order:
    plain = _PLAIN.get(type(event))
    if plain is not None:
        return order.with_(status=plain)
    match event:
        case OrderSubmitted():
            return order.with_(status=OrderStatus.SUBMITTED, submitted_at=event.time)
        case OrderAccepted():
            return order.with_(status=OrderStatus.ACCEPTED, venue_order_id=event.venue_order_id)
        case OrderFilled():
            return _fill(order, event.fill)
        case OrderDenied():
            return order.with_(status=OrderStatus.DENIED, reason=event.reason, rule=event.rule)
        case OrderRejected():
            told = {"reason": event.reason, "not_sent": event.not_sent, "verdict": event.verdict}
            return order.with_(status=OrderStatus.REJECTED, **told)
        case OrderGivenUp():
            ended = OrderStatus.REJECTED if order.status is OrderStatus.SUBMITTED else OrderStatus.CANCELED
            return order.with_(status=ended, reason=event.reason, given_up=True)
        case OrderFound():
            status = OrderStatus.PARTIALLY_FILLED if order.filled_quantity else OrderStatus.ACCEPTED
            ours = {"venue_order_id": event.venue_order_id or order.venue_order_id, "reason": ""}
            return order.with_(status=status, not_sent=False, given_up=False, **ours)
        case CancelRejected() | ReplaceRejected():
            return order.with_(status=_working(order), reason=event.reason)
        case _:
            raise IllegalTransitionError(order, event)


def _working(order: Order) -> OrderStatus:
    """State of an order that the venue works, by what has filled and whether it was acknowledged."""
    if order.filled_quantity:
        return OrderStatus.PARTIALLY_FILLED
    return OrderStatus.ACCEPTED if order.venue_order_id else OrderStatus.SUBMITTED


def _fill(order: Order, fill: Fill) -> Order:
    request = order.request
    own = (fill.client_order_id, fill.symbol, fill.side)
    if own != (request.client_order_id, request.symbol, request.side):
        raise ForeignFillError(order, fill)
    filled = order.filled_quantity + fill.quantity
    by_notional = request.notional is not None
    if fill.quantity <= 0 or (filled > request.quantity and not by_notional):
        raise OverfillError(order, fill)
    status = order.status
    if fill.leaves == 0 if by_notional else filled == request.quantity:
        status = OrderStatus.FILLED
    elif status in (OrderStatus.SUBMITTED, OrderStatus.ACCEPTED):
        status = OrderStatus.PARTIALLY_FILLED
    return order.with_(
        status=status,
        filled_quantity=filled,
        filled_notional=order.filled_notional + fill.notional,
        commission=order.commission + fill.commission,
        execution_ids=order.execution_ids | {fill.execution_id},
    )
