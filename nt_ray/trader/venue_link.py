"""An account's link to its venue: what it asks there, turned into events for the journal.

It sends, cancels, looks up orders in doubt and collects what is new. It decides nothing about money and
writes nothing; whatever it learns comes back as events that are legal for the orders as they stand, so that
no answer of a venue can spoil the journal. A venue that cannot be reached gives no events; what is in doubt
stays in doubt.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from nt_ray.brokers.base import AmbiguousError, Broker, NotSentError, OrderRejectedError, VenueOrder
from nt_ray.trader.books import Books
from nt_ray.trading import events as e
from nt_ray.trading.lifecycle import apply
from nt_ray.trading.orders import Fill, Order, OrderRequest, OrderStatus

_SILENT: Final = (NotSentError, AmbiguousError)
"""The venue gave no answer."""


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
        return "" if request.time_in_force in able.times_in_force else f"time in force {request.time_in_force}"

    def send(self, request: OrderRequest, now: datetime) -> e.OrderEvent | None:
        """Send one order; return what became of it, or None where that is unknown."""
        try:
            answer = self._broker.submit_order(request)
        except NotSentError as error:
            return e.OrderRejected(now, request.client_order_id, str(error), not_sent=True)
        except OrderRejectedError as error:
            return e.OrderRejected(now, request.client_order_id, str(error))
        except AmbiguousError:
            return None
        return e.OrderAccepted(now, request.client_order_id, answer.venue_order_id)

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

    def settle(self, order: Order, now: datetime) -> e.OrderEvent | None:
        """Find out about an order in doubt; one that provably never arrived is sent under the same id."""
        client_order_id = order.request.client_order_id
        try:
            found = self._broker.order(client_order_id)
        except _SILENT:
            return None
        if order.status is OrderStatus.PENDING_CANCEL:
            return self._settle_cancel(client_order_id, found, now)
        if found is None:
            return self.send(order.request, now) if self._capabilities.lookup_proves_absence else None
        if found.status is OrderStatus.REJECTED:
            return e.OrderRejected(now, client_order_id, "The venue rejected the order.")
        return e.OrderAccepted(now, client_order_id, found.venue_order_id)

    def news(self, books: Books, now: datetime) -> list[e.Event]:
        """Executions and endings that the books do not have yet, in the order in which they apply."""
        try:
            fills = self._broker.fills(len(books.fills))
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
            elif found.status is OrderStatus.REJECTED and order.status is OrderStatus.ACCEPTED:
                events.append(e.OrderRejected(now, client_order_id, "The venue rejected the order."))
        return events


def _new_fills(books: Books, fills: Iterable[Fill], now: datetime) -> tuple[dict[str, Order], list[e.Event]]:
    """Rehearse fills: the orders they change, the events of new ones; raises for an illegal one."""
    changed: dict[str, Order] = {}
    events: list[e.Event] = []
    for fill in fills:
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
