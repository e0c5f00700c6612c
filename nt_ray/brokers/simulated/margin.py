"""Margin: what a position ties up, whether a fill can be carried, and when the account is closed out.

Requirements are parts per million of each position's absolute value. A fill that makes a position larger must leave
equity, at that fill's price and the others' marks, at or above the initial requirement; otherwise the order is
rejected. Where equity at the marks falls below the maintenance requirement, every open order is cancelled and every
position is closed by market orders on the bars that follow; until they are done, new orders are rejected.
"""

from numba import boolean, int64, void

from nt_ray.brokers.simulated.links import end
from nt_ray.brokers.simulated.matching import MILLION
from nt_ray.brokers.simulated.money import converted, share_of, value_of
from nt_ray.brokers.simulated.orders import add, blank
from nt_ray.brokers.simulated.tables import (
    BOOK_TYPE,
    CASH,
    EQUITY,
    IN_LIQUIDATION,
    INITIAL_PPM,
    LIQUIDATING,
    LIQUIDATION,
    MAINTENANCE_PPM,
    MARGINED,
    NEXT,
    PARENT_ORDER,
    TAPE_TYPE,
    UNIT,
    Book,
    Tape,
    book_njit,
)
from nt_ray.strategies.order_step import CANCELED, FLAGS, GTC, MARKET, STATUS, WORKING


@book_njit(boolean(TAPE_TYPE, BOOK_TYPE, int64, int64, int64, int64, int64))
def carries(tape: Tape, book: Book, row: int, column: int, signed: int, price: int, fee: int) -> bool:
    """Whether equity carries the account after a fill of `signed` lots at `price`."""
    after = book.lots[column] + signed
    if tape.settings[MARGINED] == 0 or abs(after) <= abs(book.lots[column]):
        return True
    unit = price * tape.terms[column, UNIT]
    new = converted(tape, row, column, after * unit)
    traded = converted(tape, row, column, abs(signed) * unit)
    equity = book.ledger[CASH] - fee - (traded if signed > 0 else -traded) + new
    needed = share_of(abs(new), tape.terms[column, INITIAL_PPM], MILLION)
    for c in range(book.lots.shape[0]):
        if c != column and book.lots[c] != 0:
            value = value_of(tape, book, row, c)
            equity += value
            needed += share_of(abs(value), tape.terms[c, INITIAL_PPM], MILLION)
    return bool(equity >= needed)


@book_njit(void(TAPE_TYPE, BOOK_TYPE, int64))
def maintain(tape: Tape, book: Book, row: int) -> None:
    """Start to close the account out where its equity is too small for its positions."""
    if book.counters[LIQUIDATING] > 0:
        return
    needed = 0
    held = False
    for c in range(book.lots.shape[0]):
        if book.lots[c] != 0:
            held = True
            needed += share_of(abs(value_of(tape, book, row, c)), tape.terms[c, MAINTENANCE_PPM], MILLION)
    if not held or book.ledger[EQUITY] >= needed:
        return
    # Parents first, whatever their instrument: what has not begun ends with its parent.
    for children in (False, True):
        for c in range(book.lots.shape[0]):
            order = book.heads[c, 0]
            while order >= 0:
                if book.orders[order, STATUS] <= WORKING and (children or book.orders[order, PARENT_ORDER] < 0):
                    end(book, order, CANCELED, IN_LIQUIDATION)
                order = book.orders[order, NEXT]
    for c in range(book.lots.shape[0]):
        if book.lots[c] != 0:
            order = blank(book, row, c, -book.lots[c], MARKET, GTC, row + 1)
            book.orders[order, FLAGS] = LIQUIDATION
            book.counters[LIQUIDATING] += 1
            add(book, order)
