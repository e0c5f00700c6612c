"""What can be asked of a live account about its past and its present, for people and for those who follow it.

Reads under the account's lock, changes nothing. The past is folded from the whole journal when it is first asked for,
and followed from then on.
"""

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType

from nt_ray.errors import BadInputError, MarketDataError, RiskError
from nt_ray.market.bars import AssetClass
from nt_ray.risk.scenario_table import ScenarioTable
from nt_ray.trader.account import Account
from nt_ray.trader.bar_reading import BarReading
from nt_ray.trader.board import Board, newest
from nt_ray.trader.finished_bars import FinishedBars
from nt_ray.trader.history import Booking, Changes, Execution, Family, History, OrderRecord
from nt_ray.trader.live_plan import OpenedVenue
from nt_ray.trader.overview import Overview, overview
from nt_ray.trader.price import Price, Top
from nt_ray.trader.signed import StrategyRecord
from nt_ray.trader.tally import AccountTally, Tally, Traded
from nt_ray.trader.usage import tail_of, usage, value_at_risk
from nt_ray.trader.verdicts import Verdict
from nt_ray.trader.worth import Sample
from nt_ray.trading.orders import OrderRequest, Side

LONGEST_WAIT_S = 30.0


@dataclass(frozen=True, slots=True)
class OrderQuery:
    """Which orders are asked for. `nested`: legs under the orders they belong to, where those are listed too.

    `before_order` and `after_order` are client ids: what entered before and after them, themselves left out.
    """

    status: str = "open"
    """open, closed or all."""
    symbols: frozenset[str] = frozenset()
    side: Side | None = None
    after: datetime | None = None
    until: datetime | None = None
    descending: bool = True
    limit: int = 50
    nested: bool = False
    asset_classes: frozenset[AssetClass] = frozenset(AssetClass)
    before_order: str = ""
    after_order: str = ""


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
    """Equity over a span, what it was before, what was paid in since then, and levels of the basket of `symbols`."""

    samples: tuple[Sample, ...]
    before: Decimal | None
    paid_in: tuple[Sample, ...]
    levels: tuple[Sample, ...] = ()
    symbols: tuple[str, ...] = ()


class NoBarsError(MarketDataError):
    """A venue that gives no bars to decide upon."""

    code = "no_bars"

    def __init__(self, account: str) -> None:
        super().__init__(f"The venue of {account} gives no finished bars. Trade at one that does.")


class UntradedSymbolsError(BadInputError):
    """Symbols that an account does not trade."""

    code = "untraded_symbols"

    def __init__(self, account: str, symbols: Sequence[str], known: Sequence[str]) -> None:
        super().__init__(
            f"{account} does not trade {', '.join(symbols)}. Name some of {', '.join(known[:8])}, or start the account "
            "with more symbols."
        )


