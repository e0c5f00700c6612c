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
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from nt_ray.brokers.base import Broker
from nt_ray.errors import BadInputError, TradingError
from nt_ray.market.bars import Instrument
from nt_ray.risk.limits import RiskLimits
from nt_ray.storage.journal import Journal
from nt_ray.trader.books import Books
from nt_ray.trader.checkpoint import Checkpoints
from nt_ray.trader.controls import Controls
from nt_ray.trader.intake import Intake, Prepared, Unit, units
from nt_ray.trader.reconciliation import Reconciliation, reconcile
from nt_ray.trader.reports import (
    AccountState,
    OrderReport,
    report,
    state_of,
)
from nt_ray.trader.venue_link import DOUBTFUL, VenueLink, legal
from nt_ray.trading import actions as a
from nt_ray.trading import events as e
from nt_ray.trading.lots import LotMethod, Lots
from nt_ray.trading.orders import Fill, Order, OrderRequest, OrderStatus

__all__ = ["Account", "AccountState", "OrderReport", "Prepared"]

SEND_WITHIN: Final = timedelta(minutes=1)
"""How long after it was let through an order may still be sent: later its reason may be gone."""


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
        lots: LotMethod = LotMethod.AVERAGE,
    ) -> None:
        self.name = name
        self._journal = journal
        self._broker = broker
        self._link = VenueLink(broker)
        self._clock = clock
        self._books = Books(currency, lots=lots)
        epoch = journal.open_epoch()
        self._checkpoints = Checkpoints(journal)
        self._checkpoints.replay(self._books)
        self._controls = Controls(self._books, limits, instruments, broker.name, self._commit, self.cancel)
        now = self._now()
        self._commit([e.EpochStarted(now, epoch, name)])
        self._settle_doubts(now)
        self._commit(self._link.news(self._books, now))
        self._controls.watch(now)

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

    def act(self, action: a.Action) -> None:
        """Book a dividend, a split, a change of symbol, a charge or an exchange of currency, once for each id."""
        now = max(action.time, self._now())
        booked = self._books.actions.get(action.action_id)
        if booked is not None and replace(booked, time=action.time) != action:
            raise TradingError(f"{booked} is booked and cannot become {action}. Use a new id.")
        if booked is None:
            # What the ledger cannot hold must not get into the journal.
            a.book(self._books.ledger.copy(), action)
            self._commit([replace(action, time=now)])

    def name_lots(self, client_order_id: str, lots: Sequence[str]) -> None:
        """Say which lots the fills of an order close, where the account closes specific lots."""
        named = a.LotsNamed(self._now(), client_order_id, self.order(client_order_id).request.symbol, tuple(lots))
        a.book(self._books.ledger.copy(), named)
        self._commit([named])

    def lots(self, symbol: str) -> Lots:
        """Tax lots of a position, oldest first."""
        return self._books.ledger.lots(symbol)

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
        now = self._now()
        self._controls.expire(now)
        intake = Intake(self._books, self._controls.gate, self._link.cannot, now)
        prepared = intake.take(requests)
        self._commit(intake.events)
        return prepared

    def send(self, unit: Unit) -> list[e.OrderEvent]:
        """Send what goes to the venue in one call; return what became of it, nothing where that is unknown."""
        return self._link.send(unit, self._now())

    def record(self, prepared: Prepared, outcomes: Sequence[e.OrderEvent]) -> list[OrderReport]:
        """Journal what became of the orders sent, in one append; report on the whole batch."""
        # An acknowledgement that loss of power takes away is asked for again. A refusal is not: its intent
        # may go another way as soon as it is reported, so it must never come back as an order in doubt.
        self._commit(outcomes, durable=any(not isinstance(outcome, e.OrderAccepted) for outcome in outcomes))
        return [
            prepared.refused.get(index) or report(self._books.orders[request.client_order_id])
            for index, request in enumerate(prepared.requests)
        ]

    def sync(
        self, time: datetime, marks: Mapping[str, Decimal], volumes: Mapping[str, Decimal] | None = None
    ) -> AccountState:
        """Take in what the venue reports, mark at these prices, roll the day, watch the losses.

        `marks` are prices known now, `volumes` average daily volumes for the gate's limit on an order's share of them.
        Safe to repeat: a time before the last mark brings no prices, an equal one no change.
        """
        books = self._books
        books.now = now = max(time, books.time)
        self._settle_doubts(now)
        events = self._link.news(books, now)
        # A time that has been marked already is being replayed: its prices are older than the books'.
        fresh = {} if books.marked_at is not None and time < books.marked_at else marks
        books.references.saw(fresh, now)
        books.references.trade(volumes or {})
        lines = books.exposure.lines
        changed = {s: price for s, price in fresh.items() if s not in lines or lines[s].mark != price}
        if events or changed or books.marked_at is None or time > books.marked_at:
            # Prices alone need not outlive a loss of power: the next sync brings them again.
            self._commit([*events, e.Marked(now, changed)], durable=bool(events))
        self._controls.watch(now)
        self._checkpoints.keep(books)
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

    def reconcile(self) -> Reconciliation:
        """Take in all news, then compare with the venue; each difference is named."""
        self.sync(self._now(), {})
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

    @property
    def books(self) -> Books:
        """State of the account, to be read."""
        return self._books

    @property
    def limits(self) -> RiskLimits:
        """Limits in force."""
        return self._controls.limits

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

    def _settle_doubts(self, now: datetime) -> None:
        """Ask the venue for every order whose fate there is unknown."""
        orders = [self._books.orders[client_order_id] for client_order_id in self._books.open]
        orders = [order for order in orders if order.status in DOUBTFUL]
        if not orders:
            return
        # Settling may send, and a writer that has been replaced must not.
        self._journal.confirm()
        sent = units([order.request for order in orders if order.status is OrderStatus.SUBMITTED])
        together = [[self._books.orders[request.client_order_id] for request in unit] for unit in sent]
        asked = [[order] for order in orders if order.status is not OrderStatus.SUBMITTED] + together
        outcomes: list[e.OrderEvent] = []
        for group in asked:
            outcomes += self._link.settle(group, now, send=self._still_wanted(group, now))
        self._commit(legal(self._books, outcomes))

    def _still_wanted(self, orders: Sequence[Order], now: datetime) -> bool:
        """Whether orders that never reached the venue may still go there: not once stopped, nor after a while."""
        young = (o.submitted_at is not None and now - o.submitted_at <= SEND_WITHIN for o in orders)
        return all(young) and not any(self._controls.is_stopped(order.request) for order in orders)


def _scopes(scope: str | Sequence[str]) -> Sequence[str]:
    return (scope,) if isinstance(scope, str) else scope
