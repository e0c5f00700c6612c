"""The order table: new orders, the list of each instrument, and what the step sees of it."""

from numba import int64, void

from nt_ray.brokers.simulated.tables import (
    ACTIVE_ROW,
    BOOK_TYPE,
    CANCEL_ROW,
    LIVE_ROW,
    LOOKED,
    NEXT,
    OPEN,
    ORDERS,
    PARENT_ORDER,
    TABLE_FIELDS,
    Book,
    book_njit,
)
from nt_ray.strategies.order_step import (
    COLUMN,
    ENTRY_ROW,
    ID,
    LOTS,
    ORDER_FIELDS,
    SIDE,
    STATUS,
    TIF,
    TYPE,
    WORKING,
)

NEVER = 2**62
"""A row that does not come."""


@book_njit(int64(BOOK_TYPE, int64, int64, int64, int64, int64, int64))
def blank(book: Book, row: int, column: int, lots: int, kind: int, tif: int, live: int) -> int:
    """Write a working order of signed `lots` without prices or links; return its ID. It is not in a list yet."""
    order = book.counters[ORDERS]
    fields = book.orders[order]
    fields[:] = 0
    fields[ACTIVE_ROW] = -1
    fields[LOOKED] = -1
    for link in range(PARENT_ORDER, TABLE_FIELDS):
        fields[link] = -1
    fields[ID] = order
    fields[COLUMN] = column
    fields[SIDE] = 1 if lots > 0 else -1
    fields[LOTS] = abs(lots)
    fields[TYPE] = kind
    fields[TIF] = tif
    fields[STATUS] = WORKING
    fields[ENTRY_ROW] = row
    fields[LIVE_ROW] = live
    fields[CANCEL_ROW] = NEVER
    book.counters[ORDERS] += 1
    return int(order)


@book_njit(void(BOOK_TYPE, int64))
def add(book: Book, order: int) -> None:
    """Put an order at the end of its instrument's list."""
    column = book.orders[order, COLUMN]
    last = book.heads[column, 1]
    if last < 0:
        book.heads[column, 0] = order
    else:
        book.orders[last, NEXT] = order
    book.heads[column, 1] = order
    book.orders[order, NEXT] = -1
    book.counters[OPEN] += 1


@book_njit(void(BOOK_TYPE, int64))
def sweep(book: Book, column: int) -> None:
    """Take ended orders out of an instrument's list."""
    before = -1
    order = book.heads[column, 0]
    while order >= 0:
        following = book.orders[order, NEXT]
        if book.orders[order, STATUS] > WORKING:
            if before < 0:
                book.heads[column, 0] = following
            else:
                book.orders[before, NEXT] = following
        else:
            before = order
        order = following
    book.heads[column, 1] = before


@book_njit(int64(BOOK_TYPE))
def show(book: Book) -> int:
    """Copy the open orders into the view, by column, then in order of entry; return how many there are."""
    count = 0
    if book.counters[OPEN] == 0:
        return 0
    for c in range(book.heads.shape[0]):
        order = book.heads[c, 0]
        while order >= 0:
            if book.orders[order, STATUS] <= WORKING:
                for f in range(ORDER_FIELDS):
                    book.shown[count, f] = book.orders[order, f]
                count += 1
            order = book.orders[order, NEXT]
    return count
