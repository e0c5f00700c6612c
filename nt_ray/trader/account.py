"""The account: the one writer of one brokerage account.

Every order walks the same way: gate and journal (`prepare`), venue (`send`), journal again (`record`). What
is not in the journal was never sent, what is in it is never sent as anything but the same order, and what the
venue may hold counts as exposure until the venue has said otherwise. So the process may die between any two
lines: the next account on the same journal takes a new epoch, folds the journal, asks the venue for every
order in doubt by its client id and goes on. The older writer, if it still lives, can write nothing and
therefore sends nothing.

The account composes; state is in `nt_ray.trader.books`, the talk with the venue in
`nt_ray.trader.venue_link`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from nt_ray.brokers.base import Broker
from nt_ray.errors import BadInputError, TradingError
from nt_ray.market.bars import Instrument
from nt_ray.risk.gate import RiskGate, RiskLimits
from nt_ray.storage.journal import Journal
from nt_ray.trader.books import Books
from nt_ray.trader.reports import (
    AccountState,
    OrderReport,
    capability_denial,
    duplicate_report,
    report,
    state_of,
)
from nt_ray.trader.venue_link import VenueLink
from nt_ray.trading import events as e
from nt_ray.trading.orders import Fill, Order, OrderRequest, OrderStatus

__all__ = ["Account", "AccountState", "OrderReport", "Prepared"]

SCOPES = ("account", "strategy:", "symbol:")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A batch that has passed the gate and lies in the journal; `to_send` is what the venue must get now."""

    requests: tuple[OrderRequest, ...]
    refused: Mapping[int, OrderReport]
    to_send: tuple[OrderRequest, ...]


