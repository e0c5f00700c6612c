"""The arrays in which orders are matched: what the market gives, and what trading has made of it.

`Tape` is read, `Book` is written, both by compiled functions alone; the arrays belong to the caller, so a run can
stop and go on. Money is int64 quanta of the account's currency, prices are ticks, quantities lots. An order's row in
`Book.orders` is its ID. The orders of an instrument form a list in order of entry (`Book.heads`, NEXT).
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np
from numba import boolean, float64, int64, njit, types

from nt_ray.strategies.order_step import ORDER_FIELDS, REQUEST_FIELDS
from nt_ray.types import BoolArray, FloatArray, IntArray

LIVE_ROW, CANCEL_ROW, TRIGGERED, EXTREME, RESTED, ACTIVE_ROW, ACTIVE_PRICE = range(ORDER_FIELDS, ORDER_FIELDS + 7)
LOOKED, USED, PARENT_ORDER, CHILD, SIBLING, RING, NEXT = range(ORDER_FIELDS + 7, ORDER_FIELDS + 14)
"""Columns of an order that the simulator keeps for itself, after those of `order_step`.

LIVE_ROW: first row on which it is matched; CANCEL_ROW: from this row on it is cancelled. EXTREME: best price a
trailing stop has seen, 0 none. RESTED: it has outlived its first look. ACTIVE_ROW, ACTIVE_PRICE: where inside a bar it
became active. LOOKED: row on which it can do no more. USED: lots that others of its group have taken. CHILD and
SIBLING chain those that wait for it; RING is the next of its group; -1 ends each.
"""

TABLE_FIELDS = ORDER_FIELDS + 14

LIQUIDATION: Final = 1 << 20
"""Flag of an order that the simulator itself enters to close a position."""

(
    BY_STRATEGY,
    BY_GROUP,
    BY_PARENT,
    NOTHING_TO_REDUCE,
    NOT_AT_ONCE,
    IN_LIQUIDATION,
    WOULD_TAKE,
    NO_MARGIN,
    NO_BORROW,
    BY_SPLIT,
) = range(1, 11)
"""Why an order ended other than by filling or by its time in force."""

FILL_ROW, FILL_COLUMN, FILL_SIDE, FILL_LOTS, FILL_TICKS, FILL_FEE, FILL_ORDER, FILL_MAKER, FILL_RAW, FILL_REALISED = (
    range(10)
)
"""Columns of a fill: the first six are those of `BacktestResult.executions`, fee in quanta of the account; then the
order, whether it was resting (1), the price before slippage, and the realised P&L before costs."""

FILL_FIELDS = 10

CASH, EQUITY, REALISED, FEES, BORROW, FUNDING, DIVIDENDS, TRADED = range(8)
"""Positions in `Book.ledger`. BORROW is a cost (>= 0), FEES one from which rebates are taken off; FUNDING and DIVIDENDS
are signed income."""

ORDERS, OPEN, FILLS, LIQUIDATING = range(4)
"""Positions in `Book.counters`: orders ever, open ones, fills, open liquidation orders."""

(
    TAKER_PPM, PER_LOT, MINIMUM, SLIP_PPM, SHARE_PPM, MAKER_PPM, PER_ORDER, SLIP_TICKS, SLIP_QUADRATIC, SLIP_ROOT,
    BORROW_RATE, BORROWABLE, INITIAL_PPM, MAINTENANCE_PPM, UNIT, CURRENCY, CLOSE_ONLY,
) = range(17)  # fmt: skip
"""Columns of `Tape.terms`; the first five are `Costs.vector()`. BORROW_RATE is a bar's, in `RATE_ONE`; BORROWABLE
is in lots, -1 without end."""

TERM_FIELDS = 17

RATE_ONE: Final = 10**12
"""One, in the fixed point of borrow and funding rates."""

FX_ONE: Final = 10**9
"""One, in the fixed point of exchange rates."""

WORST_CASE, OPEN_HIGH_LOW, OPEN_LOW_HIGH, BY_COLOUR = range(4)
"""Rules for the order of prices inside a bar."""

PATH, LATENCY, SAME_CLOSE, MARGINED, CARRIES = range(5)
"""Positions in `Tape.settings`."""

SESSION_START, SESSION_END, HAS_ACTIONS = range(3)
"""Columns of `Tape.calendar`."""

NO_FAILURE, BAD_TARGET, BAD_CONFIDENCE, TOO_LARGE, BAD_REQUEST, TOO_MANY, NO_FX = range(7)
"""Codes in `Book.failure`, whose other entries are row, column and value."""


class Tape(NamedTuple):
    """What a run reads. T bars, N instruments, C currencies; an optional array that is not given has no rows."""

    values: FloatArray
    """(T, N, 5 or more), as in `BarPanel`."""
    ticks: IntArray
    """(T, N, 4)."""
    calendar: BoolArray
    """(T, 3)."""
    fx: IntArray
    """(T, C), quanta of the account's currency a quantum, in `FX_ONE`; empty: one currency."""
    dividends: IntArray
    """(T, N), quanta a lot."""
    splits: IntArray
    """(T, N, 2), new for old."""
    funding: IntArray
    """(T, N), what a long pays of its value, in `RATE_ONE`."""
    terms: IntArray
    """(N, TERM_FIELDS)."""
    lot_sizes: FloatArray
    """(N,)."""
    tiers: IntArray
    """(K, 3), see `impact.tier_ppm`."""
    settings: IntArray
    """(5,)."""


