"""What holding a position brings and costs: splits and dividends at the open, funding and borrowing at the close.

A split multiplies positions; the fraction of a lot that is left over is paid out at the adjusted mark, and the open
orders of the instrument are cancelled, since their prices mean something else now. A dividend goes to who held the
position at the close before; who is short pays it. Funding: a long pays the rate on its value, a short receives it.
Borrowing is charged on the value of short positions. Amounts are rounded towards zero.
"""

from numba import int64, void

from nt_ray.brokers.simulated.links import end
from nt_ray.brokers.simulated.money import converted, share_of, value_of
from nt_ray.brokers.simulated.tables import (
    BOOK_TYPE,
    BORROW,
    BORROW_RATE,
    BY_SPLIT,
    CASH,
    DIVIDENDS,
    FUNDING,
    NEXT,
    RATE_ONE,
    REALISED,
    TAPE_TYPE,
    UNIT,
    Book,
    Tape,
    book_njit,
)
from nt_ray.strategies.order_step import CANCELED, STATUS, WORKING


@book_njit(void(TAPE_TYPE, BOOK_TYPE, int64, int64, int64, int64))
def split(tape: Tape, book: Book, row: int, column: int, new: int, old: int) -> None:
    """Make `new` lots of every `old`."""
    order = book.heads[column, 0]
    while order >= 0:
        if book.orders[order, STATUS] <= WORKING:
            end(book, order, CANCELED, BY_SPLIT)
        order = book.orders[order, NEXT]
    mark = book.marks[column]
    if mark > 0:
        book.marks[column] = max((mark * old + new // 2) // new, 1)
    held = book.lots[column]
    if held == 0:
        return
    size = abs(held)
    lots = share_of(size, new, old)
    # What is left of the last lot, in parts of which `old` make a whole one.
    rest = size % old * new % old
    paid = converted(tape, row, column, share_of(book.marks[column] * tape.terms[column, UNIT], rest, old))
    side = 1 if held > 0 else -1
    realised = side * paid
    if lots == 0:
        realised -= book.basis[column]
        book.basis[column] = 0
    book.lots[column] = side * lots
    book.ledger[CASH] += side * paid
    book.ledger[REALISED] += realised


@book_njit(void(TAPE_TYPE, BOOK_TYPE, int64))
def at_open(tape: Tape, book: Book, row: int) -> None:
    """Dividends and splits of this row; dividends count the lots before the split."""
    for c in range(book.lots.shape[0]):
        if tape.dividends.shape[0] > 0 and tape.dividends[row, c] != 0 and book.lots[c] != 0:
            paid = converted(tape, row, c, book.lots[c] * tape.dividends[row, c])
            book.ledger[CASH] += paid
            book.ledger[DIVIDENDS] += paid
        if tape.splits.shape[0] > 0 and tape.splits[row, c, 0] != tape.splits[row, c, 1]:
            split(tape, book, row, c, tape.splits[row, c, 0], tape.splits[row, c, 1])


@book_njit(void(TAPE_TYPE, BOOK_TYPE, int64))
def at_close(tape: Tape, book: Book, row: int) -> None:
    """Funding and borrowing on the positions held at the end of this row."""
    for c in range(book.lots.shape[0]):
        if book.lots[c] == 0:
            continue
        if tape.funding.shape[0] > 0 and tape.funding[row, c] != 0:
            rate = tape.funding[row, c]
            paid = share_of(value_of(tape, book, row, c), abs(rate), RATE_ONE)
            paid = paid if rate < 0 else -paid
            book.ledger[CASH] += paid
            book.ledger[FUNDING] += paid
        if book.lots[c] < 0 and tape.terms[c, BORROW_RATE] > 0:
            cost = share_of(-value_of(tape, book, row, c), tape.terms[c, BORROW_RATE], RATE_ONE)
            book.ledger[CASH] -= cost
            book.ledger[BORROW] += cost
