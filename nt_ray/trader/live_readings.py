"""What can be asked of a live account about its past and its present, for people and for those who follow it.

Reads under the account's lock, changes nothing. The past is folded from the whole journal when it is first asked for,
and followed from then on.
"""

import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from nt_ray.trader.account import Account
from nt_ray.trader.board import Board, newest, usage, value_at_risk
from nt_ray.trader.history import Booking, Changes, Execution, Family, History, OrderRecord
from nt_ray.trader.overview import Overview, overview
from nt_ray.trader.tally import AccountTally, Tally
from nt_ray.trader.worth import Sample
from nt_ray.trading.orders import Side

LONGEST_WAIT_S = 30.0


@dataclass(frozen=True, slots=True)
class OrderQuery:
    """Which orders are asked for. `nested`: legs under the orders they belong to, where those are listed too."""

    status: str = "open"
    """open, closed or all."""
    symbols: frozenset[str] = frozenset()
    side: Side | None = None
    after: datetime | None = None
    until: datetime | None = None
    descending: bool = True
    limit: int = 50
    nested: bool = False


@dataclass(frozen=True, slots=True)
class ActivityQuery:
    """Which activities are asked for; `past` is the number of the last one of the page before."""

    kinds: frozenset[str] = frozenset()
    """fill, deposit, withdrawal, dividend or a charge's word; empty: all."""
    after: datetime | None = None
    until: datetime | None = None
    descending: bool = True
    limit: int = 100
    past: int | None = None


@dataclass(frozen=True, slots=True)
class Activity:
    """One thing that was booked, by its number in the account."""

    number: int
    what: Execution | Booking

    @property
    def time(self) -> datetime:
        """When it happened."""
        return self.what.fill.time if isinstance(self.what, Execution) else self.what.time

    @property
    def kind(self) -> str:
        """Word for it."""
        return "fill" if isinstance(self.what, Execution) else self.what.kind


@dataclass(frozen=True, slots=True)
class EquityCurve:
    """Equity over a span, what it was before, and what was paid in meanwhile."""

    samples: tuple[Sample, ...]
    before: Decimal | None
    paid_in: tuple[Sample, ...]


class LiveReadings:
    """Readings of a live account; `nt_ray.trader.live_account.LiveAccount` fills in what they read."""

    _account: Account
    _changed: threading.Condition
    _history: History | None = None
    _is_closing = False
    _tally: Tally | None = None

    def overview(self) -> Overview:
        """Return the account at a glance."""
        with self._changed:
            account, past = self._account, self._past_of()
            return overview(account.name, account.books, account.limits, account.instruments, past.began_at)

    def look_up(self, id_or_name: str) -> Family | None:
        """Return an order with its legs, by the platform's id or its client id; None where there is none."""
        with self._changed:
            past = self._past_of()
            record = past.find(id_or_name)
            return None if record is None else past.family(record)

    def query(self, query: OrderQuery) -> list[Family]:
        """List orders."""
        with self._changed:
            past = self._past_of()
            found = [record for record in past.listed() if _matches(record, query)]
            if query.nested:
                names = {record.name for record in found}
                heads = ((record, past.head(record)) for record in found)
                found = [record for record, head in heads if head is None or head.name not in names]
            if query.descending:
                found.reverse()
            return [past.family(record, nested=query.nested) for record in found[: query.limit]]

    def changes(self, after: int, wait_s: float = 0.0) -> Changes:
        """Return changes of orders after a number, waiting for one; a negative number: where the account stands."""
        with self._changed:
            past = self._past_of()
            if after < 0:
                return Changes((), past.number)
            found = past.after(after)
            if not found.changes and wait_s > 0:
                self._changed.wait_for(lambda: self._is_closing or self._is_past(after), min(wait_s, LONGEST_WAIT_S))
                found = self._past_of().after(after)
            return found

    def activities(self, query: ActivityQuery) -> list[Activity]:
        """List executions and bookings."""
        with self._changed:
            every = [Activity(number, what) for number, what in enumerate(self._past_of().activities, 1)]
        found = [activity for activity in every if _is_asked(activity, query)]
        if query.descending:
            found.reverse()
        if query.past is not None:
            last, sign = query.past, -1 if query.descending else 1
            found = [activity for activity in found if sign * activity.number > sign * last]
        return found[: query.limit]

    def board(self, count: int) -> Board:
        """Return the account to be watched, with this many of its newest orders and fills."""
        with self._changed:
            account, past = self._account, self._past_of()
            books, limits = account.books, account.limits
            return Board(
                overview=overview(account.name, books, limits, account.instruments, past.began_at),
                orders=newest(list(past.records.values()), count),
                fills=tuple(reversed(books.fills[-count:])),
                limits=usage(books, limits),
                var=value_at_risk(books, books.references.scenarios),
                var_confidence=float(limits.var_confidence),
                epoch=account.epoch,
            )

    def tally(self) -> AccountTally:
        """Return the account in numbers: its state, orders by status, and what each strategy traded."""
        with self._changed:
            if self._tally is None:
                self._tally = Tally()
            books = self._account.books
            orders = Counter(str(order.status) for order in books.orders.values())
            return AccountTally(self._account.state(), dict(orders), self._tally.take(books.orders, books.fills))

    def worth(self, start: datetime, end: datetime, by_day: bool) -> EquityCurve:
        """Return the equity by minute or by day, of those that began in [start, end]."""
        with self._changed:
            worth = self._past_of().worth
            samples: Sequence[Sample] = worth.days(start, end) if by_day else worth.minutes(start, end)
            return EquityCurve(tuple(samples), worth.before(start), tuple(worth.paid_in(start, end)))

    def _is_past(self, number: int) -> bool:
        return self._past_of().newest > number

    def _past_of(self) -> History:
        books = self._account.books
        if self._history is None or self._history.books is not books:
            # First asked for, or the account has recovered since into books of their own.
            self._history = History.of(self._account.name, self._account.events(), books, self._account.empty_books)
        return self._history


def _matches(record: OrderRecord, query: OrderQuery) -> bool:
    request = record.order.request
    return (
        (query.status == "all" or record.order.status.is_open is (query.status == "open"))
        and (not query.symbols or request.symbol in query.symbols)
        and query.side in (None, request.side)
        and (query.after is None or record.created_at > query.after)
        and (query.until is None or record.created_at < query.until)
    )


def _is_asked(activity: Activity, query: ActivityQuery) -> bool:
    return (
        (not query.kinds or activity.kind in query.kinds)
        and (query.after is None or activity.time > query.after)
        and (query.until is None or activity.time < query.until)
    )