class LiveReadings:
    """Readings of a live account; `nt_ray.trader.live_account.LiveAccount` fills in what they read."""

    _account: Account
    _venue: OpenedVenue
    _seen: Mapping[str, Price] = MappingProxyType({})
    _changed: threading.Condition
    _history: History | None = None
    _is_closing = False
    _tally: Tally | None = None

    def overview(self) -> Overview:
        """Return the account at a glance."""
        with self._changed:
            account, past = self._account, self._past_of()
            return overview(account.name, account.books, account.limits, account.instruments, past.began_at)

    def preview(self, request: OrderRequest) -> list[Verdict]:
        """Say what the venue's capabilities and each rule make of an order now; nothing is journalled or sent."""
        with self._changed:
            return self._account.preview(request)

    def quotes(self) -> dict[str, Price]:
        """Return the last price of each symbol of the account, as the venue told it at the last inquiry."""
        return dict(self._seen)

    def tops(self) -> dict[str, Top]:
        """Ask the venue for best bid and ask of the account's symbols; none where it quotes none."""
        return {} if self._venue.tops is None else dict(self._venue.tops())

    def bars(self) -> list[BarReading]:
        """Ask the venue for the newest finished bars of the account's symbols; none where it gives none."""
        return [] if self._venue.bars is None else list(self._venue.bars())

    def finished_bars(self, symbols: Sequence[str], since: datetime | None) -> FinishedBars:
        """Ask the venue for all finished bars of symbols from a time on; `NoBarsError` where it gives none."""
        if self._venue.finished is None:
            raise NoBarsError(self._account.name)
        known = {instrument.symbol for instrument in self._account.instruments}
        unknown = [symbol for symbol in symbols if symbol not in known]
        if unknown:
            raise UntradedSymbolsError(self._account.name, unknown, sorted(known))
        return self._venue.finished(symbols, since)

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
            found = [record for record in _between(past.listed(), query) if _matches(record, query)]
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
            var = value_at_risk(books, books.references.scenarios)
            return Board(
                overview=overview(account.name, books, limits, account.instruments, past.began_at),
                orders=newest(list(past.records.values()), count),
                fills=tuple(reversed(books.fills[-count:])),
                open=len(books.open),
                limits=usage(books, limits, var),
                var=var,
                var_confidence=float(limits.var_confidence),
                epoch=account.epoch,
            )

    def value_at_risk(self, confidence: float) -> float | None:
        """Value at risk over one period as a fraction of equity; None where a holding has too short a past for it."""
        with self._changed:
            books = self._account.books
            known = books.references.scenarios
            if known is None or known.confidence == confidence:
                return value_at_risk(books, known)
            try:
                table = ScenarioTable(list(known.columns), known.returns, confidence)
            except RiskError:
                return None
            return value_at_risk(books, table)

    def tally(self) -> AccountTally:
        """Return the account in numbers: state, orders by status, what each strategy traded, limits and tail."""
        with self._changed:
            books, limits = self._account.books, self._account.limits
            orders = Counter(str(order.status) for order in books.orders.values())
            tail = tail_of(books, books.references.scenarios, float(limits.var_confidence))
            used = usage(books, limits, None if tail is None else tail.var)
            return AccountTally(self._account.state(), dict(orders), self._traded(), used, tail)

    def of_strategy(self, name: str) -> StrategyRecord:
        """Return what a strategy has done here, from counts: no order is looked at."""
        with self._changed:
            return self._past_of().signed.record(name, self._traded())

    def worth(self, start: datetime, end: datetime, by_day: bool) -> EquityCurve:
        """Return the equity by minute or by day, of those that began in [start, end]."""
        with self._changed:
            past = self._past_of()
            noted = (past.worth, past.levels)
            samples, levels = (of.days(start, end) if by_day else of.minutes(start, end) for of in noted)
            since, before = past.worth.before(start) or (start, None)
            paid_in = past.worth.paid_in(since, end)
            return EquityCurve(tuple(samples), before, tuple(paid_in), tuple(levels), past.basket.symbols)

    def _traded(self) -> tuple[Traded, ...]:
        if self._tally is None:
            self._tally = Tally()
        return self._tally.take(self._account.books.orders, self._account.books.fills)

    def _is_past(self, number: int) -> bool:
        return self._past_of().newest > number

    def _past_of(self) -> History:
        books = self._account.books
        if self._history is None or self._history.books is not books:
            # First asked for, or the account has recovered since into books of their own.
            account = self._account
            classes = {instrument.symbol: instrument.asset_class for instrument in account.instruments}
            self._history = History.of(account.name, account.events(), books, account.empty_books, classes)
        return self._history


def _between(records: list[OrderRecord], query: OrderQuery) -> list[OrderRecord]:
    """Cut orders of entry off at those that are named; an unknown name cuts nothing off."""
    places = {record.name: place for place, record in enumerate(records)}
    first = places.get(query.after_order, -1) + 1
    return records[first : places.get(query.before_order, len(records))]


def _matches(record: OrderRecord, query: OrderQuery) -> bool:
    request = record.order.request
    return (
        (query.status == "all" or record.order.status.is_open is (query.status == "open"))
        and (not query.symbols or request.symbol in query.symbols)
        and query.side in (None, request.side)
        and record.asset_class in query.asset_classes
        and (query.after is None or record.created_at > query.after)
        and (query.until is None or record.created_at < query.until)
    )


def _is_asked(activity: Activity, query: ActivityQuery) -> bool:
    return (
        (not query.kinds or activity.kind in query.kinds)
        and (query.after is None or activity.time > query.after)
        and (query.until is None or activity.time < query.until)
    )
