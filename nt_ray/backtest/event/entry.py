"""From a step's requests to orders in the table.

A request that makes no sense ends the run with a failure that names it, before any of its bar's requests count. With
a latency of L bars an order works, and a cancellation takes effect, L bars later than it else would.
"""

from numba import boolean, int64, njit, void

from nt_ray.brokers.simulated.bar_matching import begin, walk
from nt_ray.brokers.simulated.links import end
from nt_ray.brokers.simulated.matching import UNKNOWN_PRICE
from nt_ray.brokers.simulated.orders import add, blank, sweep
from nt_ray.brokers.simulated.tables import (
    BAD_REQUEST,
    BOOK_TYPE,
    CANCEL_ROW,
    CHILD,
    IN_LIQUIDATION,
    LATENCY,
    LIQUIDATING,
    LIVE_ROW,
    NEXT,
    NOT_AT_ONCE,
    ORDERS,
    PARENT_ORDER,
    RING,
    SAME_CLOSE,
    SESSION_END,
    SIBLING,
    TAPE_TYPE,
    TOO_MANY,
    Book,
    Tape,
    book_njit,
)
from nt_ray.market.bars import CLOSE
from nt_ray.strategies.order_step import (
    CANCELED,
    COLUMN,
    FLAGS,
    FOK,
    GOOD_TILL,
    GROUP,
    GTD,
    HELD,
    ID,
    IOC,
    LIMIT,
    LIMIT_ON_CLOSE,
    LIMIT_ON_OPEN,
    LIMIT_ORDER,
    LOTS,
    MARKET,
    NEW,
    PARENT,
    POST_ONLY,
    REASON,
    REJECTED,
    SIDE,
    STATUS,
    STOP,
    STOP_LIMIT,
    STOP_MARKET,
    TAG,
    TIF,
    TRAIL,
    TRAIL_PPM,
    TRAILING_STOP,
    TYPE,
    WORKING,
)
from nt_ray.types import IntArray

_MOST = 2**53
_FLAGS = 7


@njit(boolean(int64[::1], int64), cache=True, nogil=True)
def prices_fit(request: IntArray, row: int) -> bool:
    """Whether type, prices, time in force and flags of a request fit together."""
    kind, tif, flags = request[TYPE], request[TIF], request[FLAGS]
    if not MARKET <= kind <= LIMIT_ON_CLOSE or not 0 <= tif <= FOK or not 0 <= flags <= _FLAGS:
        return False
    limited = kind in (LIMIT_ORDER, STOP_LIMIT, LIMIT_ON_OPEN, LIMIT_ON_CLOSE)
    stopped = kind in (STOP_MARKET, STOP_LIMIT)
    for wanted, price in ((limited, request[LIMIT]), (stopped, request[STOP]), (kind == TRAILING_STOP, request[TRAIL])):
        if (wanted and not 0 < price <= _MOST) or (not wanted and price != 0):
            return False
    if tif >= IOC and kind != MARKET and kind != LIMIT_ORDER:
        return False
    if (flags & POST_ONLY and (kind != LIMIT_ORDER or tif >= IOC)) or (flags & TRAIL_PPM and kind != TRAILING_STOP):
        return False
    return bool(tif != GTD or request[GOOD_TILL] > row)


@book_njit(boolean(BOOK_TYPE, int64, int64))
def makes_sense(book: Book, row: int, number: int) -> bool:
    """Whether request `number` of this bar can become an order, or cancel one."""
    request = book.requests[number]
    if request[ID] != NEW:
        return bool(0 <= request[ID] < book.counters[ORDERS])
    if not 0 <= request[COLUMN] < book.lots.shape[0] or abs(request[SIDE]) != 1 or not 0 < request[LOTS] <= _MOST:
        return False
    if request[GROUP] < 0 or not -1 <= request[PARENT] < number:
        return False
    if request[PARENT] >= 0:
        parent = book.requests[request[PARENT]]
        if parent[ID] != NEW or parent[PARENT] >= 0:
            return False
    return bool(prices_fit(request, row))


@book_njit(int64(TAPE_TYPE, BOOK_TYPE, int64, int64))
def to_order(tape: Tape, book: Book, row: int, number: int) -> int:
    """Make an order of a request, without its links."""
    request = book.requests[number]
    live = row if tape.settings[SAME_CLOSE] else row + 1 + tape.settings[LATENCY]
    order = blank(book, row, request[COLUMN], request[SIDE] * request[LOTS], request[TYPE], request[TIF], live)
    fields = book.orders[order]
    for f in (LIMIT, STOP, TRAIL, GOOD_TILL, FLAGS, TAG):
        fields[f] = request[f]
    return int(order)


@book_njit(void(BOOK_TYPE, int64, int64))
def link(book: Book, number: int, order: int) -> None:
    """Link an order to those of the same bar; the TAG of a request that is an order by now holds its ID."""
    orders, requests = book.orders, book.requests
    parent = requests[number, PARENT]
    if parent >= 0:
        owner = requests[parent, TAG]
        orders[order, PARENT_ORDER] = owner
        orders[order, STATUS] = HELD
        orders[order, SIBLING] = orders[owner, CHILD]
        orders[owner, CHILD] = order
    group = requests[number, GROUP]
    if group > 0:
        for other in range(number):
            if requests[other, ID] == NEW and requests[other, GROUP] == group:
                before = requests[other, TAG]
                orders[order, RING] = before if orders[before, RING] < 0 else orders[before, RING]
                orders[before, RING] = order
                break


@book_njit(void(TAPE_TYPE, BOOK_TYPE, int64))
def meet_close(tape: Tape, book: Book, row: int) -> None:
    """Give the orders of this row their first look at its close."""
    for c in range(book.heads.shape[0]):
        last = tape.ticks[row, c, CLOSE]
        if book.heads[c, 0] < 0 or last == UNKNOWN_PRICE:
            continue
        begin(book, row, c, last)
        walk(tape, book, row, c, last, last, False, tape.calendar[row, SESSION_END])
        order = book.heads[c, 0]
        while order >= 0:
            fields = book.orders[order]
            if fields[STATUS] == WORKING and fields[TIF] >= IOC and fields[LIVE_ROW] <= row:
                end(book, order, CANCELED, NOT_AT_ONCE)
            order = fields[NEXT]
        sweep(book, c)


@book_njit(void(TAPE_TYPE, BOOK_TYPE, int64, int64))
def enter(tape: Tape, book: Book, row: int, count: int) -> None:
    """Take in the first `count` requests of this row."""
    if count < 0 or count > book.requests.shape[0]:
        book.failure[:] = (float(TOO_MANY), float(row), 0.0, float(count))
        return
    for number in range(count):
        if not makes_sense(book, row, number):
            book.failure[:] = (float(BAD_REQUEST), float(row), float(book.requests[number, COLUMN]), float(number))
            return
    for number in range(count):
        if book.requests[number, ID] != NEW:
            fields = book.orders[book.requests[number, ID]]
            fields[CANCEL_ROW] = min(fields[CANCEL_ROW], row + 1 + tape.settings[LATENCY])
            continue
        order = to_order(tape, book, row, number)
        book.requests[number, TAG] = order
        if book.counters[LIQUIDATING] > 0:
            book.orders[order, STATUS] = REJECTED
            book.orders[order, REASON] = IN_LIQUIDATION
            continue
        link(book, number, order)
        add(book, order)
    if tape.settings[SAME_CLOSE] and count > 0:
        meet_close(tape, book, row)
