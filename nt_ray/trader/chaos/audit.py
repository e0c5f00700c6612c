"""The audit after a drill: venue, journal, books and the witness's notes, compared order by order.

It believes nobody: the venue's own book is read and not what an adapter says of it, positions and cash are added up
anew from executions, and the state of each order is folded anew from every event. What a drill leaves is in order where
no fault is named.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from nt_ray.storage.journal import Journal
from nt_ray.trader.books import Books
from nt_ray.trader.chaos.witness import Testimony, terms
from nt_ray.trader.reconciliation import Reconciliation
from nt_ray.trading import events as e
from nt_ray.trading.orders import Order, OrderStatus

ZERO: Final = Decimal(0)
LIVE: Final = frozenset({OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED})
NOT_HELD: Final = frozenset({OrderStatus.DENIED, OrderStatus.REJECTED, OrderStatus.INITIALIZED})
"""States of orders that the venue must not have."""


@dataclass(frozen=True, slots=True)
class Held:
    """An order as the venue keeps it. `status` is LIVE's first where it works there."""

    client_order_id: str
    symbol: str
    is_buy: bool
    quantity: Decimal | None
    filled: Decimal
    status: OrderStatus


@dataclass(frozen=True, slots=True)
class VenueRecord:
    """The venue's own book: every order it has ever taken, positions, and cash where it keeps some."""

    orders: Sequence[Held]
    positions: Mapping[str, Decimal]
    cash: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Audit:
    """What was found. A drill is passed where `faults` is empty."""

    orders: int
    at_venue: int
    executions: int
    events: int
    faults: tuple[str, ...]


def audit(
    books: Books, journal: Journal, venue: VenueRecord, comparison: Reconciliation, heard: Testimony | None = None
) -> Audit:
    """Check what a drill has left.

    Parameters
    ----------
    books, journal
        Of the account, recovered and without the gremlin.
    venue
        The venue's own book.
    comparison
        `Account.reconcile` of just now.
    heard
        What the account was asked for and what it told; None where nobody took notes.
    """
    faults = [
        *_chain(journal),
        *_orders(books, venue.orders),
        *_money(books, venue),
        *_replay(books, journal),
        *([] if heard is None else _words(books, journal, venue.orders, heard)),
        *(f"{d.kind} {d.key}: ours {d.ours}, venue {d.venue}" for d in comparison.differences),
    ]
    return Audit(len(books.orders), len(venue.orders), len(books.fills), journal.written, tuple(faults))


def _chain(journal: Journal) -> Iterator[str]:
    broken = journal.verify().fault
    if broken is not None:
        yield f"journal: event {broken.seq}: {broken.reason}"
    newest = 0
    for row in journal.rows():
        if row.epoch < newest:
            yield f"journal: event {row.seq} is of epoch {row.epoch}, written after epoch {newest} had begun"
        newest = max(newest, row.epoch)


def _orders(books: Books, held: Sequence[Held]) -> Iterator[str]:
    """Each order in one state, the same on both sides."""
    counts = Counter(order.client_order_id for order in held)
    yield from (f"{name}: {count} orders at the venue" for name, count in counts.items() if count > 1)
    at_venue = {order.client_order_id: order for order in held}
    yield from (f"{name}: at the venue and not in the journal" for name in sorted(at_venue.keys() - books.orders))
    for name, order in books.orders.items():
        theirs = at_venue.get(name)
        if not order.status.is_final and order.status not in LIVE:
            yield f"{name}: left {order.status}"
        # What was called off before it arrived is cancelled, and the venue has never heard of it.
        unheard = NOT_HELD if order.venue_order_id else NOT_HELD | {OrderStatus.CANCELED}
        if theirs is None and (order.status not in unheard or order.filled_quantity):
            yield f"{name}: {order.status} and not at the venue"
        if theirs is not None:
            yield from _one(order, theirs)


