"""Tax lots: what a position was bought in, and which of it a closing trade takes.

A lot is a signed quantity with its total cost, signed alike, and the id and time of the execution that opened it. A
position is the sum of its lots, all of one sign. Costs are totals, so nothing is lost to division: what a trade takes
out of a part of a lot is rounded once, half to even, to 1e-8, and the last unit takes all that is left.

Methods, by the order in which lots are closed:
    average   one pool: an opening trade joins it, each unit costs the same
    fifo      the oldest first
    lifo      the newest first
    hifo      those first whose closing earns the least: the dearest of a long, the cheapest of a short position
    specific  those that the order names, in its order, then the oldest

Everything here is a function of its arguments; the ledger (`nt_ray.trading.ledger`) keeps the lots and books the money.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Context, Decimal, Inexact, Overflow
from enum import StrEnum
from typing import Final, NamedTuple, TypeAlias

from nt_ray.errors import TradingError
from nt_ray.types import MONEY_DECIMALS

QUANTUM: Final = Decimal(1).scaleb(-MONEY_DECIMALS)
ZERO: Final = Decimal(0)

EXACT: Final = Context(prec=120, rounding=ROUND_HALF_EVEN, traps=[Inexact, Overflow])
WIDE: Final = Context(prec=120, rounding=ROUND_HALF_EVEN)


class LotMethod(StrEnum):
    """Which lots a closing trade takes."""

    AVERAGE = "average"
    FIFO = "fifo"
    LIFO = "lifo"
    HIFO = "hifo"
    SPECIFIC = "specific"


@dataclass(frozen=True, slots=True)
class Lot:
    """A part of a position; `lot_id` is the execution that opened it (under `average` the one that began the pool)."""

    lot_id: str
    quantity: Decimal
    cost: Decimal
    opened: datetime


Lots: TypeAlias = tuple[Lot, ...]
"""Lots of one position, oldest first."""


class Closing(NamedTuple):
    """What a trade took out of one lot: signed quantity, its cost and the profit, before commission."""

    lot_id: str
    opened: datetime
    quantity: Decimal
    cost: Decimal
    realised: Decimal


class Trade(NamedTuple):
    """A position after a trade."""

    lots: Lots
    closings: tuple[Closing, ...]

    @property
    def realised(self) -> Decimal:
        """Profit of all that was closed."""
        return sum((c.realised for c in self.closings), ZERO)


class UnknownLotError(TradingError):
    """A lot that is named and not held."""

    code = "unknown_lot"

    def __init__(self, lot_id: str, symbol: str) -> None:
        super().__init__(
            f"{symbol} has no open lot {lot_id!r}. Name lots of the position, by the executions that opened them."
        )


class SplitError(TradingError):
    """A split whose result does not fit the position."""

    code = "split"


def trade(lots: Lots, incoming: Lot, price: Decimal, method: LotMethod, named: Sequence[str] = ()) -> Trade:
    """Position after a trade at `price`; one through zero closes everything, then opens.

    `incoming` is the trade as a lot: its id and time, and its signed quantity and cost. `named` are ids of lots, for
    `specific`; those that are closed already are passed over.
    """
    held = quantity_of(lots)
    signed = incoming.quantity
    if held * signed >= 0:
        return Trade(_join(lots, incoming, method), ())
    order = _ordered(lots, method, named)
    if abs(signed) >= abs(held):
        opened = held + signed
        cost = money(opened, price)
        closings = _close([(lot, lot.quantity) for lot in order], price, cost - incoming.cost)
        return Trade((_sized(incoming, opened, cost),) if opened else (), closings)
    return _reduce(lots, incoming, price, order)


def _join(lots: Lots, incoming: Lot, method: LotMethod) -> Lots:
    if method is not LotMethod.AVERAGE or not lots:
        return (*lots, incoming)
    pool = lots[0]
    return (_sized(pool, pool.quantity + incoming.quantity, pool.cost + incoming.cost),)


def _ordered(lots: Lots, method: LotMethod, named: Sequence[str]) -> Sequence[Lot]:
    """Lots in the order in which they are closed."""
    match method:
        case LotMethod.LIFO:
            return lots[::-1]
        case LotMethod.HIFO:
            # Sorting keeps the oldest first among equals. Of a short position the cheapest come first.
            return sorted(lots, key=lambda lot: -lot.cost / abs(lot.quantity))
        case LotMethod.SPECIFIC:
            place = {lot_id: i for i, lot_id in enumerate(named)}
            return sorted(lots, key=lambda lot: place.get(lot.lot_id, len(place)))
        case _:
            return lots


def _reduce(lots: Lots, incoming: Lot, price: Decimal, order: Sequence[Lot]) -> Trade:
    """Take a trade of less than the whole position out of lots in an order."""
    wanted = -incoming.quantity
    takings = []
    for lot in order:
        taken = lot.quantity if abs(wanted) >= abs(lot.quantity) else wanted
        takings.append((lot, taken))
        wanted -= taken
        if not wanted:
            break
    closings = _close(takings, price, -incoming.cost)
    left = {lot.lot_id: lot for lot in lots}
    for (lot, taken), closing in zip(takings, closings, strict=True):
        left[lot.lot_id] = _sized(lot, lot.quantity - taken, lot.cost - closing.cost)
    return Trade(tuple(lot for lot in left.values() if lot.quantity), closings)


def _close(takings: Sequence[tuple[Lot, Decimal]], price: Decimal, proceeds: Decimal) -> tuple[Closing, ...]:
    """Close signed quantities of lots; each earns its share of the rounded proceeds, the last one what is left."""
    closings = []
    closed = earned = ZERO
    for place, (lot, taken) in enumerate(takings, 1):
        cost = lot.cost
        if taken != lot.quantity:
            cost = WIDE.divide(EXACT.multiply(cost, taken), lot.quantity).quantize(QUANTUM, context=WIDE)
        closed += taken
        reached = proceeds if place == len(takings) else money(closed, price)
        closings.append(Closing(lot.lot_id, lot.opened, taken, cost, reached - earned - cost))
        earned = reached
    return tuple(closings)


def money(quantity: Decimal, price: Decimal) -> Decimal:
    """Worth of a signed quantity at a price, in steps of 1e-8, rounded half to even."""
    worth = EXACT.multiply(quantity, price)
    # Whole quanta stay as they are written: most executions are of them.
    return worth if _scale(worth) <= MONEY_DECIMALS else worth.quantize(QUANTUM, context=WIDE)


def _scale(amount: Decimal) -> int:
    exponent = amount.as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0


def split(lots: Lots, new: int, old: int, quantity: Decimal, cash: Decimal) -> Trade:
    """Position after `new` units came for every `old`, as the venue reports it: `quantity` units, `cash` for the rest.

    The fraction of a unit that was paid out in cash is closed, with its share of the cost. What a lot holds afterwards
    is rounded to 1e-8 so that the sums stay exact. Raises `SplitError` where `quantity` is off by a unit or more.
    """
    held = quantity_of(lots)
    exact = WIDE.divide(EXACT.multiply(held, Decimal(new)), Decimal(old))
    paid_out = exact - quantity
    if abs(paid_out) >= 1 or paid_out * held < 0 or quantity * held < 0:
        raise SplitError(
            f"{held} units split {new} for {old} are {exact.normalize():f}, and the venue reports {quantity}. "
            "Compare the position with the venue's."
        )
    cost = cost_of(lots)
    kept = cost if paid_out == 0 else WIDE.divide(EXACT.multiply(cost, quantity), exact).quantize(QUANTUM, context=WIDE)
    after = _spread(lots, held, quantity, cost, kept)
    if paid_out == 0 and cash == 0:
        return Trade(after, ())
    share = cost - kept
    return Trade(after, (Closing(lots[0].lot_id, lots[0].opened, paid_out, share, cash - share),))


def _spread(lots: Lots, held: Decimal, quantity: Decimal, cost: Decimal, kept: Decimal) -> Lots:
    """Lots scaled to a quantity and a cost; each boundary between two lots is rounded toward zero to 1e-8."""
    after: list[Lot] = []
    sums = [ZERO, ZERO]
    done = [ZERO, ZERO]
    for lot in lots:
        sums = [sums[0] + lot.quantity, sums[1] + lot.cost]
        reached = [_share(quantity, sums[0], held), _share(kept, sums[1], cost)]
        if reached[0] != done[0]:
            after.append(_sized(lot, reached[0] - done[0], reached[1] - done[1]))
            done = reached
    if after and done[1] != kept:
        after[-1] = _sized(after[-1], after[-1].quantity, after[-1].cost + kept - done[1])
    return tuple(after)


def _share(total: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    if part == whole:
        return total
    return WIDE.divide(EXACT.multiply(total, part), whole).quantize(QUANTUM, rounding=ROUND_DOWN, context=WIDE)


def merge(lots: Lots, others: Lots, method: LotMethod) -> Lots:
    """Lots of two positions of the same sign as one, oldest first."""
    both = sorted((*lots, *others), key=lambda lot: lot.opened)
    if method is not LotMethod.AVERAGE or not both:
        return tuple(both)
    return (_sized(both[0], quantity_of(both), cost_of(both)),)


def _sized(lot: Lot, quantity: Decimal, cost: Decimal) -> Lot:
    """Return the lot with another quantity and cost."""
    return Lot(lot.lot_id, quantity, cost, lot.opened)


def quantity_of(lots: Sequence[Lot]) -> Decimal:
    """Signed quantity of a position."""
    if len(lots) == 1:
        return lots[0].quantity
    return sum((lot.quantity for lot in lots), ZERO)


def cost_of(lots: Sequence[Lot]) -> Decimal:
    """Signed cost of a position."""
    return sum((lot.cost for lot in lots), ZERO)
