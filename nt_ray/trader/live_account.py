"""A live account: one brokerage account shared by many callers, and watched.

One lock makes the account's one writer out of many threads. It is held while the gate decides, the journal is written
and events are folded, never while the venue is asked: a cancel passes while another order waits for its answer. Orders
that come together are journalled together (`nt_ray.trader.group_commit`), each is sent by its own caller, a batch in
lanes (`nt_ray.trader.lanes`) where the venue allows that. A watcher takes in what the venue pushes, asks it regularly,
marks prices and cancels what was stopped. Without fresh prices the gate lets only reductions pass, where
`max_reference_age_s` says so. Opening it is the recovery.
"""

import logging
import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final, TypeVar

from nt_ray.brokers.base import VenueDownError
from nt_ray.errors import BadInputError, NeuralTraderError, ServiceError
from nt_ray.risk.limits import RiskLimits
from nt_ray.storage.journal import MovedError
from nt_ray.trader.account import AccountState, OrderReport
from nt_ray.trader.background import Background, is_needed
from nt_ray.trader.called import Called
from nt_ray.trader.daily_reconciliation import DailyReconciliation
from nt_ray.trader.group_commit import GroupCommit
from nt_ray.trader.health import Health, LiveStatus
from nt_ray.trader.history import Family
from nt_ray.trader.intake import Prepared, Unit
from nt_ray.trader.lanes import Sender
from nt_ray.trader.live_decisions import LiveDecisions
from nt_ray.trader.live_plan import LivePlan
from nt_ray.trader.live_readings import LiveReadings
from nt_ray.trader.news import Inquiry, refusals
from nt_ray.trader.price import Price, marks_of, times_of
from nt_ray.trader.reconciliation import Reconciliation
from nt_ray.trader.reports import report
from nt_ray.trader.watcher import Pace, Watcher
from nt_ray.trading import events as e
from nt_ray.trading.orders import Fill, Order, OrderRequest
from nt_ray.trading.steps import ORDER_STEPS, step

LOOK_BACK_EVERY: Final = timedelta(hours=1)
"""How often the market's past is read anew."""

LOOK_AGAIN: Final = timedelta(minutes=5)
"""When it is asked for again after it could not be read, where no limit waits for it."""

LANDING_S: Final = 60.0
"""How long somebody waits for an order in flight: longer than a venue is asked for its answer."""

T = TypeVar("T")

_log = logging.getLogger(__name__)

_Sent = tuple[Prepared, Sequence[e.OrderEvent]]