def _one(order: Order, theirs: Held) -> Iterator[str]:
    request, name = order.request, theirs.client_order_id
    ours = OrderStatus.ACCEPTED if order.status in LIVE else order.status
    if ours is not theirs.status:
        yield f"{name}: {order.status} in the books and {theirs.status} at the venue"
    if order.filled_quantity != theirs.filled:
        yield f"{name}: {order.filled_quantity} filled in the books and {theirs.filled} at the venue"
    asked = (request.symbol, request.side.sign > 0, None if request.notional is not None else request.quantity)
    got = (theirs.symbol, theirs.is_buy, None if request.notional is not None else theirs.quantity)
    if asked != got:
        yield f"{name}: {asked} in the books and {got} at the venue"


def _money(books: Books, venue: VenueRecord) -> Iterator[str]:
    """Executions added up anew; they are all that moves positions and, beside deposits, cash."""
    ledger = books.ledger
    total = sum(ledger.balances.values(), ZERO)
    if total:
        yield f"ledger: accounts sum to {total}"
    twice = Counter(fill.execution_id for fill in books.fills)
    yield from (f"execution {name}: booked {count} times" for name, count in twice.items() if count > 1)
    filled: defaultdict[str, Decimal] = defaultdict(Decimal)
    positions: defaultdict[str, Decimal] = defaultdict(Decimal)
    cash = sum(books.deposits.values(), ZERO)
    for fill in books.fills:
        filled[fill.client_order_id] += fill.quantity
        positions[fill.symbol] += fill.signed_quantity
        cash -= fill.signed_quantity * fill.price + fill.commission
    for name, order in books.orders.items():
        if filled[name] != order.filled_quantity:
            yield f"{name}: {order.filled_quantity} filled, and executions of {filled[name]}"
    booked = {symbol: position.quantity for symbol, position in ledger.positions().items()}
    for symbol in sorted({*positions, *booked, *venue.positions}):
        three = (positions[symbol], booked.get(symbol, ZERO), venue.positions.get(symbol, ZERO))
        if len(set(three)) > 1:
            yield f"{symbol}: executions {three[0]}, ledger {three[1]}, venue {three[2]}"
    if ledger.cash != cash or venue.cash not in (None, cash):
        yield f"cash: executions {cash}, ledger {ledger.cash}, venue {venue.cash}"


def _replay(books: Books, journal: Journal) -> Iterator[str]:
    """Books folded anew from every event must be the same."""
    again = Books(books.ledger.currency, lots=books.ledger.method)
    for entry in journal.read():
        again.apply(entry.event)
    ours, theirs = ((b.orders, b.fills, b.ledger.balances, b.ledger.positions()) for b in (books, again))
    if ours != theirs:
        yield "journal: a replay of all events gives other books"


def _words(books: Books, journal: Journal, held: Sequence[Held], heard: Testimony) -> Iterator[str]:
    """What was never asked for, was asked for in other words, or is no longer what was told."""
    yield from (f"a life ended by {error}" for error in heard.crashes)
    names = {order.client_order_id for order in held}
    for name in sorted((books.orders.keys() | names) - heard.asked.keys()):
        yield f"{name}: nobody asked for it"
    for name, asked in heard.asked.items():
        if name in books.orders and asked != {terms(books.orders[name].request)}:
            yield f"{name}: asked for as {sorted(asked)}, in the books as {terms(books.orders[name].request)}"
    # What was given up may arrive after all, which the journal says and which stops the account.
    found = {entry.event.client_order_id for entry in journal.read() if isinstance(entry.event, e.OrderFound)}
    for name, told in heard.told.items():
        order = books.orders.get(name)
        if order is None:
            yield f"{name}: told {told[-1][0]} and not in the journal"
            continue
        final = next((status for status, _ in told if status.is_final), None)
        if final is not None and order.status is not final and name not in found:
            yield f"{name}: told {final}, now {order.status}"
        if any(status in LIVE for status, _ in told) and not order.venue_order_id:
            yield f"{name}: told it was accepted, and the journal does not know"
        if any(not_sent for _, not_sent in told) and name in names:
            yield f"{name}: told it was not sent, and it is at the venue"
