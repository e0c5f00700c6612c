"""One bar of one instrument: which orders are met, in which order, at which prices.

A bar is its open, its range and its close. At the open, orders are looked at in order of entry: market orders,
limits that the open is at or better than, stops that it has gapped through; all of them at the open. What happens
between open and close is a rule that the caller chooses:

* worst case: the order of high and low is taken against the trader. Every stop that the range reaches is met before
  any limit; what an order sets to work inside the bar can be stopped on the same bar, but a limit of it is met only
  where it is marketable at once, or at the close. A trailing stop is measured from prices up to the open, and moves
  with the bar after.
* open-high-low-close, open-low-high-close, or by the candle's colour (low first in a rising bar): the market walks
  straight from point to point, orders are met in the order in which it passes them, trailing stops follow it, and
  what an order sets to work is looked at from there on.

At the close of a session come on-close orders, at the open of one on-open orders; they last until then and no longer.
A close-only instrument has one price, its close, at which all of this happens; a bar without an open trades nothing.
"""

from numba import boolean, int64, njit, void

from nt_ray.brokers.simulated.fills import fill
from nt_ray.brokers.simulated.hits import limit_hit, more_extreme, stop_hit, trailing_stop
from nt_ray.brokers.simulated.links import end
from nt_ray.brokers.simulated.matching import UNKNOWN_PRICE
from nt_ray.brokers.simulated.orders import sweep
from nt_ray.brokers.simulated.tables import (
    ACTIVE_PRICE,
    ACTIVE_ROW,
    BOOK_TYPE,
    BY_COLOUR,
    BY_STRATEGY,
    CANCEL_ROW,
    CLOSE_ONLY,
    EXTREME,
    LIVE_ROW,
    LOOKED,
    NEXT,
    NOT_AT_ONCE,
    OPEN,
    OPEN_HIGH_LOW,
    PATH,
    RESTED,
    SESSION_END,
    SESSION_START,
    TAPE_TYPE,
    TRIGGERED,
    WORST_CASE,
    WOULD_TAKE,
    Book,
    Tape,
    book_njit,
)
from nt_ray.strategies.order_step import (
    CANCELED,
    DAY,
    EXPIRED,
    FLAGS,
    FOK,
    GOOD_TILL,
    GTC,
    GTD,
    IOC,
    LIMIT,
    LIMIT_ON_CLOSE,
    LIMIT_ON_OPEN,
    LIMIT_ORDER,
    MARKET_ON_CLOSE,
    MARKET_ON_OPEN,
    POST_ONLY,
    REJECTED,
    SIDE,
    STATUS,
    STOP,
    STOP_LIMIT,
    STOP_MARKET,
    TIF,
    TRAIL,
    TRAIL_PPM,
    TRAILING_STOP,
    TYPE,
    WORKING,
)
from nt_ray.types import IntArray

_IMMEDIATE, _STOPPED, _LIMITED, _MISSED = range(4)


@njit(boolean(int64[::1]), cache=True, nogil=True)
def waits_for_stop(order: IntArray) -> bool:
    """Whether an order's stop has yet to be met."""
    return bool(STOP_MARKET <= order[TYPE] <= TRAILING_STOP and order[TRIGGERED] == 0)


@njit(int64(int64[::1], int64, int64, int64, boolean, boolean), cache=True, nogil=True)
def met(order: IntArray, row: int, start: int, finish: int, opening: bool, closing: bool) -> int:
    """Price at which an order is met while the market moves from `start` to `finish`, or `UNKNOWN_PRICE`."""
    if order[STATUS] != WORKING or order[LIVE_ROW] > row or order[LOOKED] == row:
        return UNKNOWN_PRICE
    kind, side = order[TYPE], order[SIDE]
    if waits_for_stop(order):
        stop = order[STOP]
        if kind == TRAILING_STOP:
            stop = trailing_stop(side, order[EXTREME], order[TRAIL], order[FLAGS] & TRAIL_PPM != 0)
        return int(stop_hit(side, stop, start, finish))
    if kind in (MARKET_ON_OPEN, LIMIT_ON_OPEN):
        if not opening:
            return UNKNOWN_PRICE
        finish = start
    elif kind in (MARKET_ON_CLOSE, LIMIT_ON_CLOSE):
        if not closing:
            return UNKNOWN_PRICE
        finish = start
    if kind in (LIMIT_ORDER, STOP_LIMIT, LIMIT_ON_OPEN, LIMIT_ON_CLOSE):
        if order[TIF] == IOC or order[TIF] == FOK:
            if order[RESTED] == 1:
                return UNKNOWN_PRICE
            finish = start
        return int(limit_hit(side, order[LIMIT], start, finish))
    return start


