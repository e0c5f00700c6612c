"""The event simulator's loop over bars.

On each bar, in this order: splits and dividends; every instrument's orders against its bar, in column order; marks;
funding and borrowing; equity; margin; the strategy; its requests. What it asks for is matched from the next bar on,
or, where the caller chose so, at this very close. The loop stops where an array is too small and can go on from
there; it allocates nothing of its own.
"""

from typing import Any, Final, NamedTuple

from numba import boolean, float64, int64, njit, types, void

from nt_ray.backtest.event.carry import at_close, at_open
from nt_ray.backtest.event.entry import enter
from nt_ray.backtest.simulator import decide
from nt_ray.brokers.simulated.bar_matching import is_quiet, match_all
from nt_ray.brokers.simulated.margin import maintain
from nt_ray.brokers.simulated.matching import UNKNOWN_PRICE
from nt_ray.brokers.simulated.money import LARGEST, mark
from nt_ray.brokers.simulated.orders import show
from nt_ray.brokers.simulated.tables import (
    BOOK_TYPE,
    CARRIES,
    CASH,
    CLOSE_ONLY,
    EQUITY,
    FILLS,
    HAS_ACTIONS,
    MARGINED,
    OPEN,
    ORDERS,
    SAME_CLOSE,
    TAPE_TYPE,
    TOO_LARGE,
    UNIT,
    Book,
    Tape,
    book_njit,
    named_tuple,
)
from nt_ray.market.bars import CLOSE
from nt_ray.portfolio.sizing import target_lots
from nt_ray.strategies.base import STEP_TYPE
from nt_ray.strategies.order_step import (
    ACCOUNT_CASH,
    ACCOUNT_EQUITY,
    ACCOUNT_OPEN,
    ACCOUNT_ROW,
    ORDER_STEP_TYPE,
    market,
)
from nt_ray.types import FloatArray, IntArray

CALLBACK_SIGNATURE = int64(int64)
"""`count = callback(row)`: requests written on this row; negative stops the run."""

CALLBACK_TYPE = types.FunctionType(CALLBACK_SIGNATURE)

BY_ORDERS, BY_EXPOSURES, BY_CALLBACK = range(3)
"""Who decides: an order step, a target-exposure step, or a callback."""

STOPPED: Final = -1


class Mind(NamedTuple):
    """What the strategy remembers and reads: parameters, states, and what sizing needs."""

    params: FloatArray
    states: FloatArray
    """(groups, state_size)."""
    groups: IntArray
    """(groups, width)."""
    inputs: FloatArray
    """(T, N, 5 or more), what target-exposure steps see of a bar."""
    closes: FloatArray
    """(T, N)."""
    volatility: FloatArray
    """(T, N)."""
    sizing: FloatArray
    exposures: FloatArray
    """(N,)."""


MIND_TYPE: Any = named_tuple(
    (
        float64[::1], float64[:, ::1], int64[:, ::1], types.Array(float64, 3, "C", readonly=True),
        float64[:, ::1], float64[:, ::1], float64[::1], float64[::1],
    ),
    Mind,
)  # fmt: skip


@book_njit(void(TAPE_TYPE, BOOK_TYPE, int64))
def after_match(tape: Tape, book: Book, row: int) -> None:
    """Funding, borrowing, equity and margin, once the orders of a bar are matched and its closes are marked."""
    if tape.settings[CARRIES]:
        at_close(tape, book, row)
    equity = mark(tape, book, row)
    book.ledger[EQUITY] = equity
    if equity == LARGEST:
        book.failure[:] = (float(TOO_LARGE), float(row), 0.0, 0.0)
    elif tape.settings[MARGINED]:
        maintain(tape, book, row)


@njit(int64(MIND_TYPE, STEP_TYPE, TAPE_TYPE, BOOK_TYPE, int64), cache=True, nogil=True)
def by_exposures(mind: Mind, vote: Any, tape: Tape, book: Book, row: int) -> int:
    """Run the steps, size, and ask for market orders over the differences."""
    decide(vote, mind.params, mind.states, mind.groups, row, mind.inputs, mind.exposures, book.failure)
    count = 0
    if book.failure[0] == 0.0:
        targets = target_lots(
            mind.exposures, mind.closes[row], mind.volatility[row], book.lots, tape.lot_sizes,
            book.ledger[EQUITY], mind.sizing,
        )  # fmt: skip
        for c in range(targets.shape[0]):
            count = market(book.requests, count, c, targets[c] - book.lots[c])
    return count


@njit(
    int64(STEP_TYPE, CALLBACK_TYPE, MIND_TYPE, TAPE_TYPE, BOOK_TYPE, int64, int64),
    cache=True,
    nogil=True,
)
def ask_others(vote: Any, callback: Any, mind: Mind, tape: Tape, book: Book, mode: int, row: int) -> int:
    """Let a target-exposure strategy or a callback decide; return the number of requests, negative to stop."""
    if mode == BY_EXPOSURES:
        return int(by_exposures(mind, vote, tape, book, row))
    return int(callback(row))


