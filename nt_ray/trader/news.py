"""What an account asks its venue and what the answers mean, apart from the asking.

An `Inquiry` is taken from the books, asked without them, and its `Answers` are held against the books as they are by
then. So orders pass while the venue is slow, and an answer that has been overtaken says nothing: whatever comes back
here is legal for the orders as they stand, so that no answer of a venue can spoil the journal. Orders in flight, whose
sender waits for the venue's word, are left alone. Pushes may be lost, come twice or in any order: an execution is
applied once by its id, and the next inquiry finds what is missing.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from nt_ray.brokers.base import VenueOrder, VenueUpdate
from nt_ray.trader.books import Books
from nt_ray.trader.intake import units
from nt_ray.trading import events as e
from nt_ray.trading.lifecycle import LEGAL, apply
from nt_ray.trading.orders import Fill, Order, OrderRequest, OrderStatus

_LATE: Final = timedelta(minutes=1)
"""How much older than the newest booked execution one that a venue reports late may be."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """Orders in doubt that were sent in one call, and whether they may be sent again where they never arrived.

    One that is to be replaced is settled with its replacement.
    """

    orders: tuple[Order, ...]
    may_send: bool


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What is asked at a time: doubts, executions since a time, and what became of open orders, by client id."""

    time: datetime
    since: datetime | None
    doubts: tuple[Doubt, ...]
    open: Mapping[str, Order]

    @property
    def doubtful(self) -> list[str]:
        """Ids of the orders in doubt."""
        return [order.request.client_order_id for doubt in self.doubts for order in doubt.orders]


@dataclass(frozen=True, slots=True)
class Answers:
    """What the venue said: of doubts, executions, and orders that it no longer works. Silence adds nothing."""

    time: datetime
    settled: Sequence[e.OrderEvent] = ()
    fills: Sequence[Fill] = ()
    ended: Sequence[VenueOrder] = ()
    silence: str = ""
    """Why the venue did not answer; empty where it did."""


def inquire(
    books: Books, in_flight: Collection[str], now: datetime, may_send: Callable[[Sequence[Order]], bool]
) -> Inquiry:
    """Take from the books what the venue has to be asked."""
    since = max((fill.time - _LATE for fill in books.fills[-1:]), default=None)
    orders = {i: books.orders[i] for i in books.open if i not in in_flight}
    cancels = [(o,) for o in orders.values() if o.status is OrderStatus.PENDING_CANCEL]
    sent = units([o.request for o in orders.values() if o.status is OrderStatus.SUBMITTED])
    together = [tuple(orders[request.client_order_id] for request in unit) for unit in sent]
    return Inquiry(now, since, tuple(Doubt(group, may_send(group)) for group in (*cancels, *together)), orders)


def left_open(inquiry: Inquiry, settled: Iterable[e.OrderEvent], fills: Iterable[Fill]) -> list[str]:
    """Ids of the orders of an inquiry that the venue should still work, after what it has said already."""
    orders = dict(inquiry.open)
    for event in (*settled, *(e.OrderFilled(inquiry.time, fill) for fill in fills)):
        order = orders.get(event.client_order_id)
        if order is not None and order.status in LEGAL[type(event)]:
            orders[event.client_order_id] = apply(order, event)
    return [i for i, order in orders.items() if order.status.is_open and order.status is not OrderStatus.SUBMITTED]


def news(books: Books, answers: Answers, in_flight: Collection[str]) -> list[e.Event]:
    """Executions and endings that the books do not have yet, in the order in which they apply."""
    orders, events = _new_fills(books, (f for f in answers.fills if f.client_order_id not in in_flight), answers.time)
    for found in answers.ended:
        order = orders.get(found.client_order_id) or books.order(found.client_order_id)
        event = _ending(order, found, answers.time)
        if event is not None and found.client_order_id not in in_flight:
            events.append(event)
    return events


def heard(
    books: Books, updates: Iterable[VenueUpdate], in_flight: Collection[str], now: datetime
) -> tuple[list[e.Event], list[VenueUpdate]]:
    """Events of pushes that tell something new, and pushes about orders in flight, to be heard again later."""
    orders: dict[str, Order] = {}
    events: list[e.Event] = []
    waiting: list[VenueUpdate] = []
    for update in updates:
        name = update.order.client_order_id
        if not books.knows(name):
            continue
        if name in in_flight:
            waiting.append(update)
            continue
        order = orders.get(name) or books.order(name)
        for stage in (_arrival, _execution, _ending_of):
            event = stage(order, update, now)
            if event is None or order.status not in LEGAL[type(event)]:
                continue
            after = apply(order, event)
            if after is not order:
                if isinstance(event, e.OrderFilled):
                    books.ledger.admit(event.fill)
                events.append(event)
                order = orders[name] = after
    return events, waiting


def arrived(request: OrderRequest, found: VenueOrder, now: datetime) -> list[e.OrderEvent]:
    """Tell of an order in doubt that the venue knows."""
    if found.status is OrderStatus.REJECTED:
        return refusals([request], "The venue rejected the order.", now, not_sent=False)
    accepted = e.OrderAccepted(now, request.client_order_id, found.venue_order_id)
    if request.replaces:
        return [e.OrderReplaced(now, request.replaces, request.client_order_id), accepted]
    return [accepted]


def refusals(requests: Sequence[OrderRequest], reason: str, now: datetime, *, not_sent: bool) -> list[e.OrderEvent]:
    """Tell of orders that the venue does not hold; one that was to be replaced works on."""
    events: list[e.OrderEvent] = []
    for request in requests:
        if request.replaces:
            events.append(e.ReplaceRejected(now, request.replaces, reason))
        events.append(e.OrderRejected(now, request.client_order_id, reason, not_sent=not_sent))
    return events


def legal(books: Books, events: Iterable[e.OrderEvent]) -> list[e.OrderEvent]:
    """Leave out answers that have been overtaken: their order has ended, or was told the same, in the meantime."""
    return [event for event in events if books.order(event.client_order_id).status in LEGAL[type(event)]]


def _arrival(order: Order, update: VenueUpdate, now: datetime) -> e.OrderEvent | None:
    """What a push says of an order in doubt; a replacement is settled together with what it replaces."""
    if order.status is not OrderStatus.SUBMITTED or order.request.replaces:
        return None
    return arrived(order.request, update.order, now)[0]


def _execution(_: Order, update: VenueUpdate, now: datetime) -> e.OrderEvent | None:
    return None if update.fill is None else e.OrderFilled(now, update.fill)


def _ending_of(order: Order, update: VenueUpdate, now: datetime) -> e.OrderEvent | None:
    return _ending(order, update.order, now)


def _ending(order: Order, found: VenueOrder, now: datetime) -> e.OrderEvent | None:
    """Event of an order that the venue no longer works; an end by execution is told by the executions."""
    name = order.request.client_order_id
    if not order.status.is_open or order.status is OrderStatus.SUBMITTED:
        return None
    if found.status is OrderStatus.CANCELED:
        return e.OrderCanceled(now, name)
    if found.status is OrderStatus.EXPIRED:
        return e.OrderExpired(now, name)
    if found.status is OrderStatus.REPLACED:
        return e.OrderReplaced(now, name, found.replaced_by)
    if found.status is OrderStatus.REJECTED and order.status is OrderStatus.ACCEPTED:
        return e.OrderRejected(now, name, "The venue rejected the order.")
    return None


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
