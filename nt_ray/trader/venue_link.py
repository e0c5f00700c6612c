"""An account's link to its venue: what it asks there, turned into events for the journal.

It sends, replaces, cancels, looks up orders in doubt and collects what is new. It decides nothing about money and
writes nothing; whatever it learns comes back as events that are legal for the orders as they stand, so that
no answer of a venue can spoil the journal. A venue that cannot be reached gives no events; what is in doubt
stays in doubt.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from nt_ray.brokers.base import AmbiguousError, Broker, NotSentError, OrderRejectedError, ReplaceKind, VenueOrder
from nt_ray.trader.books import Books
from nt_ray.trading import events as e
from nt_ray.trading.lifecycle import apply
from nt_ray.trading.orders import Fill, Order, OrderRequest, OrderStatus

_LATE: Final = timedelta(minutes=1)
"""How much older than the newest booked execution one that a venue reports late may be."""

_SILENT: Final = (NotSentError, AmbiguousError)
"""The venue gave no answer."""

DOUBTFUL: Final = (OrderStatus.SUBMITTED, OrderStatus.PENDING_CANCEL)
"""States of orders of which the venue must be asked; one that is to be replaced is settled with its replacement."""


class VenueLink:
    """Link to one venue."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._capabilities = broker.capabilities()

    def cannot(self, request: OrderRequest) -> str:
        """Say what the venue cannot do of a request; empty where it can do all of it."""
        able = self._capabilities
        if request.type not in able.order_types:
            return f"{request.type} orders"
        if request.time_in_force not in able.times_in_force:
            return f"time in force {request.time_in_force}"
        if len(request.client_order_id) > able.longest_client_id:
            return f"client ids of more than {able.longest_client_id} characters"
        wanted = (
            (request.notional is not None and not able.notional, "orders by notional"),
            (request.extended_hours and not able.extended_hours, "orders for extended hours"),
            (request.post_only and not able.post_only, "post-only orders"),
            (request.reduce_only and not able.reduce_only, "reduce-only orders"),
            (bool(request.parent or request.oco_group) and not able.linked, "linked orders"),
            (bool(request.replaces) and able.replace is ReplaceKind.NONE, "replacements"),
        )
        return next((what for missing, what in wanted if missing), "")

    def send(self, requests: Sequence[OrderRequest], now: datetime) -> list[e.OrderEvent]:
        """Send one order, or several that are linked; return what became of them, nothing where that is unknown."""
        first = requests[0]
        try:
            if first.replaces:
                answer = self._broker.replace_order(first)
                return [
                    e.OrderReplaced(now, first.replaces, first.client_order_id),
                    e.OrderAccepted(now, first.client_order_id, answer.venue_order_id),
                ]
            if len(requests) == 1 and not first.parent and not first.oco_group:
                answers = [self._broker.submit_order(first)]
            else:
                answers = self._broker.submit_linked(requests)
        except (NotSentError, OrderRejectedError) as error:
            return _refusals(requests, str(error), now, not_sent=isinstance(error, NotSentError))
        except AmbiguousError:
            return []
        return [
            e.OrderAccepted(now, request.client_order_id, answer.venue_order_id)
            for request, answer in zip(requests, answers, strict=True)
        ]

    def cancel(self, client_order_id: str, now: datetime) -> e.OrderEvent | None:
        """Ask for a cancel; None where the outcome is not known yet."""
        try:
            answer = self._broker.cancel_order(client_order_id)
        except (NotSentError, OrderRejectedError) as error:
            return e.CancelRejected(now, client_order_id, str(error))
        except AmbiguousError:
            return None
        # An order that filled or ended otherwise is for `news` to report, fills first.
        return e.OrderCanceled(now, client_order_id) if answer.status is OrderStatus.CANCELED else None

    def settle(self, orders: Sequence[Order], now: datetime, *, send: bool) -> list[e.OrderEvent]:
        """Find out about orders in doubt that were sent in one call.

        What provably never arrived is sent under its id where `send` allows it, and else told as rejected, not sent.
        """
        try:
            found = [self._broker.order(order.request.client_order_id) for order in orders]
        except _SILENT:
            return []
        first = orders[0]
        if first.status is OrderStatus.PENDING_CANCEL:
            event = self._settle_cancel(first.request.client_order_id, found[0], now)
            return [] if event is None else [event]
        if not any(found):
            if not self._capabilities.lookup_proves_absence:
                return []
            requests = [order.request for order in orders]
            if send:
                return self.send(requests, now)
            return _refusals(requests, "It never reached the venue and is too late now.", now, not_sent=True)
        events: list[e.OrderEvent] = []
        for order, answer in zip(orders, found, strict=True):
            if answer is not None:
                events += _arrived(order.request, answer, now)
        return events

    def news(self, books: Books, now: datetime) -> list[e.Event]:
        """Executions and endings that the books do not have yet, in the order in which they apply."""
        since = max((fill.time - _LATE for fill in books.fills[-1:]), default=None)
        try:
            fills = self._broker.fills(since)
            orders, events = _new_fills(books, fills, now)
            left = [o for o in _open(books, orders) if o.status is not OrderStatus.SUBMITTED]
            if left:
                events.extend(self._endings(left, now))
        except _SILENT:
            return []
        return events

    def _settle_cancel(self, client_order_id: str, found: VenueOrder | None, now: datetime) -> e.OrderEvent | None:
        if found is not None:
            return self.cancel(client_order_id, now) if found.status.is_open else None
        return e.OrderCanceled(now, client_order_id) if self._capabilities.lookup_proves_absence else None

    def _endings(self, orders: Iterable[Order], now: datetime) -> list[e.Event]:
        """Events of orders that the venue no longer works."""
        working = {o.client_order_id for o in self._broker.open_orders()}
        events: list[e.Event] = []
        for order in orders:
            client_order_id = order.request.client_order_id
            found = None if client_order_id in working else self._broker.order(client_order_id)
            if found is None:
                continue
            if found.status is OrderStatus.CANCELED:
                events.append(e.OrderCanceled(now, client_order_id))
            elif found.status is OrderStatus.EXPIRED:
                events.append(e.OrderExpired(now, client_order_id))
            elif found.status is OrderStatus.REPLACED:
                events.append(e.OrderReplaced(now, client_order_id, found.replaced_by))
            elif found.status is OrderStatus.REJECTED and order.status is OrderStatus.ACCEPTED:
                events.append(e.OrderRejected(now, client_order_id, "The venue rejected the order."))
        return events