class Account:
    """One brokerage account at one venue."""

    def __init__(
        self,
        name: str,
        journal: Journal,
        broker: Broker,
        limits: RiskLimits,
        instruments: Sequence[Instrument],
        clock: Callable[[], datetime],
        currency: str = "USD",
    ) -> None:
        self.name = name
        self._journal = journal
        self._link = VenueLink(broker)
        self._limits = limits
        self._gate = RiskGate(limits, instruments)
        self._clock = clock
        self._books = Books(currency)
        epoch = journal.open_epoch()
        for entry in journal.read():
            self._books.apply(entry.event)
        now = self._now()
        self._commit([e.EpochStarted(now, epoch, name)])
        self._settle_doubts(now)
        self._commit(self._link.news(self._books, now))
        self._watch_losses(now)

    def deposit(self, amount: Decimal, deposit_id: str = "initial") -> None:
        """Pay capital in (negative: out), once for each `deposit_id`."""
        booked = self._books.deposits.get(deposit_id)
        if booked is not None and booked != amount:
            raise TradingError(
                f"Deposit {deposit_id!r} of {booked} is booked and cannot become {amount}. Use a new id."
            )
        if booked is None:
            if not amount.is_finite() or amount == 0:
                raise BadInputError(f"Deposit {amount} is not an amount. Give a number other than zero.")
            self._commit([e.Deposited(self._now(), deposit_id, amount)])

    def submit(self, requests: Sequence[OrderRequest]) -> list[OrderReport]:
        """Pass orders through gate, journal and venue; one report for each, in order."""
        prepared = self.prepare(requests)
        return self.record(prepared, [self.send(request) for request in prepared.to_send])

    def prepare(self, requests: Sequence[OrderRequest]) -> Prepared:
        """Ask the gate for each order, earlier ones counting as open; journal the answers in one append."""
        now = self._now()
        events: list[e.Event] = []
        refused: dict[int, OrderReport] = {}
        to_send: list[OrderRequest] = []
        fresh: dict[str, OrderRequest] = {}
        reserved = 0
        try:
            for index, request in enumerate(requests):
                known = fresh.get(request.client_order_id) or self._request(request.client_order_id)
                if known is None:
                    fresh[request.client_order_id] = request
                    for earlier in to_send[reserved:]:
                        self._books.reserve(earlier)
                    reserved = len(to_send)
                    if self._pass(request, now, events):
                        to_send.append(request)
                elif known != request:
                    refused[index] = told = duplicate_report(request)
                    events.append(e.RequestRefused(now, request.client_order_id, told.rule, told.reason))
        finally:
            # The fold of the journalled events reserves again; without them nothing is reserved.
            self._books.release(to_send[:reserved])
        self._commit(events)
        return Prepared(tuple(requests), refused, tuple(to_send))

    def send(self, request: OrderRequest) -> e.OrderEvent | None:
        """Send one order; return what became of it, or None where that is unknown."""
        return self._link.send(request, self._now())

    def record(self, prepared: Prepared, outcomes: Sequence[e.OrderEvent | None]) -> list[OrderReport]:
        """Journal what became of the orders sent, in one append; report on the whole batch."""
        known = [outcome for outcome in outcomes if outcome is not None]
        # An acknowledgement that loss of power takes away is asked for again. A refusal is not: its intent
        # may go another way as soon as it is reported, so it must never come back as an order in doubt.
        self._commit(known, durable=any(not isinstance(outcome, e.OrderAccepted) for outcome in known))
        return [
            prepared.refused.get(index) or report(self._books.orders[request.client_order_id])
            for index, request in enumerate(prepared.requests)
        ]

    def sync(self, time: datetime, marks: Mapping[str, Decimal]) -> AccountState:
        """Take in what the venue reports, mark at these prices, roll the day, watch the losses.

        Safe to repeat: a time before the last mark brings no prices, an equal one no change.
        """
        books = self._books
        books.now = now = max(time, books.time)
        self._settle_doubts(now)
        events = self._link.news(books, now)
        # A time that has been marked already is being replayed: its prices are older than the books'.
        fresh = {} if books.marked_at is not None and time < books.marked_at else marks
        lines = books.exposure.lines
        changed = {s: price for s, price in fresh.items() if s not in lines or lines[s].mark != price}
        if events or changed or books.marked_at is None or time > books.marked_at:
            # Prices alone need not outlive a loss of power: the next sync brings them again.
            self._commit([*events, e.Marked(now, changed)], durable=bool(events))
        self._watch_losses(now)
        return self.state()

    def cancel(self, client_order_id: str) -> OrderReport:
        """Ask the venue to cancel what is left of an order; a finished one is reported as it stands."""
        order = self._books.order(client_order_id)
        if order.status.is_open and order.status is not OrderStatus.PENDING_CANCEL:
            now = self._now()
            self._commit([e.PendingCancel(now, client_order_id)])
            outcome = self._link.cancel(client_order_id, now)
            if outcome is not None:
                self._commit([outcome])
        return report(self._books.orders[client_order_id])

    def cancel_all(self) -> list[OrderReport]:
        """Ask the venue to cancel every open order."""
        return [self.cancel(client_order_id) for client_order_id in list(self._books.open)]

    def halt(self, scope: str, who: str, reason: str) -> None:
        """Set the kill switch of `account`, `strategy:NAME` or `symbol:SYMBOL`; open orders stay open."""
        _check_scope(scope)
        _check_signature(who, reason)
        if scope not in self._books.halts:
            self._commit([e.KillSwitchSet(self._now(), scope, who, reason)])

    def resume(self, scope: str, who: str, reason: str) -> None:
        """Clear the kill switch of a scope."""
        _check_scope(scope)
        _check_signature(who, reason)
        if scope in self._books.halts:
            self._commit([e.KillSwitchCleared(self._now(), scope, who, reason)])

    def reset(self, who: str, reason: str) -> None:
        """Reset the loss breaker; losses count from the present equity on."""
        _check_signature(who, reason)
        if self._books.tripped:
            self._commit([e.BreakerReset(self._now(), who, reason)])

    def state(self) -> AccountState:
        """Return the account as it stands."""
        return state_of(self.name, self._books)

    def orders(self) -> list[Order]:
        """All orders, in order of entry."""
        return list(self._books.orders.values())

    def order(self, client_order_id: str) -> Order:
        """One order by its client id."""
        return self._books.order(client_order_id)

    def fills(self) -> list[Fill]:
        """All executions booked so far, oldest first."""
        return list(self._books.fills)

    def balances(self) -> Mapping[str, Decimal]:
        """Balance of each account of the ledger; they sum to zero."""
        return self._books.ledger.balances

    def close(self) -> None:
        """Close the journal; the venue is its owner's."""
        self._journal.close()

    def _now(self) -> datetime:
        """Time of the call; never before the last event, so that the journal reads in order."""
        now = max(self._clock(), self._books.time)
        self._books.now = now
        return now

    def _commit(self, events: Sequence[e.Event], *, durable: bool = True) -> None:
        """Write events, then fold them in: the journal is never behind the state."""
        self._journal.append(events, durable=durable)
        for event in events:
            self._books.apply(event)

    def _pass(self, request: OrderRequest, now: datetime, events: list[e.Event]) -> bool:
        """Add the events of a new request; tell whether it may be sent."""
        client_order_id = request.client_order_id
        events.append(e.OrderInitialized(now, request))
        cannot = self._link.cannot(request)
        denial = capability_denial(request, cannot) if cannot else self._gate.check(request, self._books)
        if denial is None:
            events.append(e.OrderSubmitted(now, client_order_id))
            return True
        events.append(e.OrderDenied(now, client_order_id, denial.rule, denial.limit, denial.value, denial.reason))
        return False

    def _request(self, client_order_id: str) -> OrderRequest | None:
        order = self._books.orders.get(client_order_id)
        return None if order is None else order.request

    def _settle_doubts(self, now: datetime) -> None:
        """Ask the venue for every order whose fate there is unknown."""
        doubtful = (OrderStatus.SUBMITTED, OrderStatus.PENDING_CANCEL)
        orders = [self._books.orders[client_order_id] for client_order_id in self._books.open]
        orders = [order for order in orders if order.status in doubtful]
        if not orders:
            return
        # Settling may send, and a writer that has been replaced must not.
        self._journal.confirm()
        outcomes = [self._link.settle(order, now) for order in orders]
        self._commit([outcome for outcome in outcomes if outcome is not None])

    def _watch_losses(self, now: datetime) -> None:
        trips = self._books.breaker.new_trips(self._books.equity, self._limits)
        self._commit([e.BreakerTripped(now, t.rule, str(t.limit), f"{t.value:.6f}") for t in trips])


def _check_scope(scope: str) -> None:
    if scope != SCOPES[0] and not (scope.startswith(SCOPES[1:]) and scope.partition(":")[2]):
        raise BadInputError(f"Scope {scope!r} is unknown. Use account, strategy:NAME or symbol:SYMBOL.")


def _check_signature(who: str, reason: str) -> None:
    if not who.strip() or not reason.strip():
        raise BadInputError(f"who={who!r}, reason={reason!r} is not a signature. Give a name and a reason.")
