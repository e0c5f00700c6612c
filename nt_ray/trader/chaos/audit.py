"""The audit after a drill: venue, journal and books, compared order by order."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from nt_ray.storage.journal import Journal
from nt_ray.trader.books import Books
from nt_ray.trader.reconciliation import Reconciliation
from nt_ray.trading.orders import OrderStatus

LIVE = frozenset({OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED})


@dataclass(frozen=True, slots=True)
class Audit:
    """What was found. A drill is passed where `faults` is empty."""

    orders: int
    at_venue: int
    executions: int
    events: int
    faults: tuple[str, ...]


def audit(books: Books, journal: Journal, at_venue: Sequence[str], comparison: Reconciliation) -> Audit:
    """Check what a drill has left.

    Parameters
    ----------
    books, journal
        Of the account, recovered and without the gremlin.
    at_venue
        Client order id of every order the venue has ever taken.
    comparison
        `Account.reconcile` of just now.
    """
    broken = journal.verify().fault
    faults = [
        *([] if broken is None else [f"journal: event {broken.seq}: {broken.reason}"]),
        *_twice(at_venue),
        *_states(books, set(at_venue)),
        *_balances(books.ledger.balances),
        *_replay(books, journal),
        *(f"{d.kind} {d.key}: ours {d.ours}, venue {d.venue}" for d in comparison.differences),
    ]
    return Audit(len(books.orders), len(at_venue), len(books.fills), journal.written, tuple(faults))


def _twice(at_venue: Sequence[str]) -> list[str]:
    counts = Counter(at_venue)
    return [f"{client_order_id}: {count} orders at the venue" for client_order_id, count in counts.items() if count > 1]


def _states(books: Books, at_venue: set[str]) -> list[str]:
    """Orders that are neither live nor final, that the venue must have and has not, or the other way round."""
    foreign = sorted(at_venue - set(books.orders))
    faults = [f"{client_order_id}: at the venue and not in the journal" for client_order_id in foreign]
    for client_order_id, order in books.orders.items():
        if not order.status.is_final and order.status not in LIVE:
            faults.append(f"{client_order_id}: left {order.status}")
        taken = order.status in LIVE or order.filled_quantity > 0
        if taken and client_order_id not in at_venue:
            faults.append(f"{client_order_id}: {order.status} and not at the venue")
        if order.status is OrderStatus.DENIED and client_order_id in at_venue:
            faults.append(f"{client_order_id}: denied and at the venue")
    return faults


def _balances(balances: Mapping[str, Decimal]) -> list[str]:
    total = sum(balances.values(), Decimal(0))
    return [f"ledger: accounts sum to {total}"] if total else []


def _replay(books: Books, journal: Journal) -> list[str]:
    """Books folded anew from every event must be the same."""
    again = Books()
    for entry in journal.read():
        again.apply(entry.event)
    ours, theirs = ((b.orders, b.fills, b.ledger.balances) for b in (books, again))
    return [] if ours == theirs else ["journal: a replay of all events gives other books"]