def _refusals(requests: Sequence[OrderRequest], reason: str, now: datetime, *, not_sent: bool) -> list[e.OrderEvent]:
    """Tell of orders that the venue does not hold; one that was to be replaced works on."""
    events: list[e.OrderEvent] = []
    for request in requests:
        if request.replaces:
            events.append(e.ReplaceRejected(now, request.replaces, reason))
        events.append(e.OrderRejected(now, request.client_order_id, reason, not_sent=not_sent))
    return events


def _arrived(request: OrderRequest, found: VenueOrder, now: datetime) -> list[e.OrderEvent]:
    """Tell of an order in doubt that the venue knows."""
    if found.status is OrderStatus.REJECTED:
        return _refusals([request], "The venue rejected the order.", now, not_sent=False)
    accepted = e.OrderAccepted(now, request.client_order_id, found.venue_order_id)
    if request.replaces:
        return [e.OrderReplaced(now, request.replaces, request.client_order_id), accepted]
    return [accepted]


def legal(books: Books, events: Iterable[e.OrderEvent]) -> list[e.OrderEvent]:
    """Leave out what a replaced order can no longer be told: it may have ended while its replacement was in doubt."""
    kept = []
    for event in events:
        status = books.order(event.client_order_id).status
        if isinstance(event, e.ReplaceRejected) and status is not OrderStatus.PENDING_REPLACE:
            continue
        if isinstance(event, e.OrderReplaced) and status.is_final:
            continue
        kept.append(event)
    return kept


def _new_fills(books: Books, fills: Iterable[Fill], now: datetime) -> tuple[dict[str, Order], list[e.Event]]:
    """Rehearse fills: the orders they change, the events of new ones; raises for an illegal one.

    Executions of orders that did not pass through this account stop nothing; a reconciliation names them.
    """
    changed: dict[str, Order] = {}
    events: list[e.Event] = []
    for fill in fills:
        if not books.knows(fill.client_order_id):
            continue
        before = changed.get(fill.client_order_id) or books.order(fill.client_order_id)
        event = e.OrderFilled(now, fill)
        after = apply(before, event)
        if after is not before:
            books.ledger.admit(fill)
            changed[fill.client_order_id] = after
            events.append(event)
    return changed, events


def _open(books: Books, changed: dict[str, Order]) -> list[Order]:
    """Orders that would still be open after the rehearsal."""
    orders = (changed.get(client_order_id) or books.orders[client_order_id] for client_order_id in books.open)
    return [order for order in orders if order.status.is_open]