@book_njit(void(TAPE_TYPE, BOOK_TYPE, int64, int64))
def take_in(tape: Tape, book: Book, row: int, count: int) -> None:
    """Enter requests; where they trade at once, mark again."""
    enter(tape, book, row, count)
    if tape.settings[SAME_CLOSE]:
        book.ledger[EQUITY] = mark(tape, book, row)


@njit(boolean(int64[:, ::1], int64[:, ::1], int64[:, :, ::1], int64[:, ::1], int64), cache=True, nogil=True,
      forceinline=True)  # fmt: skip
def all_quiet(orders: IntArray, heads: IntArray, ticks: IntArray, terms: IntArray, row: int) -> bool:
    """Whether this bar changes nothing for any order."""
    for c in range(heads.shape[0]):
        if heads[c, 0] >= 0 and not is_quiet(orders, heads[c, 0], ticks, row, c, terms[c, CLOSE_ONLY] == 1):
            return False
    return True


@njit(float64(int64[:, :, ::1], int64[:, ::1], int64[::1], int64[::1], int64[::1], int64), cache=True, nogil=True,
      forceinline=True)  # fmt: skip
def mark_closes(ticks: IntArray, terms: IntArray, lots: IntArray, marks: IntArray, ledger: IntArray, row: int) -> float:
    """Mark positions at this row's closes, in one currency; return the size of the books, to see an overflow by."""
    equity = ledger[CASH]
    size = abs(float(equity))
    for c in range(marks.shape[0]):
        if ticks[row, c, CLOSE] != UNKNOWN_PRICE:
            marks[c] = ticks[row, c, CLOSE]
        if lots[c] != 0:
            size += abs(float(lots[c])) * float(marks[c]) * float(terms[c, UNIT])
            equity += lots[c] * marks[c] * terms[c, UNIT]
    ledger[EQUITY] = equity
    return size


@njit(void(int64[::1], int64[::1], int64[::1], int64[:, ::1], int64[::1], int64), cache=True, nogil=True,
      forceinline=True)  # fmt: skip
def record(equity: IntArray, cash: IntArray, lots: IntArray, positions: IntArray, ledger: IntArray, row: int) -> None:
    """Write down what is true after a row."""
    equity[row] = ledger[EQUITY]
    cash[row] = ledger[CASH]
    for c in range(lots.shape[0]):
        positions[row, c] = lots[c]


@njit(void(int64[::1], int64[::1], int64, int64), cache=True, nogil=True, forceinline=True)
def show_account(account: IntArray, ledger: IntArray, row: int, seen: int) -> None:
    """Write what the step sees of the account."""
    account[ACCOUNT_ROW] = row
    account[ACCOUNT_CASH] = ledger[CASH]
    account[ACCOUNT_EQUITY] = ledger[EQUITY]
    account[ACCOUNT_OPEN] = seen


@book_njit(int64(ORDER_STEP_TYPE, STEP_TYPE, CALLBACK_TYPE, MIND_TYPE, TAPE_TYPE, BOOK_TYPE, int64, int64))
def run(step: Any, vote: Any, callback: Any, mind: Mind, tape: Tape, book: Book, mode: int, first: int) -> int:
    """Run from row `first`; return the row that wants more room, T where all is done, `STOPPED` by a failure.

    The arrays of every bar are named once, and what every bar does takes arrays and not books: handing a book over
    costs more than the rest of a bar on which nothing is matched.
    """
    bars = book.equity.shape[0]
    counters, ledger, account, orders, heads = book.counters, book.ledger, book.account, book.orders, book.heads
    lots, marks, failure, fills, shown = book.lots, book.marks, book.failure, book.fills, book.shown
    ticks, terms, settings, requests = tape.ticks, tape.terms, tape.settings, book.requests
    new = requests.shape[0] + lots.shape[0]
    dear = settings[CARRIES] != 0 or settings[MARGINED] != 0 or tape.fx.shape[0] > 0
    most = -1.0 if dear else float(LARGEST)
    for row in range(first, bars):
        waiting = counters[OPEN]
        room = min(orders.shape[0] - counters[ORDERS], fills.shape[0] - counters[FILLS] - waiting)
        if min(room, shown.shape[0] - waiting) < new:
            return row
        if tape.calendar[row, HAS_ACTIONS]:
            at_open(tape, book, row)
        if counters[OPEN] > 0 and not all_quiet(orders, heads, ticks, terms, row):
            match_all(tape, book, row)
        if not mark_closes(ticks, terms, lots, marks, ledger, row) < most:
            after_match(tape, book, row)
        if failure[0] != 0.0:
            return STOPPED
        seen = show(book) if counters[OPEN] > 0 else 0
        show_account(account, ledger, row, seen)
        if mode == BY_ORDERS:
            values, bar = tape.values[row], ticks[row]
            count = step(mind.states[0], values, bar, mind.params, lots, account, shown[:seen], requests)
            # `enter` names a count that cannot be; a negative one means that a callback wants to stop.
            count = count if count >= 0 else requests.shape[0] + 1
        else:
            count = ask_others(vote, callback, mind, tape, book, mode, row)
        if count > 0:
            take_in(tape, book, row, count)
        if failure[0] != 0.0 or count < 0:
            return STOPPED
        record(book.equity, book.cash, lots, book.positions, ledger, row)
    return int(bars)