@book_njit(void(TAPE_TYPE, BOOK_TYPE, int64, int64, int64, boolean, boolean))
def execute(tape: Tape, book: Book, row: int, number: int, price: int, at_once: bool, inside: bool) -> None:
    """Trigger or fill an order that is met at `price`; `at_once` says that the market already was there."""
    order = book.orders[number]
    kind = order[TYPE]
    if waits_for_stop(order):
        order[TRIGGERED] = 1
        order[RESTED] = 0
        if kind == STOP_LIMIT and order[SIDE] * price > order[SIDE] * order[LIMIT]:
            order[RESTED] = 1
            if inside:
                order[ACTIVE_ROW] = row
                order[ACTIVE_PRICE] = price
            return
        at_once = True
    priced = kind in (LIMIT_ORDER, STOP_LIMIT)
    takes = not priced or (at_once and order[RESTED] == 0)
    if takes and order[FLAGS] & POST_ONLY:
        end(book, number, REJECTED, WOULD_TAKE)
        return
    slips = not priced and kind != LIMIT_ON_OPEN and kind != LIMIT_ON_CLOSE
    fill(tape, book, row, number, price, slips, 0 if takes else 1, inside)


@book_njit(void(BOOK_TYPE, int64, int64, int64))
def begin(book: Book, row: int, column: int, price: int) -> None:
    """Before an instrument's bar: cancellations take effect, and trailing stops start at its first price, if any."""
    number = book.heads[column, 0]
    while number >= 0:
        order = book.orders[number]
        if order[STATUS] <= WORKING:
            if order[CANCEL_ROW] <= row:
                end(book, number, CANCELED, BY_STRATEGY)
            elif order[TIF] == GTD and order[GOOD_TILL] < row:
                end(book, number, EXPIRED, 0)
            elif order[EXTREME] == 0 and order[STATUS] == WORKING and order[LIVE_ROW] <= row and price != UNKNOWN_PRICE:
                order[EXTREME] = price
        number = order[NEXT]


@book_njit(void(BOOK_TYPE, int64, int64, int64))
def move_on(book: Book, row: int, column: int, price: int) -> None:
    """The market moves to a price: trailing stops follow, and orders that were looked at before are resting now."""
    number = book.heads[column, 0]
    while number >= 0:
        order = book.orders[number]
        if order[STATUS] == WORKING and order[LIVE_ROW] <= row:
            order[RESTED] = 1
            order[EXTREME] = more_extreme(order[SIDE], order[EXTREME], price)
        number = order[NEXT]


@book_njit(void(TAPE_TYPE, BOOK_TYPE, int64, int64, int64, int64, boolean, boolean))
def walk(tape: Tape, book: Book, row: int, column: int, start: int, finish: int, opening: bool, closing: bool) -> None:
    """Walk straight from `start` to `finish` and meet orders on the way; at one price, in order of entry."""
    here = start
    while book.counters[OPEN] > 0:
        best, nearest = -1, here
        number = book.heads[column, 0]
        while number >= 0:
            price = met(book.orders[number], row, here, finish, opening, closing)
            if price != UNKNOWN_PRICE and (best < 0 or abs(price - here) < abs(nearest - here)):
                best, nearest = number, price
            number = book.orders[number, NEXT]
        if best < 0:
            break
        at_once = nearest == here
        if not at_once:
            here = nearest
            move_on(book, row, column, here)
        execute(tape, book, row, best, here, at_once, False)
    move_on(book, row, column, finish)


@book_njit(void(TAPE_TYPE, BOOK_TYPE, int64, int64, int64, int64, int64))
def worst_range(tape: Tape, book: Book, row: int, column: int, first: int, high: int, low: int) -> None:
    """Meet orders inside a bar in the order that is worst for the trader."""
    while True:
        best, rank, nearest = -1, _MISSED, first
        number = book.heads[column, 0]
        while number >= 0:
            order = book.orders[number]
            entered_inside = order[ACTIVE_ROW] == row
            here = order[ACTIVE_PRICE] if entered_inside else first
            kind = _IMMEDIATE
            price = met(order, row, here, here, False, False)
            if price == UNKNOWN_PRICE and (waits_for_stop(order) or not entered_inside):
                kind = _STOPPED if waits_for_stop(order) else _LIMITED
                upwards = (order[SIDE] > 0) == (kind == _STOPPED)
                price = met(order, row, here, high if upwards else low, False, False)
            if price != UNKNOWN_PRICE and kind < rank:
                best, rank, nearest = number, kind, price
            number = order[NEXT]
        if best < 0:
            break
        execute(tape, book, row, best, nearest, rank == _IMMEDIATE, True)
    number = book.heads[column, 0]
    while number >= 0:
        order = book.orders[number]
        if order[STATUS] == WORKING and order[LIVE_ROW] <= row:
            order[RESTED] = 1
        number = order[NEXT]


