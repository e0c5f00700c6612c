"""From an order that is met at a price to a fill in the books: how many lots, at what price and cost.

In this order: lots that are left; the position, for reduce-only orders; lots that can be borrowed; the bar's volume,
which the orders of an instrument share in the order in which they are met; slippage; fees; margin. Then cash, cost
basis, realised P&L and the linked orders move together.
"""

from numba import boolean, int64, void

from nt_ray.brokers.simulated.impact import impact_ppm, rebated, slipped_by, tier_ppm
from nt_ray.brokers.simulated.links import after_fill, end, left
from nt_ray.brokers.simulated.margin import carries
from nt_ray.brokers.simulated.matching import UNKNOWN_PRICE, commission_at, fill_lots
from nt_ray.brokers.simulated.money import LARGEST, converted, share_of
from nt_ray.brokers.simulated.tables import (
    BOOK_TYPE,
    BORROWABLE,
    CASH,
    FEES,
    FILL_COLUMN,
    FILL_FEE,
    FILL_LOTS,
    FILL_MAKER,
    FILL_ORDER,
    FILL_RAW,
    FILL_REALISED,
    FILL_ROW,
    FILL_SIDE,
    FILL_TICKS,
    FILLS,
    LOOKED,
    MAKER_PPM,
    MINIMUM,
    NO_BORROW,
    NO_MARGIN,
    NOT_AT_ONCE,
    NOTHING_TO_REDUCE,
    PER_LOT,
    PER_ORDER,
    REALISED,
    SHARE_PPM,
    SLIP_PPM,
    SLIP_QUADRATIC,
    SLIP_ROOT,
    SLIP_TICKS,
    TAKER_PPM,
    TAPE_TYPE,
    TOO_LARGE,
    TRADED,
    UNIT,
    Book,
    Tape,
    book_njit,
)
from nt_ray.market.bars import VOLUME
from nt_ray.strategies.order_step import (
    CANCELED,
    COLUMN,
    FILLED,
    FLAGS,
    FOK,
    IOC,
    REDUCE_ONLY,
    REJECTED,
    SIDE,
    STATUS,
    TIF,
    WORKING,
)

_WITHOUT_END = 2**62


@book_njit(int64(TAPE_TYPE, BOOK_TYPE, int64, int64))
def budget(tape: Tape, book: Book, row: int, column: int) -> int:
    """Lots of the bar's volume that may still trade."""
    if book.budgets[column, 0] != row:
        book.budgets[column, 0] = row
        volume = tape.values[row, column, VOLUME]
        share = tape.terms[column, SHARE_PPM]
        book.budgets[column, 1] = fill_lots(_WITHOUT_END, volume, tape.lot_sizes[column], share)
    return int(book.budgets[column, 1])


@book_njit(int64(TAPE_TYPE, BOOK_TYPE, int64, int64))
def permitted(tape: Tape, book: Book, row: int, order: int) -> int:
    """Lots that may fill on this bar; 0 where none may, the order ended where its terms say so."""
    fields = book.orders[order]
    column, side = fields[COLUMN], fields[SIDE]
    wanted = left(book, order)
    lots = wanted
    if fields[FLAGS] & REDUCE_ONLY:
        lots = min(lots, max(-side * book.lots[column], 0))
        if lots == 0 and wanted > 0:
            end(book, order, CANCELED, NOTHING_TO_REDUCE)
            return 0
    cap = tape.terms[column, BORROWABLE]
    if side < 0 and cap >= 0:
        lots = min(lots, max(book.lots[column] + cap, 0))
        if lots == 0 and wanted > 0:
            end(book, order, REJECTED if fields[FILLED] == 0 else CANCELED, NO_BORROW)
            return 0
    lots = min(lots, budget(tape, book, row, column))
    if fields[TIF] == FOK and lots < wanted:
        lots = 0
    if lots == 0:
        fields[LOOKED] = row
        if fields[TIF] == FOK or fields[TIF] == IOC:
            end(book, order, CANCELED, NOT_AT_ONCE)
    return int(lots)


