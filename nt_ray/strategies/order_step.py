"""What an order strategy is: documented parameters and one compiled step that asks for orders.

Where a `Strategy` says how much it wants to hold, an `OrderStrategy` says which orders it wants to have: prices,
stops, brackets. Its step sees one bar at a time with the account as it stands, and writes requests into a small
buffer; it keeps everything it remembers in a flat float64 state, so it cannot look ahead. Prices are whole ticks,
quantities whole lots. Knows nothing of how orders are matched.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numba import float64, int64, njit, types

from nt_ray.errors import StrategyError
from nt_ray.strategies.base import Foreign, Parameter, checked_values
from nt_ray.types import FloatArray, IntArray

ORDER_STEP_SIGNATURE = int64(
    float64[::1], types.Array(float64, 2, "C", readonly=True), int64[:, ::1], float64[::1], int64[::1], int64[::1],
    int64[:, ::1], int64[:, ::1],
)  # fmt: skip
"""`count = step(state, bar, ticks, params, lots, account, orders, requests)`.

state     float64 (state_size,): zeros before the first bar; the step's whole memory.
bar       float64 (N, 5 + X): open, high, low, close, volume of each instrument, then the panel's extra fields; NaN
          where unknown.
ticks     int64 (N, 4): open, high, low, close in ticks; -1 where unknown.
params    float64 (len(parameters),).
lots      int64 (N,): position in each instrument, signed.
account   int64 (4,): row, cash in quanta, equity in quanta, open orders.
orders    int64 (open orders, ORDER_FIELDS): what works or waits, by column, then in order of entry.
requests  int64 (capacity, REQUEST_FIELDS): written by the step, best with the functions of this module.
returns   the number of requests written.

The step may read the four arrays of bar and account and must not write them.
"""

ORDER_STEP_TYPE = types.FunctionType(ORDER_STEP_SIGNATURE)
"""First-class function type of an order step."""

ACCOUNT_ROW, ACCOUNT_CASH, ACCOUNT_EQUITY, ACCOUNT_OPEN = range(4)
"""Positions in `account`."""

ID, COLUMN, SIDE, LOTS, TYPE, LIMIT, STOP, TRAIL, TIF, GOOD_TILL, FLAGS, TAG = range(12)
"""Columns that a request and an order share. In a request ID is `NEW`, or the order to cancel. SIDE is +1 or -1;
LIMIT and STOP are ticks; TRAIL is ticks, or parts per million with the flag `TRAIL_PPM`; GOOD_TILL is the last row
of a GTD order; TAG is the strategy's own."""

PARENT, GROUP = 12, 13
"""Further columns of a request. PARENT is the number of an earlier request on this bar whose fills this one waits
for (-1: none). Requests on this bar of one GROUP > 0 cancel each other."""

FILLED, STATUS, REASON, ENTRY_ROW = 12, 13, 14, 15
"""Further columns of an order as the step sees it."""

REQUEST_FIELDS, ORDER_FIELDS = 14, 16

NEW: Final = -1
"""ID of a request for a new order."""

MARKET, LIMIT_ORDER, STOP_MARKET, STOP_LIMIT, TRAILING_STOP = range(5)
MARKET_ON_OPEN, LIMIT_ON_OPEN, MARKET_ON_CLOSE, LIMIT_ON_CLOSE = range(5, 9)
"""Order types."""

DAY, GTC, GTD, IOC, FOK = range(5)
"""Times in force."""

REDUCE_ONLY, POST_ONLY, TRAIL_PPM = 1, 2, 4
"""Flags; they add up."""

HELD, WORKING, FILLED_WHOLLY, CANCELED, EXPIRED, REJECTED = range(6)
"""States of an order. A held one waits for its parent."""