@book_njit(void(TAPE_TYPE, BOOK_TYPE, int64, int64))
def finish_bar(tape: Tape, book: Book, row: int, column: int) -> None:
    """After an instrument's bar: trailing stops move, orders that had their look rest, those out of time expire."""
    path = tape.settings[PATH]
    bar = tape.ticks[row, column]
    starts, ends = tape.calendar[row, SESSION_START], tape.calendar[row, SESSION_END]
    number = book.heads[column, 0]
    while number >= 0:
        order = book.orders[number]
        if order[STATUS] == WORKING and order[LIVE_ROW] <= row:
            order[RESTED] = 1
            kind, tif = order[TYPE], order[TIF]
            # The price a trailing stop is measured from: the low for a buy, the high for a sell.
            best = bar[2] if order[SIDE] > 0 else bar[1]
            entered_inside = order[ACTIVE_ROW] == row
            if path == WORST_CASE and best != UNKNOWN_PRICE and order[EXTREME] and not entered_inside:
                order[EXTREME] = more_extreme(order[SIDE], order[EXTREME], best)
            if tif in (IOC, FOK):
                end(book, number, CANCELED, NOT_AT_ONCE)
            else:
                at_open = kind in (MARKET_ON_OPEN, LIMIT_ON_OPEN)
                at_close = kind in (MARKET_ON_CLOSE, LIMIT_ON_CLOSE)
                if (
                    (at_open and starts)
                    or (at_close and ends)
                    or (tif == DAY and ends and not at_open)
                    or (tif == GTD and row >= order[GOOD_TILL])
                ):
                    end(book, number, EXPIRED, 0)
        number = order[NEXT]
    sweep(book, column)


@njit(boolean(int64[:, ::1], int64, int64[:, :, ::1], int64, int64, boolean), cache=True, nogil=True, forceinline=True)
def is_quiet(orders: IntArray, first: int, ticks: IntArray, row: int, column: int, close_only: bool) -> bool:
    """Whether a bar changes nothing for the orders of an instrument: all rest beyond the bar's range.

    A shortcut for long waits: `match_bar` on such a bar would leave every order as it is.
    """
    low = ticks[row, column, 3 if close_only else 2]
    high = ticks[row, column, 3 if close_only else 1]
    if low == UNKNOWN_PRICE or high == UNKNOWN_PRICE or (not close_only and ticks[row, column, 0] == UNKNOWN_PRICE):
        return False
    number = first
    while number >= 0:
        status, tif = orders[number, STATUS], orders[number, TIF]
        if orders[number, CANCEL_ROW] <= row or (tif != GTC and (tif != GTD or orders[number, GOOD_TILL] <= row)):
            return False
        if status == WORKING and orders[number, LIVE_ROW] <= row:
            kind, side = orders[number, TYPE], orders[number, SIDE]
            if orders[number, RESTED] == 0:
                return False
            if kind == LIMIT_ORDER or (kind == STOP_LIMIT and orders[number, TRIGGERED] == 1):
                if side * (low if side > 0 else high) <= side * orders[number, LIMIT]:
                    return False
            elif kind in (STOP_MARKET, STOP_LIMIT):
                stopped = orders[number, TRIGGERED] == 1
                if stopped or side * (high if side > 0 else low) >= side * orders[number, STOP]:
                    return False
            else:
                return False
        elif status > WORKING:
            return False
        number = orders[number, NEXT]
    return True


@book_njit(void(TAPE_TYPE, BOOK_TYPE, int64, int64))
def match_bar(tape: Tape, book: Book, row: int, column: int) -> None:
    """Match the orders of one instrument against its bar."""
    bar = tape.ticks[row, column]
    first, high, low, last = bar[0], bar[1], bar[2], bar[3]
    starts, ends = tape.calendar[row, SESSION_START], tape.calendar[row, SESSION_END]
    begin(book, row, column, last if tape.terms[column, CLOSE_ONLY] else first)
    if tape.terms[column, CLOSE_ONLY]:
        if last != UNKNOWN_PRICE:
            walk(tape, book, row, column, last, last, starts, ends)
    elif first != UNKNOWN_PRICE:
        high = first if high == UNKNOWN_PRICE else high
        low = first if low == UNKNOWN_PRICE else low
        walk(tape, book, row, column, first, first, starts, False)
        if book.counters[OPEN] == 0:
            sweep(book, column)
            return
        path = tape.settings[PATH]
        if path == WORST_CASE:
            worst_range(tape, book, row, column, first, high, low)
        else:
            rises = path == OPEN_HIGH_LOW or (path == BY_COLOUR and last != UNKNOWN_PRICE and last < first)
            turn, back = (high, low) if rises else (low, high)
            walk(tape, book, row, column, first, turn, False, False)
            walk(tape, book, row, column, turn, back, False, False)
            if last != UNKNOWN_PRICE:
                walk(tape, book, row, column, back, last, False, False)
        if last != UNKNOWN_PRICE:
            walk(tape, book, row, column, last, last, False, ends)
    finish_bar(tape, book, row, column)


@book_njit(void(TAPE_TYPE, BOOK_TYPE, int64))
def match_all(tape: Tape, book: Book, row: int) -> None:
    """Match every instrument's orders, in column order."""
    for c in range(book.heads.shape[0]):
        if book.heads[c, 0] >= 0:
            match_bar(tape, book, row, c)