@book_njit(int64(TAPE_TYPE, BOOK_TYPE, int64, int64, int64, int64, int64))
def fee_of(tape: Tape, book: Book, row: int, order: int, lots: int, price: int, maker: int) -> int:
    """Fee of an execution, in quanta of the account, negative for a rebate; an order's own fee comes with its first."""
    column = book.orders[order, COLUMN]
    terms = tape.terms[column]
    rate = tier_ppm(tape.tiers, book.ledger[TRADED], maker, terms[MAKER_PPM] if maker else terms[TAKER_PPM])
    notional = price * lots * terms[UNIT]
    if rate < 0:
        fee = rebated(notional, lots, -rate, terms[PER_LOT])
    else:
        fee = commission_at(notional, lots, rate, terms[PER_LOT], terms[MINIMUM])
    if book.orders[order, FILLED] == 0:
        fee += terms[PER_ORDER]
    return int(converted(tape, row, column, fee))


@book_njit(int64(TAPE_TYPE, BOOK_TYPE, int64, int64, int64, int64, int64))
def settle(tape: Tape, book: Book, row: int, column: int, signed: int, price: int, fee: int) -> int:
    """Move position, cash, cost basis and totals by an execution of `signed` lots; return the realised P&L."""
    held = book.lots[column]
    side = 1 if signed > 0 else -1
    lots = abs(signed)
    worth = converted(tape, row, column, lots * price * tape.terms[column, UNIT])
    closing = min(lots, abs(held)) if held * side < 0 else 0
    closed_worth = share_of(worth, closing, lots)
    realised = 0
    if closing > 0:
        released = share_of(book.basis[column], closing, abs(held))
        realised = -side * closed_worth - released
        book.basis[column] -= released
    book.basis[column] += side * (worth - closed_worth)
    book.lots[column] = held + signed
    if book.marks[column] == UNKNOWN_PRICE:
        book.marks[column] = price
    book.ledger[CASH] -= side * worth + fee
    book.ledger[REALISED] += realised
    book.ledger[FEES] += fee
    book.ledger[TRADED] += worth
    return realised


@book_njit(void(BOOK_TYPE, int64, int64, int64, int64, int64, int64, int64, int64))
def write(
    book: Book, row: int, order: int, lots: int, price: int, raw: int, maker: int, fee: int, realised: int
) -> None:
    """Write a fill down."""
    out = book.fills[book.counters[FILLS]]
    out[FILL_ROW] = row
    out[FILL_COLUMN] = book.orders[order, COLUMN]
    out[FILL_SIDE] = book.orders[order, SIDE]
    out[FILL_LOTS] = lots
    out[FILL_TICKS] = price
    out[FILL_FEE] = fee
    out[FILL_ORDER] = order
    out[FILL_MAKER] = maker
    out[FILL_RAW] = raw
    out[FILL_REALISED] = realised
    book.counters[FILLS] += 1


@book_njit(boolean(TAPE_TYPE, BOOK_TYPE, int64, int64, int64, boolean, int64, boolean))
def fill(tape: Tape, book: Book, row: int, order: int, raw: int, slips: bool, maker: int, inside: bool) -> bool:
    """Fill an order that is met at `raw` as far as it goes; whether anything filled."""
    lots = permitted(tape, book, row, order)
    if lots == 0:
        return False
    fields = book.orders[order]
    column, side = fields[COLUMN], fields[SIDE]
    terms = tape.terms[column]
    price = raw
    if slips:
        volume = tape.values[row, column, VOLUME]
        moved = impact_ppm(lots, tape.lot_sizes[column], volume, terms[SLIP_QUADRATIC], terms[SLIP_ROOT])
        price = slipped_by(raw, side, terms[SLIP_PPM] + moved, terms[SLIP_TICKS])
    if not float(price) * float(lots + abs(book.lots[column])) * float(terms[UNIT]) < LARGEST:
        book.failure[:] = (float(TOO_LARGE), float(row), float(column), 0.0)
        fields[LOOKED] = row
        return False
    fee = fee_of(tape, book, row, order, lots, price, maker)
    if not carries(tape, book, row, column, side * lots, price, fee):
        end(book, order, REJECTED if fields[FILLED] == 0 else CANCELED, NO_MARGIN)
        return False
    realised = settle(tape, book, row, column, side * lots, price, fee)
    book.budgets[column, 1] -= lots
    fields[FILLED] += lots
    write(book, row, order, lots, price, raw, maker, fee, realised)
    after_fill(book, order, lots, row, raw, inside)
    if fields[STATUS] == WORKING:
        fields[LOOKED] = row
        if fields[TIF] == IOC:
            end(book, order, CANCELED, NOT_AT_ONCE)
        elif fields[FLAGS] & REDUCE_ONLY and book.lots[column] == 0:
            end(book, order, CANCELED, NOTHING_TO_REDUCE)
    return True
