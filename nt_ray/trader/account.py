"""The account: the one writer of one brokerage account.

Every order walks the same way: gate and journal (`prepare`), venue (`send`), journal again (`record`). What
is not in the journal was never sent, what is in it is never sent as anything but the same order, and what the
venue may hold counts as exposure until the venue has said otherwise. So the process may die between any two
lines: the next account on the same journal takes a new epoch, folds the journal, asks the venue for every
order in doubt by its client id and goes on. The older writer, if it still lives, can write nothing and
therefore sends nothing.

What talks to the venue (`send`, `ask`, `ask_cancel`) reads and changes nothing here, so that one who shares an account
between threads (`nt_ray.trader.live_account`) holds its lock for the other steps only. An order is in flight from the
step that journals it to the one that records the venue's answer; nobody else touches it meanwhile.

State is in `nt_ray.trader.books`, the talk with the venue in `nt_ray.trader.venue_link` and `nt_ray.trader.news`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from time import time_ns
from typing import Any, Final

from nt_ray.brokers.base import Broker, VenueUpdate
from nt_ray.brokers.custody import Custodian
from nt_ray.errors import BadInputError, FencedError, StorageError
from nt_ray.market.bars import Instrument
from nt_ray.risk.limits import RiskLimits
from nt_ray.storage.journal import Journal, MovedError
from nt_ray.trader.background import Background
from nt_ray.trader.bookkeeping import Bookkeeping
from nt_ray.trader.books import Books
from nt_ray.trader.cancels import Cancels
from nt_ray.trader.checkpoint import Checkpoints
from nt_ray.trader.controls import Controls
from nt_ray.trader.intake import Intake, Prepared, Unit
from nt_ray.trader.news import Answers, Inquiry, heard, inquire, legal, news
from nt_ray.trader.reconciliation import Reconciliation, reconcile
from nt_ray.trader.reports import AccountState, OrderReport, report
from nt_ray.trader.venue_link import VenueLink
from nt_ray.trading import events as e
from nt_ray.trading.lots import LotMethod
from nt_ray.trading.orders import Order, OrderRequest

__all__ = ["Account", "AccountState", "OrderReport", "Prepared"]

SEND_WITHIN: Final = timedelta(minutes=1)
"""How long after it was let through an order may still be sent: later its reason may be gone."""


class Account(Cancels, Bookkeeping):
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
        lots: LotMethod = LotMethod.AVERAGE,
        *,
        custodian: Custodian | None = None,
        snapshot_every: int | None = None,
        shared: bool = False,
    ) -> None:
        """Recover: replay the journal, ask the venue, enforce what is stopped.

        `custodian`: who says what the venue holds and books without an order.
        `snapshot_every`: events between two snapshots of the books, at the least; None leaves it to the account.
        `shared`: threads share it, so nothing slow is done on the way: cancels that the account decides are left to
        whoever asks for `postponed`, and snapshots are written aside.
        """
        self.name = name
        self._journal = journal
        self._broker = broker
        self._custodian = custodian
        self._link = VenueLink(broker, [instrument.symbol for instrument in instruments], custodian)
        self._clock = clock
        self._new_books: Callable[[], Books] = lambda: Books(
            currency, daily_loss_by_hand=limits.daily_loss_by_hand, lots=lots
        )
        self._books = self._new_books()
        self._new_checkpoints: Callable[[], Checkpoints] = lambda: Checkpoints(journal, snapshot_every, aside=shared)
        cancel = self._postpone if shared else self.cancel_many
        self._new_controls: Callable[[Books], Controls] = lambda books: Controls(
            books, limits, instruments, broker.name, self._commit, cancel, self._link.standing
        )
        self._checkpoints = self._new_checkpoints()
        self._in_flight: set[str] = set()
        self._postponed: dict[str, None] = {}
        self._unheard: list[VenueUpdate] = []
        self._unwritten: list[e.OrderEvent] = []
        self.is_behind = False
        """Whether it is unknown what the journal holds, since an append has failed: `recover` comes before all else."""
        self.recover()

    def recover(self) -> None:
        """Take a new epoch, fold the journal anew and ask the venue; nothing may be in flight.

        What could not be written down is known to the venue, and is asked for. An append that failed and is still under
        way comes too late: its epoch is over.
        """
        self._checkpoints.finish()
        epoch = self._journal.open_epoch()
        books, checkpoints = self._new_books(), self._new_checkpoints()
        checkpoints.replay(books)
        books.references = self._books.references
        self._books, self._checkpoints = books, checkpoints
        # Nobody looked after the last event, and what the venue booked since then is still to come.
        self._looked_at, self._is_look_due = books.time if books.follows else self._moment(), True
        self._postponed.clear()
        self._unheard.clear()
        self._unwritten.clear()
        self._controls = self._new_controls(books)
        self.is_behind = False
        now = self._now()
        self._commit([e.EpochStarted(now, epoch, self.name)])
        inquiry = self.inquire(now)
        self._commit(self._heed(inquiry, self.ask(inquiry)))
        self._controls.watch(now)

    def submit(self, requests: Sequence[OrderRequest]) -> list[OrderReport]:
        """Pass orders through gate, journal and venue; one report for each, in order."""
        prepared = self.prepare(requests)
        return self.record(prepared, [event for unit in prepared.to_send for event in self.send(unit)])

    def replace(self, request: OrderRequest) -> OrderReport:
        """Put an order in the place of the open one that it `replaces`; report on the new one."""
        if not request.replaces:
            raise BadInputError(f"{request.client_order_id} replaces nothing. Name the order in `replaces`.")
        return self.submit([request])[0]

    def prepare(self, requests: Sequence[OrderRequest]) -> Prepared:
        """Ask the gate for each order, earlier ones counting as open; journal the answers in one append."""
        began = time_ns()
        now = self._now()
        self._controls.expire(now)
        intake = Intake(self._books, self._controls.gate, self._link.cannot, now)
        found = intake.take(requests)
        judged = time_ns()
        self._commit(intake.events)
        self._in_flight.update(found.sent)
        parts = (("gate", began, judged), ("journal", judged, time_ns()))
        return Prepared(found.requests, found.refused, found.to_send, parts)

    def send(self, unit: Unit) -> list[e.OrderEvent]:
        """Send what goes to the venue in one call; return what became of it, nothing where that is unknown."""
        return self._link.send(unit, self._moment())

    def record(self, prepared: Prepared, outcomes: Sequence[e.OrderEvent]) -> list[OrderReport]:
        """Journal what became of the orders sent, in one append; report on the whole batch."""
        return self.record_all([(prepared, outcomes)])[0]

    def record_all(self, sent: Sequence[tuple[Prepared, Sequence[e.OrderEvent]]]) -> list[list[OrderReport]]:
        """Journal what became of several batches, in one append; report on each."""
        for prepared, _ in sent:
            self._in_flight.difference_update(prepared.sent)
        told = legal(self._books, [outcome for _, outcomes in sent for outcome in outcomes])
        # An acknowledgement that a crash takes away is asked for again, so it is written with what comes next. A
        # refusal is not: its intent may go another way as soon as it is reported, so it must never come back as doubt.
        if any(not isinstance(outcome, e.OrderAccepted) or not outcome.venue_order_id.isascii() for outcome in told):
            self._commit(told)
        else:
            self._unwritten += told
            for outcome in told:
                self._books.apply(outcome)
        orders = self._books.orders
        return [
            [p.refused.get(index) or report(orders[r.client_order_id]) for index, r in enumerate(p.requests)]
            for p, _ in sent
        ]

    def sync(
        self,
        time: datetime,
        marks: Mapping[str, Decimal],
        background: Background | None = None,
        made: Mapping[str, datetime] | None = None,
    ) -> AccountState:
        """Take in what the venue reports, mark at these prices, roll the day, watch the losses.

        `marks` are prices known now, `made` when they were made where that was earlier, `background` the
        market's past up to now, for limits that look at it.
        Safe to repeat: a time before the last mark brings no prices, an equal one no change.
        """
        inquiry, answers = self._asked(time)
        return self.take(inquiry, answers, time, marks, background, made)

    def inquire(self, time: datetime) -> Inquiry:
        """Say what the venue has to be asked at a time; orders in doubt are in flight until `take` or `drop`."""
        if self.is_behind:
            # What is in doubt here may be settled in the journal, and must not be sent.
            self.recover()
        self._books.now = now = max(time, self._books.time)
        inquiry = inquire(self._books, self._in_flight, now, lambda orders: self._still_wanted(orders, now))
        inquiry = replace(inquiry, activities_since=self._activities_since(now))
        if inquiry.doubts:
            # Settling may send, and a writer that has been replaced must not.
            self._journal.confirm()
        self._in_flight.update(inquiry.doubtful)
        return inquiry

    def ask(self, inquiry: Inquiry) -> Answers:
        """Ask the venue."""
        return self._link.ask(inquiry)

    def land(self, names: Iterable[str]) -> None:
        """Note that nobody waits any longer for the venue's word about orders."""
        self._in_flight.difference_update(names)

    def drop(self, inquiry: Inquiry) -> None:
        """Give an inquiry up."""
        self._in_flight.difference_update(inquiry.doubtful)

    def take(
        self,
        inquiry: Inquiry,
        answers: Answers,
        time: datetime,
        marks: Mapping[str, Decimal],
        background: Background | None = None,
        made: Mapping[str, datetime] | None = None,
    ) -> AccountState:
        """Take the answers to an inquiry in, and prices of a time; the second half of `sync`."""
        books = self._books
        books.now = now = max(time, books.time)
        events = self._heed(inquiry, answers)
        # A time that has been marked already is being replayed: its prices are older than the books'.
        fresh = {} if books.marked_at is not None and time < books.marked_at else marks
        books.references.saw({symbol: (made or {}).get(symbol, now) for symbol in fresh}, now)
        if background is not None:
            background.put(books.references)
        lines = books.exposure.lines
        changed = {s: price for s, price in fresh.items() if s not in lines or lines[s].mark != price}
        if events or changed or self._unwritten or books.marked_at is None or time > books.marked_at:
            # Prices alone need not outlive a loss of power: the next sync brings them again.
            self._commit([*events, e.Marked(now, changed)], durable=bool(events))
        self._controls.watch(now)
        self._checkpoints.keep(books)
        return self.state()

    def hear(self, updates: Sequence[VenueUpdate]) -> bool:
        """Take in what the venue has pushed; tell whether it was news. What concerns an order in flight waits."""
        now = self._now()
        events, self._unheard = heard(self._books, [*self._unheard, *updates], self._in_flight, now)
        events += self._controls.alarms(events, now)
        self._commit([*events, e.Marked(now, {})] if events else (), durable=bool(events))
        if events:
            self._controls.watch(now)
        return bool(events)

    def is_stopped(self, request: OrderRequest) -> bool:
        """Whether a kill switch or the breaker keeps an order from the venue."""
        return bool(self._books.halts or self._books.tripped) and self._controls.is_stopped(request)

    def enforce(self) -> None:
        """Cancel what must not work."""
        self._controls.watch(self._now())

    def reconcile(self) -> Reconciliation:
        """Take in all news, then compare with the venue; each difference is named."""
        self.look_soon()
        self.sync(self._now(), {})
        return self.compare()

    def compare(self) -> Reconciliation:
        """Compare the books as they are with the venue."""
        return reconcile(self.name, self._books, self._broker, self._books.now)

    def halt(self, scope: str | Sequence[str], who: str, reason: str) -> list[OrderReport]:
        """Stop one scope or several in one decision: `account`, `venue:NAME`, `strategy:NAME`, `symbol:SYMBOL`.

        Returns what became of the orders that worked there: they are cancelled.
        """
        return self._controls.halt(_scopes(scope), who, reason, self._now())

    def resume(self, scope: str | Sequence[str], who: str, reason: str) -> None:
        """Allow trading in scopes again."""
        self._controls.resume(_scopes(scope), who, reason, self._now())

    def reset(self, who: str, reason: str) -> None:
        """Close the loss breaker; losses count from the present equity on."""
        self._controls.reset(who, reason, self._now())

    def change_limits(
        self, changes: Mapping[str, Any], who: str, reason: str, expires: datetime | None = None
    ) -> RiskLimits:
        """Change limits of the gate, until a time or for good; return those then in force. All of it is journalled."""
        return self._controls.change_limits(changes, who, reason, self._now(), expires)

    def revert_limits(self, names: Sequence[str], who: str, reason: str) -> RiskLimits:
        """Put limits back to what the configuration says; no names: all of them."""
        return self._controls.revert_limits(names, who, reason, self._now())

    def close(self) -> None:
        """Close the journal; the venue is its owner's."""
        with suppress(FencedError, MovedError):
            self._commit([], durable=False)
        self._checkpoints.finish()
        self._journal.close()

    def _now(self) -> datetime:
        """Time of the call; never before the last event, so that the journal reads in order."""
        self._books.now = now = self._moment()
        return now

    def _commit(self, events: Sequence[e.Event], *, durable: bool = True) -> None:
        """Write events, then fold them in: the journal is behind the state by acknowledgements alone."""
        try:
            self._journal.append([*self._unwritten, *events], durable=durable)
        except StorageError as error:
            self.is_behind = not isinstance(error, FencedError)
            raise
        self._unwritten.clear()
        for event in events:
            self._books.apply(event)

    def _asked(self, time: datetime) -> tuple[Inquiry, Answers]:
        inquiry = self.inquire(time)
        with ExitStack() as failed:
            failed.callback(self.drop, inquiry)
            answers = self.ask(inquiry)
            failed.pop_all()
        return inquiry, answers

    def _moment(self) -> datetime:
        """Time of a call that changes nothing here."""
        return max(self._clock(), self._books.time)

    def _heed(self, inquiry: Inquiry, answers: Answers) -> list[e.Event]:
        """Fold in what became of orders in doubt; return the other events of the answers."""
        self.drop(inquiry)
        self._controls.heed(answers.standing)
        self._commit(legal(self._books, answers.settled))
        events = news(self._books, answers, self._in_flight)
        return events + self._controls.alarms(events, answers.time) + self._booked(answers, events)

    def _still_wanted(self, orders: Sequence[Order], now: datetime) -> bool:
        """Whether orders that never reached the venue may still go there: not once stopped, nor after a while."""
        young = (o.submitted_at is not None and now - o.submitted_at <= SEND_WITHIN for o in orders)
        return all(young) and not any(self._controls.is_stopped(order.request) for order in orders)


def _scopes(scope: str | Sequence[str]) -> Sequence[str]:
    return (scope,) if isinstance(scope, str) else scope