class Book(NamedTuple):
    """What a run writes."""

    orders: IntArray
    """(capacity, TABLE_FIELDS)."""
    heads: IntArray
    """(N, 2), first and last open order of each instrument, -1 none."""
    fills: IntArray
    """(capacity, FILL_FIELDS)."""
    shown: IntArray
    """(capacity, ORDER_FIELDS), what the step sees of the orders."""
    requests: IntArray
    """(capacity, REQUEST_FIELDS)."""
    lots: IntArray
    """(N,)."""
    basis: IntArray
    """(N,), what the position has cost, signed, in quanta of the account."""
    marks: IntArray
    """(N,), last known close, -1 before the first."""
    budgets: IntArray
    """(N, 2), row and lots of its volume that may still trade."""
    ledger: IntArray
    """(8,)."""
    counters: IntArray
    """(4,)."""
    account: IntArray
    """(4,), what the step sees of the account."""
    failure: FloatArray
    """(4,)."""
    equity: IntArray
    """(T,)."""
    cash: IntArray
    """(T,)."""
    positions: IntArray
    """(T, N)."""


named_tuple: Any = types.NamedTuple
"""Numba's type of a named tuple; Numba itself is untyped."""

TAPE_TYPE: Any = named_tuple(
    (
        types.Array(float64, 3, "C", readonly=True), int64[:, :, ::1], boolean[:, ::1], int64[:, ::1], int64[:, ::1],
        int64[:, :, ::1], int64[:, ::1], int64[:, ::1], float64[::1], int64[:, ::1], int64[::1],
    ),
    Tape,
)  # fmt: skip

BOOK_TYPE: Any = named_tuple(
    (
        int64[:, ::1], int64[:, ::1], int64[:, ::1], int64[:, ::1], int64[:, ::1], int64[::1], int64[::1], int64[::1],
        int64[:, ::1], int64[::1], int64[::1], int64[::1], float64[::1], int64[::1], int64[::1], int64[:, ::1],
    ),
    Book,
)  # fmt: skip

_FIRST_ORDERS: Final = 256

_Function = TypeVar("_Function", bound=Callable[..., Any])


def book_njit(signature: Any) -> Callable[[_Function], _Function]:
    """Compile a function that takes a book or a tape, without reference counts.

    It must allocate no arrays. To count the references of all of a book's arrays at each call would cost more than
    the matching; whoever starts the loop holds them.
    """
    # Not among the options that Numba's type stubs know.
    uncounted: dict[str, Any] = {"_nrt": False}
    compiled: Callable[[_Function], _Function] = njit(signature, cache=True, nogil=True, **uncounted)
    return compiled


def new_book(bars: int, count: int, requests: int, cash: int) -> Book:
    """Empty book of an account with this cash."""
    ledger = np.zeros(8, dtype=np.int64)
    ledger[CASH] = cash
    capacity = _FIRST_ORDERS + requests + count
    return Book(
        np.zeros((capacity, TABLE_FIELDS), dtype=np.int64),
        np.full((count, 2), -1, dtype=np.int64),
        np.zeros((capacity, FILL_FIELDS), dtype=np.int64),
        np.zeros((capacity, ORDER_FIELDS), dtype=np.int64),
        np.zeros((requests, REQUEST_FIELDS), dtype=np.int64),
        np.zeros(count, dtype=np.int64),
        np.zeros(count, dtype=np.int64),
        np.full(count, -1, dtype=np.int64),
        np.full((count, 2), -1, dtype=np.int64),
        ledger,
        np.zeros(4, dtype=np.int64),
        np.zeros(4, dtype=np.int64),
        np.zeros(4),
        np.zeros(bars, dtype=np.int64),
        np.zeros(bars, dtype=np.int64),
        np.zeros((bars, count), dtype=np.int64),
    )


def larger(book: Book) -> Book:
    """Return the same book with twice the room where room is short."""
    most = len(book.requests) + len(book.lots)
    open_orders = int(book.counters[OPEN])
    needed = {
        "orders": int(book.counters[ORDERS]) + most,
        "fills": int(book.counters[FILLS]) + open_orders + most,
        "shown": open_orders + most,
    }
    changes = {}
    for name, rows in needed.items():
        array = getattr(book, name)
        if len(array) < rows:
            grown = np.zeros((max(2 * len(array), rows), array.shape[1]), dtype=np.int64)
            grown[: len(array)] = array
            changes[name] = grown
    return book._replace(**changes)