@dataclass(frozen=True, slots=True)
class OrderStrategy:
    """An order strategy as data; `state_size` gives the length of the state for a parameter vector."""

    name: str
    summary: str
    parameters: tuple[Parameter, ...]
    state_size: Callable[[FloatArray], int]
    step: Any
    foreign: tuple[Foreign, ...] = ()

    def __post_init__(self) -> None:
        if not self.name:
            raise StrategyError("An order strategy has no name. Give it one.")

    def vector(self, values: Mapping[str, float] | None = None) -> FloatArray:
        """Parameter vector for `step`: defaults overridden by `values` (names or aliases), each checked."""
        full = checked_values(self.name, self.parameters, values or {}, self.foreign)
        return np.array(list(full.values()), dtype=np.float64)


@njit(
    int64(int64[:, ::1], int64, int64, int64, int64, int64, int64, int64, int64),
    cache=True,
    nogil=True,
)
def request(
    requests: IntArray, count: int, column: int, lots: int, kind: int, limit: int, stop: int, trail: int, tif: int
) -> int:
    """Ask for an order of signed `lots`; return the new number of requests.

    Zero lots ask for nothing. Where the buffer is full nothing is written and the number still grows, so that
    the simulator can say so.
    """
    if lots == 0:
        return count
    if count < requests.shape[0]:
        row = requests[count]
        row[ID] = NEW
        row[COLUMN] = column
        row[SIDE] = 1 if lots > 0 else -1
        row[LOTS] = abs(lots)
        row[TYPE] = kind
        row[LIMIT] = limit
        row[STOP] = stop
        row[TRAIL] = trail
        row[TIF] = tif
        row[GOOD_TILL] = 0
        row[FLAGS] = 0
        row[TAG] = 0
        row[PARENT] = -1
        row[GROUP] = 0
    return count + 1


@njit(int64(int64[:, ::1], int64, int64, int64), cache=True, nogil=True)
def market(requests: IntArray, count: int, column: int, lots: int) -> int:
    """Ask for a market DAY order."""
    return int(request(requests, count, column, lots, MARKET, 0, 0, 0, DAY))


@njit(int64(int64[:, ::1], int64, int64, int64, int64, int64), cache=True, nogil=True)
def limit_order(requests: IntArray, count: int, column: int, lots: int, limit: int, tif: int) -> int:
    """Ask for a limit order."""
    return int(request(requests, count, column, lots, LIMIT_ORDER, limit, 0, 0, tif))


@njit(int64(int64[:, ::1], int64, int64, int64, int64, int64), cache=True, nogil=True)
def stop_order(requests: IntArray, count: int, column: int, lots: int, stop: int, tif: int) -> int:
    """Ask for a stop order."""
    return int(request(requests, count, column, lots, STOP_MARKET, 0, stop, 0, tif))


@njit(int64(int64[:, ::1], int64, int64, int64, int64, int64, int64), cache=True, nogil=True)
def bracket(requests: IntArray, count: int, column: int, lots: int, limit: int, profit: int, loss: int) -> int:
    """Ask for an entry with a take-profit limit and a stop-loss, which wait for it and cancel each other.

    `limit` 0 enters by a market order; `profit` or `loss` 0 leaves that exit out. The entry is a DAY order, the
    exits are GTC. A bracket that does not fit into the buffer as a whole only makes the number grow.
    """
    if lots == 0:
        return count
    if count + 3 > requests.shape[0]:
        return int(requests.shape[0] + 1)
    entry = count
    group = count + 1
    kind = MARKET if limit == 0 else LIMIT_ORDER
    count = request(requests, count, column, lots, kind, limit, 0, 0, DAY)
    if profit != 0:
        requests_before = count
        count = request(requests, count, column, -lots, LIMIT_ORDER, profit, 0, 0, GTC)
        requests[requests_before, PARENT] = entry
        requests[requests_before, GROUP] = group
    if loss != 0:
        requests_before = count
        count = request(requests, count, column, -lots, STOP_MARKET, 0, loss, 0, GTC)
        requests[requests_before, PARENT] = entry
        requests[requests_before, GROUP] = group
    return count


@njit(int64(int64[:, ::1], int64, int64), cache=True, nogil=True)
def cancel(requests: IntArray, count: int, order: int) -> int:
    """Ask to cancel the order of this ID."""
    if count < requests.shape[0]:
        requests[count] = 0
        requests[count, ID] = order
    return count + 1
