"""How orders end, and what that means for those linked to them: groups and brackets.

A group (one cancels the other): a complete fill of one cancels the others, a partial fill takes its lots off the
others. A parent (one triggers the other): its first fill sets those that wait for it to work, for as many lots as
it has filled so far; where it ends without a fill they are cancelled, where it ends early they shrink.
"""

from numba import boolean, int64, void

from nt_ray.brokers.simulated.tables import (
    ACTIVE_PRICE,
    ACTIVE_ROW,
    BOOK_TYPE,
    BY_GROUP,
    BY_PARENT,
    CHILD,
    EXTREME,
    LIQUIDATING,
    LIQUIDATION,
    LIVE_ROW,
    OPEN,
    PARENT_ORDER,
    RING,
    SIBLING,
    USED,
    Book,
    book_njit,
)
from nt_ray.strategies.order_step import (
    CANCELED,
    COLUMN,
    FILLED,
    FILLED_WHOLLY,
    FLAGS,
    HELD,
    LOTS,
    REASON,
    STATUS,
    TRAILING_STOP,
    TYPE,
    WORKING,
)


@book_njit(int64(BOOK_TYPE, int64))
def left(book: Book, order: int) -> int:
    """Lots of an order that may fill now, volume and limits apart."""
    row = book.orders[order]
    most = row[LOTS]
    if row[PARENT_ORDER] >= 0:
        most = min(most, book.orders[row[PARENT_ORDER], FILLED])
    return int(most - row[FILLED] - row[USED])


@book_njit(void(BOOK_TYPE, int64, int64, int64))
def _end(book: Book, order: int, status: int, reason: int) -> None:
    book.orders[order, STATUS] = status
    book.orders[order, REASON] = reason
    book.counters[OPEN] -= 1
    if book.orders[order, FLAGS] & LIQUIDATION:
        book.counters[LIQUIDATING] -= 1


@book_njit(void(BOOK_TYPE, int64))
def _complete(book: Book, order: int) -> None:
    """End an order that has no lots left: filled, or cancelled where its group took the rest."""
    if book.orders[order, FILLED] == book.orders[order, LOTS]:
        _end(book, order, FILLED_WHOLLY, 0)
    else:
        _end(book, order, CANCELED, BY_GROUP)


@book_njit(void(BOOK_TYPE, int64, int64, int64))
def end(book: Book, order: int, status: int, reason: int) -> None:
    """End an open order, and those whose parent it is as far as it did not fill."""
    orders = book.orders
    _end(book, order, status, reason)
    child = orders[order, CHILD]
    while child >= 0:
        if orders[child, STATUS] <= WORKING:
            orders[child, LOTS] = min(orders[child, LOTS], orders[order, FILLED])
            if orders[child, LOTS] == 0:
                _end(book, child, CANCELED, BY_PARENT)
            elif orders[child, LOTS] <= orders[child, FILLED] + orders[child, USED]:
                _complete(book, child)
        child = orders[child, SIBLING]


@book_njit(void(BOOK_TYPE, int64, int64, int64, int64, boolean))
def _set_to_work(book: Book, parent: int, child: int, row: int, price: int, inside: bool) -> None:
    """A child in another instrument starts on the next bar: prices of two instruments have no common moment."""
    orders = book.orders
    orders[child, STATUS] = WORKING
    orders[child, EXTREME] = 0
    if orders[child, COLUMN] != orders[parent, COLUMN]:
        orders[child, LIVE_ROW] = row + 1
        return
    orders[child, LIVE_ROW] = row
    if orders[child, TYPE] == TRAILING_STOP:
        orders[child, EXTREME] = price
    if inside:
        orders[child, ACTIVE_ROW] = row
        orders[child, ACTIVE_PRICE] = price


@book_njit(void(BOOK_TYPE, int64, int64, int64, int64, boolean))
def after_fill(book: Book, order: int, lots: int, row: int, price: int, inside: bool) -> None:
    """Tell the linked orders that `lots` of this one have filled at `price`, and end it where it is done.

    `inside` says that the fill came after the open on a path that is not known, so that what it sets to work has
    the rest of the bar against it and not for it.
    """
    orders = book.orders
    done = orders[order, FILLED] + orders[order, USED] >= orders[order, LOTS]
    other = orders[order, RING]
    while other >= 0 and other != order:
        if orders[other, STATUS] <= WORKING:
            orders[other, USED] += lots
            if done or orders[other, FILLED] + orders[other, USED] >= orders[other, LOTS]:
                end(book, other, CANCELED, BY_GROUP)
        other = orders[other, RING]
    child = orders[order, CHILD]
    while child >= 0:
        if orders[child, STATUS] == HELD:
            _set_to_work(book, order, child, row, price, inside)
        child = orders[child, SIBLING]
    if done and orders[order, STATUS] == WORKING:
        whole = orders[order, FILLED] == orders[order, LOTS]
        end(book, order, FILLED_WHOLLY if whole else CANCELED, 0 if whole else BY_GROUP)
