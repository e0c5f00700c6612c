"""What a venue booked without an order, turned into events for the journal, each once by the venue's id.

Knows the books and no venue. What the books cannot hold (a split of a symbol that is not held) is passed over for good
and logged: a reconciliation names what differs by it, and a person adopts that.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from nt_ray.brokers.custody import ActivityKind, VenueActivity
from nt_ray.errors import NeuralTraderError
from nt_ray.trader.books import Books
from nt_ray.trading import actions as a
from nt_ray.trading import events as e
from nt_ray.trading.ledger import Charge, Ledger

VENUE = "venue"
"""Who signs what the venue has booked."""

_log = logging.getLogger(__name__)


def bookings(books: Books, found: Sequence[VenueActivity], now: datetime) -> list[e.Event]:
    """Events of activities that the books do not have, in the order in which they came."""
    trial, marks = books.ledger.copy(), dict(books.marks)
    booked: list[e.Event] = []
    passed: list[str] = []
    # The same one may stand on two pages of an answer.
    for activity in {one.activity_id: one for one in found}.values():
        if activity.activity_id in books.actions or activity.activity_id in books.passed:
            continue
        try:
            action = _action(activity, trial, marks, now)
            if action is None:
                passed.append(activity.activity_id)
                continue
            a.book(trial, action)
        except NeuralTraderError as error:
            _log.warning("What the venue booked as %s is passed over: %s", activity.activity_id, error)
            passed.append(activity.activity_id)
        else:
            booked.append(action)
            marks |= a.marks_after(action, marks)
    return [*booked, e.ActivitiesPassed(now, tuple(passed))] if passed else booked


def _action(activity: VenueActivity, ledger: Ledger, marks: Mapping[str, Decimal], now: datetime) -> a.Action | None:
    """What to book; None where an activity changes nothing. Ledger and marks are as those before it leave them."""
    name, symbol, amount = activity.activity_id, activity.symbol, activity.amount
    match activity.kind:
        case ActivityKind.SPLIT:
            return _split(activity, ledger, now)
        case ActivityKind.UNITS if activity.quantity:
            mark = marks.get(symbol) or activity.price or Decimal(0)
            price = mark if activity.price is None else activity.price
            return a.UnitsTransferred(now, name, symbol, activity.quantity, price, mark, VENUE, activity.kind)
        case _ if not amount:
            return None
        case ActivityKind.DIVIDEND:
            return a.DividendPaid(now, name, symbol, amount)
        case ActivityKind.FEE:
            return a.Charged(now, name, Charge.FEES, -amount)
        case ActivityKind.INTEREST:
            return a.Charged(now, name, Charge.INTEREST, -amount)
        case ActivityKind.CASH:
            return a.CashTransferred(now, name, amount, VENUE, activity.kind)
        case _:
            return None


def _split(activity: VenueActivity, ledger: Ledger, now: datetime) -> a.Action | None:
    """A split as the change of what is held: the ratio is that of units after to units before."""
    held = ledger.position(activity.symbol).quantity
    after = held + activity.quantity
    if not held or not activity.quantity:
        return None
    ratio = Fraction(after) / Fraction(held)
    return a.SplitApplied(
        now, activity.activity_id, activity.symbol, ratio.numerator, ratio.denominator, after, activity.amount
    )
