"""What an account asks its venue and what the answers mean, apart from the asking.

An `Inquiry` is taken from the books, asked without them, and its `Answers` are held against the books as they are by
then. So orders pass while the venue is slow, and an answer that has been overtaken says nothing: whatever comes back
here is legal for the orders as they stand, so that no answer of a venue can spoil the journal. Orders in flight, whose
sender waits for the venue's word, are left alone. What a venue tells and cannot be is set aside and named, once. Pushes
may be lost, come twice or in any order: an execution is applied once by its id, and the next inquiry finds what is
missing.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from nt_ray.brokers.base import VenueOrder, VenueUpdate
from nt_ray.brokers.custody import VenueActivity
from nt_ray.errors import TradingError
from nt_ray.risk.standing import Standing
from nt_ray.trader.books import Books
from nt_ray.trader.intake import units
from nt_ray.trading import events as e
from nt_ray.trading.lifecycle import LEGAL, apply
from nt_ray.trading.orders import Fill, Order, OrderRequest, OrderStatus
from nt_ray.trading.verdict import Verdict

_LATE: Final = timedelta(minutes=1)
"""How much older than the newest booked execution one that a venue reports late may be."""

_UNKNOWN: Final = "The venue does not know it, and it is too late now; it may arrive after all."

_LOST: Final = timedelta(days=1)
"""How long an order that was given up is looked for among those that work."""


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
    given_up: frozenset[str] = frozenset()
    """Ids of orders that were taken as never arrived not long ago."""
    activities_since: datetime | None = None
    """From when on to ask for what was booked without an order; None: not now."""

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
    returned: Sequence[VenueOrder] = ()
    """Orders that were given up and work or have traded at the venue."""
    activities: Sequence[VenueActivity] | None = None
    """What was booked without an order; None where that was not asked for, or not answered."""
    silence: str = ""
    """Why the venue did not answer; empty where it did."""
    standing: Standing | None = None
    """What the venue does not let the account trade; None where it did not say."""


def inquire(
    books: Books, in_flight: Collection[str], now: datetime, may_send: Callable[[Sequence[Order]], bool]
) -> Inquiry:
    """Take from the books what the venue has to be asked."""
    since = books.fills[-1].time - _LATE if books.fills else books.oldest_execution
    orders = {i: books.orders[i] for i in books.open if i not in in_flight}
    cancels = [(o,) for o in orders.values() if o.status is OrderStatus.PENDING_CANCEL]
    sent = units([o.request for o in orders.values() if o.status is OrderStatus.SUBMITTED])
    together = [tuple(orders[request.client_order_id] for request in unit) for unit in sent]
    doubts = tuple(Doubt(group, may_send(group)) for group in (*cancels, *together))
    return Inquiry(now, since, doubts, orders, frozenset(i for i, at in books.given_up.items() if now - at < _LOST))


def left_open(inquiry: Inquiry, settled: Iterable[e.OrderEvent], fills: Iterable[Fill]) -> list[str]:
    """Ids of the orders of an inquiry that the venue should still work, after what it has said already."""
    orders = dict(inquiry.open)
    for event in (*settled, *(e.OrderFilled(inquiry.time, fill) for fill in fills)):
        order = orders.get(event.client_order_id)
        if order is not None and order.status in LEGAL[type(event)]:
            # What cannot be is for `news` to set aside.
            with suppress(TradingError):
                orders[event.client_order_id] = apply(order, event)
    return [i for i, order in orders.items() if order.status.is_open and order.status is not OrderStatus.SUBMITTED]


def news(books: Books, answers: Answers, in_flight: Collection[str]) -> list[e.Event]:
    """Executions and endings that the books do not have yet, in the order in which they apply."""
    hearing = Hearing(books, answers.time)
    for found in answers.returned:
        if found.client_order_id not in in_flight:
            hearing.find(found.client_order_id, found.venue_order_id)
    for fill in answers.fills:
        # Executions of orders that did not pass through this account stop nothing; a reconciliation names them.
        if books.knows(fill.client_order_id) and fill.client_order_id not in in_flight:
            hearing.find(fill.client_order_id)
            hearing.execute(fill)
    for found in answers.ended:
        if found.client_order_id not in in_flight:
            hearing.end(found)
    return hearing.events


def heard(
    books: Books, updates: Iterable[VenueUpdate], in_flight: Collection[str], now: datetime
) -> tuple[list[e.Event], list[VenueUpdate]]:
    """Events of pushes that tell something new, and pushes about orders in flight, to be heard again later."""
    hearing = Hearing(books, now)
    waiting: list[VenueUpdate] = []
    for update in updates:
        name = update.order.client_order_id
        if not books.knows(name):
            continue
        if name in in_flight:
            waiting.append(update)
            continue
        if update.fill is not None or update.order.status.is_open:
            hearing.find(name, update.order.venue_order_id)
        hearing.arrive(update.order)
        if update.fill is not None:
            hearing.execute(update.fill)
        hearing.end(update.order)
    return hearing.events, waiting


class Hearing:
    """What a venue tells, held against the orders as they stand: `events` are those of it that are new and can be.

    What cannot be (an execution of an order that the venue has refused, one that is larger than its order) becomes a
    dispute, once, and the rest goes on.
    """

    def __init__(self, books: Books, now: datetime) -> None:
        self._books = books
        self._now = now
        self._orders: dict[str, Order] = {}
        self.events: list[e.Event] = []

    def find(self, name: str, venue_order_id: str = "") -> None:
        """Take an order that was given up back, since the venue has it."""
        if self._order(name).is_lost:
            self._take(e.OrderFound(self._now, name, venue_order_id), f"{name} at the venue")

    def arrive(self, found: VenueOrder) -> None:
        """Hear of an order in doubt; a replacement is settled together with what it replaces."""
        order = self._order(found.client_order_id)
        if order.status is OrderStatus.SUBMITTED and not order.request.replaces:
            self._take(arrived(order.request, found, self._now)[0], f"{found.client_order_id} {found.status}")

    def execute(self, fill: Fill) -> None:
        """Hear of an execution."""
        self._take(e.OrderFilled(self._now, fill), fill.execution_id)

    def end(self, found: VenueOrder) -> None:
        """Hear how an order stands that may have ended."""
        event = _ending(self._order(found.client_order_id), found, self._now)
        if event is not None:
            self._take(event, f"{found.client_order_id} {found.status}")

    def _order(self, name: str) -> Order:
        return self._orders.get(name) or self._books.order(name)

    def _take(self, event: e.OrderEvent, fact: str) -> None:
        order = self._order(event.client_order_id)
        if fact in self._books.settled:
            return
        try:
            after = apply(order, event)
            if isinstance(event, e.OrderFilled):
                self._books.ledger.admit(event.fill)
        except TradingError as error:
            if fact not in self._books.disputes:
                self.events.append(e.FactDisputed(self._now, event.client_order_id, fact, str(error)))
            return
        if after is not order:
            self._orders[event.client_order_id] = after
            self.events.append(event)


def arrived(request: OrderRequest, found: VenueOrder, now: datetime) -> list[e.OrderEvent]:
    """Tell of an order in doubt that the venue knows."""
    if found.status is OrderStatus.REJECTED:
        return refusals([request], "The venue rejected the order.", now, not_sent=False)
    accepted = e.OrderAccepted(now, request.client_order_id, found.venue_order_id)
    if request.replaces:
        return [e.OrderReplaced(now, request.replaces, request.client_order_id), accepted]
    return [accepted]


def refusals(
    requests: Sequence[OrderRequest], reason: str, now: datetime, *, not_sent: bool, verdict: Verdict | None = None
) -> list[e.OrderEvent]:
    """Tell of orders that the venue does not hold; one that was to be replaced works on."""
    events: list[e.OrderEvent] = []
    for request in requests:
        if request.replaces:
            events.append(e.ReplaceRejected(now, request.replaces, reason))
        events.append(e.OrderRejected(now, request.client_order_id, reason, not_sent, verdict))
    return events


def legal(books: Books, events: Iterable[e.OrderEvent]) -> list[e.OrderEvent]:
    """Leave out answers that have been overtaken: their order has ended, or was told the same, in the meantime."""
    return [event for event in events if books.order(event.client_order_id).status in LEGAL[type(event)]]


def given_up(orders: Sequence[Order], now: datetime) -> list[e.OrderEvent]:
    """Tell of orders in doubt that the venue does not know; one that was to be replaced works on."""
    events: list[e.OrderEvent] = []
    for order in orders:
        request = order.request
        if request.replaces:
            events.append(e.ReplaceRejected(now, request.replaces, _UNKNOWN))
        events.append(e.OrderGivenUp(now, request.client_order_id, _UNKNOWN))
    return events


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