class LiveAccount(Called, LiveReadings, LiveDecisions):
    """An account for many threads, from its plan to `close`."""

    def __init__(
        self,
        plan: LivePlan,
        pace: Pace | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        *,
        watch: bool = True,
    ) -> None:
        """Open, recover and begin to watch; without `watch` somebody else calls `sync` and `hear`."""
        self._clock = clock
        self._venue = plan.open(clock)
        self._account = self._venue.account
        self._changed = threading.Condition(threading.RLock())
        self._syncing = threading.Lock()
        self._prepare = GroupCommit(self._changed, self._prepare_all)
        self._record = GroupCommit(self._changed, self._record_all)
        self._looked_back: tuple[RiskLimits | None, datetime] = (None, self._clock())
        self._sender = Sender(self._send, self._venue.broker.capabilities().concurrency, self.name)
        daily = DailyReconciliation(self.reconcile, self._venue.compared, self._clock)
        self._watcher = Watcher(daily.after(self.sync), self.hear, pace)
        self._watcher.step()
        if watch:
            self._watcher.start()

    @property
    def name(self) -> str:
        """Name of the account."""
        return self._account.name

    def submit(self, requests: Sequence[OrderRequest]) -> list[OrderReport]:
        """Pass orders through gate, journal and venue; one report for each, in order."""
        if not requests:
            return []
        with step(ORDER_STEPS[0]) as checking:
            prepared = self._prepare.run(tuple(requests))
            for part in prepared.parts:
                checking.part(*part)
        outcomes: list[list[e.OrderEvent]] = [[] for _ in prepared.to_send]
        try:
            with step(ORDER_STEPS[1]):
                self._sender.send(prepared.to_send, outcomes)
        finally:
            with step(ORDER_STEPS[2]):
                reports = self._record.run((prepared, [event for told in outcomes for event in told]))
        # What another caller sends at this moment under the same id is told once it is known.
        return reports if len(prepared.sent) == len(requests) else self._landed(prepared, reports)

    def place(self, requests: Sequence[OrderRequest]) -> tuple[list[OrderReport], Family | None]:
        """Submit orders and look the first one up, for who shows what has become of it: one call in place of two."""
        reports = self.submit(requests)
        return reports, self.look_up(requests[0].client_order_id) if requests else None

    def replace(self, request: OrderRequest) -> OrderReport:
        """Put an order in the place of the open one that it `replaces`; report on the new one."""
        if not request.replaces:
            raise BadInputError(f"{request.client_order_id} replaces nothing. Name the order in `replaces`.")
        self._land([request.replaces])
        return self.submit([request])[0]

    def cancel(self, client_order_id: str) -> OrderReport:
        """Ask the venue to cancel what is left of an order; one in flight is waited for."""
        with self._changed:
            self._account.order(client_order_id)
            self._land([client_order_id])
            asks = self._write(lambda: self._account.begin_cancels([client_order_id]))
        if asks:
            outcome = None
            try:
                outcome = self._account.ask_cancel(client_order_id)
            finally:
                with self._changed:
                    told = [] if outcome is None else [outcome]
                    self._write(lambda: self._account.end_cancels(asks, told), asks)
                    self._changed.notify_all()
        return self.report(client_order_id)

    def cancel_all(self) -> list[OrderReport]:
        """Ask the venue to cancel every open order."""
        with self._changed:
            names = list(self._account.books.open)
        return self._cancel_many(names, everything=True)

    def halt(self, scope: str | Sequence[str], who: str, reason: str) -> list[OrderReport]:
        """Stop scopes in one decision, then cancel what works there; orders of other scopes pass meanwhile."""
        with self._changed:
            halted = self._write(lambda: self._account.halt(scope, who, reason))
            names = [told.request.client_order_id for told in halted]
            everything = self._account.ends_everything
        return self._cancel_many(names, everything=everything)

    def sync(self) -> AccountState:
        """Ask the venue, take in what it says, mark prices; raise where it does not answer."""
        with self._syncing:
            with self._changed:
                self._catch_up()
                inquiry = self._account.inquire(self._clock())
            with ExitStack() as failed:
                failed.callback(self._drop, inquiry)
                answers = self._account.ask(inquiry)
                prices, blind = self._prices()
                self._seen = {**self._seen, **prices}
                past = self._past()
                failed.pop_all()
            with self._changed:
                now = self._clock()
                marks, made = marks_of(prices), times_of(prices)
                state = self._write(
                    lambda: self._account.take(inquiry, answers, now, marks, past, made), inquiry.doubtful
                )
                self._changed.notify_all()
        self._cancel_postponed()
        if answers.silence or blind:
            raise VenueDownError(answers.silence or blind)
        return state

    def hear(self) -> bool:
        """Take in what the venue has pushed; tell whether it was news."""
        updates = self._venue.broker.updates()
        with self._changed:
            is_news = self._write(lambda: self._account.hear(updates))
            self._changed.notify_all()
        self._cancel_postponed()
        return is_news

    def reconcile(self) -> Reconciliation:
        """Take in all news, then compare with the venue at a moment without orders in flight; orders wait."""
        with self._syncing:
            self._account.look_soon()
        self.sync()
        with self._changed:
            self._wait(lambda: not self._account.in_flight, "every order in flight")
            return self._account.compare()

    def state(self) -> AccountState:
        """Return the account as it stands."""
        with self._changed:
            return self._account.state()

    def positions(self) -> dict[str, Decimal]:
        """Signed position by symbol."""
        return self.state().positions

    def orders(self) -> list[Order]:
        """All orders, in order of entry."""
        with self._changed:
            return self._account.orders()

    def order(self, client_order_id: str) -> Order:
        """One order by its client id."""
        with self._changed:
            return self._account.order(client_order_id)

    def find(self, client_order_id: str) -> OrderReport | None:
        """Report on an order, None where there is none with this id; one in flight is waited for."""
        with self._changed:
            if not self._account.books.knows(client_order_id):
                return None
            self._land([client_order_id])
            return self.report(client_order_id)

    def report(self, client_order_id: str) -> OrderReport:
        """Report on one order."""
        return report(self.order(client_order_id))

    def fills(self) -> list[Fill]:
        """All executions booked so far, oldest first."""
        with self._changed:
            return self._account.fills()

    def health(self) -> Health:
        """Say what the last inquiries have shown."""
        return self._watcher.health

    def status(self) -> LiveStatus:
        """Say how the account is, and where."""
        with self._changed:
            account, watcher = self._account, self._watcher
            opened, doubts = len(account.books.open), len(account.in_doubt)
            return LiveStatus(
                self.name, watcher.health, watcher.is_fenced, opened, doubts, account.epoch, os.getpid(),
                cancelling=account.cancelling, warnings=(*account.disputes, *self._venue.broker.warnings()),
            )  # fmt: skip

    def reach(self) -> bool:
        """Whether the venue answered the last inquiry, and this is still the one writer."""
        return self._watcher.health.up and not self._watcher.is_fenced

    def close(self) -> None:
        """Stop watching, wait for orders in flight, close journal and venue."""
        self._watcher.stop()
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
            self._wait(lambda: not self._account.in_flight, "every order in flight")
            self._account.close()
        self._sender.close()
        self._venue.close()

    def _prepare_all(self, batches: Sequence[tuple[OrderRequest, ...]]) -> list[Prepared]:
        requests = [request for batch in batches for request in batch]
        prepared = self._write(lambda: self._account.prepare(requests))
        return prepared.split([len(batch) for batch in batches]) if len(batches) > 1 else [prepared]

    def _record_all(self, sent: Sequence[_Sent]) -> list[list[OrderReport]]:
        landed = [name for prepared, _ in sent for name in prepared.sent]
        reports = self._write(lambda: self._account.record_all(sent), landed)
        if any(self._account.is_stopped(r) for prepared, _ in sent for unit in prepared.to_send for r in unit):
            # What stops them came while they were in flight; the watcher cancels them.
            self._account.enforce()
        self._changed.notify_all()
        return reports

    def _write(self, work: Callable[[], T], landed: Iterable[str] = ()) -> T:
        """Do what writes to the journal, catching up first; `landed` are orders that the caller no longer waits for."""
        if self._account.is_behind:
            self._account.land(landed)
            self._changed.notify_all()
            self._catch_up()
        try:
            return work()
        except MovedError:
            self._catch_up()
            return work()

    def _catch_up(self) -> None:
        """Recover where an append has failed, once nothing is in flight; nobody can write meanwhile."""
        if self._account.is_behind:
            self._wait(lambda: not (self._account.is_behind and self._account.in_flight), "every order in flight")
            if self._account.is_behind:
                _log.warning("%s recovers from its journal: an append has failed, and may have arrived.", self.name)
                self._account.recover()
                self._changed.notify_all()

    def _send(self, unit: Unit) -> list[e.OrderEvent]:
        with step("send", {"order_id": unit[0].client_order_id, "orders": len(unit)}):
            return self._stopped(unit) or self._account.send(unit)

    def _stopped(self, unit: Sequence[OrderRequest]) -> list[e.OrderEvent]:
        """Outcome of orders that were stopped after the gate had let them pass; empty where they were not."""
        if not any(map(self._account.is_stopped, unit)):
            return []
        # It was not sent, and is refused all the same: it must not go another way, as one that the gate denies.
        return refusals(unit, "Trading was stopped before it was sent.", self._clock(), not_sent=False)

    def _landed(self, prepared: Prepared, reports: list[OrderReport]) -> list[OrderReport]:
        names = [request.client_order_id for request in prepared.requests]
        self._land(names)
        with self._changed:
            return [
                told if index in prepared.refused else self.report(names[index]) for index, told in enumerate(reports)
            ]

    def _land(self, names: Iterable[str]) -> None:
        """Wait until the venue's answer about orders is recorded."""
        names = list(names)
        with self._changed:
            self._wait(lambda: self._account.in_flight.isdisjoint(names), ", ".join(names))

    def _wait(self, is_so: Callable[[], bool], what: str) -> None:
        if not self._changed.wait_for(is_so, LANDING_S):
            raise ServiceError(
                f"{self.name} has waited {LANDING_S:g} s for the venue's answer about {what}. Look at its health."
            )

    def _drop(self, inquiry: Inquiry) -> None:
        with self._changed:
            self._account.drop(inquiry)
            self._changed.notify_all()

    def _prices(self) -> tuple[Mapping[str, Price], str]:
        """Prices now, or why there are none."""
        try:
            return self._venue.prices(), ""
        except NeuralTraderError as error:
            return {}, str(error)

    def _past(self) -> Background | None:
        """The market's past, where what is known of it is of other limits or old."""
        limits, now = self._account.limits, self._clock()
        known = self._looked_back
        if self._venue.past is None or (known[0] == limits and now < known[1]):
            return None
        try:
            found = self._venue.past(limits)
        except NeuralTraderError as error:
            # The watcher comes again. What is known stays; where nothing is, the limits refuse what opens a position.
            _log.warning("%s: the market's past cannot be read: %s", self.name, error)
            if not is_needed(limits):
                self._looked_back = (limits, now + LOOK_AGAIN)
            return None
        self._looked_back = (limits, now + LOOK_BACK_EVERY)
        return found

    def _cancel_postponed(self) -> None:
        """Cancel what the account has decided to; what is in flight comes again with the next look."""
        with self._changed:
            names = [name for name in self._account.postponed if name not in self._account.in_flight]
            everything = self._account.ends_everything
        self._cancel_many(names, everything=everything)

    def _cancel_many(self, names: Sequence[str], *, everything: bool) -> list[OrderReport]:
        """Ask for several cancels; those that could not be asked for are asked for again with the next look."""
        with self._changed:
            asked = self._write(lambda: self._account.begin_cancels(names))
        if asked:
            outcomes: Sequence[e.OrderEvent] = ()
            try:
                outcomes = self._account.ask_cancels(asked, everything=everything)
            finally:
                with self._changed:
                    self._write(lambda: self._account.end_cancels(asked, outcomes), asked)
                    self._changed.notify_all()
        # One that was in flight is waited for, and cancelled then.
        return [self.cancel(name) for name in names]
