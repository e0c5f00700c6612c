"""What the books of an account hold that no order brought: capital, corporate actions, charges, earlier holdings.

Each is an event with an id that is booked once. `begin` takes over what the venue holds when the journal is new, in one
append; what it books from then on (`nt_ray.trader.activities`) comes with the looks at the venue. `adopt` is a person's
word that what still differs is to be taken as the venue has it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from nt_ray.brokers.base import Broker, VenueDownError
from nt_ray.brokers.custody import Custodian, Holding
from nt_ray.errors import BadInputError, TradingError
from nt_ray.trader.account_view import AccountView
from nt_ray.trader.activities import VENUE, bookings
from nt_ray.trader.controls import check_signature
from nt_ray.trader.news import Answers, Inquiry
from nt_ray.trader.reconciliation import CENT, Reconciliation, executions_at, missing_executions
from nt_ray.trader.reports import AccountState
from nt_ray.trading import actions as a
from nt_ray.trading import events as e
from nt_ray.trading.lots import QUANTUM, WIDE, ZERO, LotMethod, Lots

LOOK_EVERY: Final = timedelta(minutes=1)
"""How often the venue is asked for what it booked without an order."""
LOOK_BACK: Final = timedelta(days=7)
"""How much later than its day an activity may appear."""
_READINGS: Final = 5
"""Readings of what the venue holds, until two agree and nothing came between them."""


class _Held(NamedTuple):
    """What the venue holds by symbol, its cash, and ids of what is in both and is never to be booked by itself."""

    holdings: dict[str, Holding]
    cash: Decimal | None
    within: tuple[str, ...] = ()

    @property
    def facts(self) -> tuple[dict[str, Decimal], Decimal | None, tuple[str, ...]]:
        """All of it but prices, which move by themselves."""
        return {symbol: held.quantity for symbol, held in self.holdings.items()}, self.cash, self.within


class Bookkeeping(AccountView):
    """Bookings of an account; `nt_ray.trader.account.Account` fills in what they stand on."""

    _broker: Broker
    _custodian: Custodian | None
    _looked_at: datetime
    """Up to when it is known what the venue booked without an order."""
    _is_look_due: bool
    _commit: Callable[[Sequence[e.Event]], None]
    _now: Callable[[], datetime]
    _asked: Callable[[datetime], tuple[Inquiry, Answers]]
    take: Callable[[Inquiry, Answers, datetime, Mapping[str, Decimal]], AccountState]
    compare: Callable[[], Reconciliation]

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
            self._book([e.Deposited(self._now(), deposit_id, amount)])

    def begin(self) -> None:
        """Take over what the venue keeps, once: cash and positions where the books are new, and what was booked before.

        All of it is one append, so a crash leaves all of it or nothing.
        """
        books, venue = self._books, self._custodian
        if books.follows or venue is None:
            return

        def read() -> _Held:
            booked = venue.activities(self._now() - 2 * LOOK_BACK)
            return self._at_venue()._replace(within=tuple(one.activity_id for one in booked))

        found = _settled(read)
        now = self._now()
        events: list[e.Event] = []
        if not (books.deposits or books.actions or books.orders):
            events += [e.Deposited(now, "initial", found.cash)] if found.cash else []
            held_before = found.holdings.values()
            events += [_transfer(held, held.quantity, now, VENUE, "It was held before.") for held in held_before]
        self._book([*events, e.ActivitiesPassed(now, found.within)])

    def act(self, action: a.Action) -> None:
        """Book a dividend, split, transfer, change of symbol, charge or exchange of currency, once for each id."""
        now = self._now()
        booked = self._books.actions.get(action.action_id)
        if booked is not None and replace(booked, time=action.time) != action:
            raise TradingError(f"{booked} is booked and cannot become {action}. Use a new id.")
        if booked is None:
            if action.time > now:
                raise BadInputError(f"{action.action_id} is of {action.time}, which is still to come. Book it then.")
            self._book([replace(action, time=now)])

    def name_lots(self, client_order_id: str, symbol: str, lots: Sequence[str]) -> None:
        """Say which lots an order closes, one that is still to come too; one that has traded keeps its own."""
        ledger = self._books.ledger
        if ledger.method is not LotMethod.SPECIFIC:
            raise BadInputError(
                f"{self.name} closes lots by {ledger.method}, and names none. Set account.lots to {LotMethod.SPECIFIC}."
            )
        if self._books.knows(client_order_id) and self.order(client_order_id).filled_quantity:
            return
        self._book([a.LotsNamed(self._now(), client_order_id, symbol, tuple(lots))])

    def lots(self, symbol: str) -> Lots:
        """Tax lots of a position, oldest first."""
        return self._books.ledger.lots(symbol)

    def adopt(self, who: str, reason: str) -> Reconciliation:
        """Book what the venue holds and the books do not, or the other way round; what has led to it is named no more.

        Raises where the venue does not answer, or an order is in doubt: what it may have done is not known yet. Returns
        what still differs.
        """
        check_signature(who, reason)
        holdings, cash, foreign = _settled(self._taken_in)
        books, now = self._books, self._now()
        events: list[e.Event] = [*self._missing(holdings, now, who, reason)]
        if cash is not None and abs(cash - books.ledger.cash) >= CENT:
            name = f"adopt-{now.isoformat()}-cash"
            events.append(a.CashTransferred(now, name, cash - books.ledger.cash, who, reason))
        facts = tuple(dict.fromkeys((*foreign, *books.disputes)))
        if facts:
            events += self._over(now)
            events.append(e.DisputesSettled(now, facts, who, reason))
        self._book([*events, e.Marked(now, {})] if events else ())
        return self.compare()

    def look_soon(self) -> None:
        """Ask with the next look what the venue booked without an order."""
        self._is_look_due = True

    def _activities_since(self, now: datetime) -> datetime | None:
        """From when on to ask for activities; None where it is not time."""
        if not self._books.follows or self._custodian is None:
            return None
        is_due = self._is_look_due or now - self._looked_at >= LOOK_EVERY
        return min(now, self._looked_at) - LOOK_BACK if is_due else None

    def _booked(self, answers: Answers, events: Sequence[e.Event]) -> list[e.Event]:
        """Events of what the venue booked; with `events` that change positions they wait for the next look."""
        if answers.activities is None or any(isinstance(event, e.OrderFilled) for event in events):
            return []
        self._looked_at, self._is_look_due = answers.time, False
        return bookings(self._books, answers.activities, answers.time)

    def _at_venue(self) -> _Held:
        """What the venue holds by symbol, and its cash; what it does not price is at the marks."""
        money = self._broker.account()
        if money is not None and money.currency != self._books.ledger.currency:
            raise TradingError(
                f"{self._broker.name} keeps {money.currency}, and the books {self._books.ledger.currency}. Set "
                f"account.currency to {money.currency}."
            )
        if self._custodian is not None:
            found = self._custodian.holdings()
        else:
            marks = self._books.marks
            positions = self._broker.positions().items()
            found = [Holding(s, size, marks.get(s, ZERO), marks.get(s, ZERO)) for s, size in positions]
        cash = None if money is None else money.cash.quantize(QUANTUM, context=WIDE)
        return _Held({held.symbol: held for held in found}, cash)

    def _taken_in(self) -> _Held:
        """What the venue holds once all its news are booked; raise where some may be missing."""
        self.look_soon()
        for _ in range(_READINGS):
            now = self._now()
            inquiry, answers = self._asked(now)
            self.take(inquiry, answers, now, {})
            if answers.silence:
                raise VenueDownError(answers.silence)
            unsettled = [*self.in_doubt, *self.in_flight]
            if unsettled:
                raise TradingError(f"It is not known what became of {', '.join(unsettled)}. Adopt when it is.")
            if inquiry.activities_since is None or not self._is_look_due:
                missing = missing_executions(self._books, executions_at(self._broker, self._books))
                return self._at_venue()._replace(within=tuple(missing))
            if answers.activities is None:
                # They would be booked with a later look, and their money is in what the venue holds already.
                raise VenueDownError("The venue does not say what it booked without an order. Adopt when it does.")
        raise _trades_on()

    def _book(self, events: Sequence[e.Event]) -> None:
        """Write bookings down; what the ledger cannot hold raises, and must not get into the journal."""
        trial = self._books.ledger.copy()
        for event in events:
            if isinstance(event, e.Deposited):
                trial.deposit(event.deposit_id, event.amount)
            elif isinstance(event, a.Action | a.LotsNamed):
                a.book(trial, event)
        self._commit(events)

    def _over(self, now: datetime) -> Iterator[e.OrderCanceled]:
        """Ends of orders that are disputed, work in the books and are over at the venue."""
        for name in dict.fromkeys(dispute.client_order_id for dispute in self._books.disputes.values()):
            at_venue = self._broker.order(name)
            if self._books.order(name).status.is_open and at_venue is not None and at_venue.status.is_final:
                yield e.OrderCanceled(now, name)

    def _missing(
        self, holdings: Mapping[str, Holding], now: datetime, who: str, reason: str
    ) -> Iterator[a.UnitsTransferred]:
        """Transfers that make the books hold what the venue does."""
        ours = {symbol: position.quantity for symbol, position in self._books.ledger.positions().items()}
        for symbol in sorted({*ours, *holdings}):
            mark = self._books.marks.get(symbol, ZERO)
            held = holdings.get(symbol, Holding(symbol, ZERO, mark, mark))
            difference = held.quantity - ours.get(symbol, ZERO)
            if difference:
                # Equity is counted at the marks of the books, so that it is what changes it.
                yield _transfer(replace(held, price=mark or held.price), difference, now, who, reason)


def _transfer(held: Holding, quantity: Decimal, now: datetime, who: str, reason: str) -> a.UnitsTransferred:
    name = f"adopt-{now.isoformat()}-{held.symbol}"
    return a.UnitsTransferred(now, name, held.symbol, quantity, held.entry, held.price, who, reason)


def _settled(read: Callable[[], _Held]) -> _Held:
    """Read until two readings in a row agree, so that nothing came between the parts of one."""
    found = read()
    for _ in range(_READINGS):
        again = read()
        if again.facts == found.facts:
            return again
        found = again
    raise _trades_on()


def _trades_on() -> TradingError:
    return TradingError("The account trades while it is compared. Halt it, then try again.")
