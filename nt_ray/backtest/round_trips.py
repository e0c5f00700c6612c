"""Round trips: which entry each exit closed, first in first out, exactly.

Each execution that reduces a position is matched with the oldest open lots. A pair of an entry and (part of) an
exit is one round trip; its commissions are shares of both executions, in whole quanta that add up to what was paid.
So the results of all round trips plus the result of what is still open is the change of the account, to the last
quantum.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
from numba import float64, int64, njit

from nt_ray.backtest.simulator import COLUMN, COMMISSION, LOTS, ROW, SIDE, TICKS
from nt_ray.market.bars import HIGH, LOW, BarPanel
from nt_ray.types import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class RoundTrips:
    """R round trips in order of their exits, and the lots that are still open (exit_row -1, at the end)."""

    column: IntArray
    side: IntArray
    """+1 long, -1 short."""
    lots: IntArray
    entry_row: IntArray
    exit_row: IntArray
    entry_ticks: IntArray
    exit_ticks: IntArray
    """-1 while open."""
    commission: IntArray
    """Quanta, of the entry and the exit; of the entry alone while open."""
    unit: IntArray
    """Money quanta of one tick times one lot."""

    def __len__(self) -> int:
        return len(self.lots)

    @property
    def closed(self) -> "RoundTrips":
        """The round trips that have ended."""
        return self._select(self.exit_row >= 0)

    @property
    def still_open(self) -> "RoundTrips":
        """The lots that have not been closed."""
        return self._select(self.exit_row < 0)

    @property
    def profit_quanta(self) -> IntArray:
        """Result after commissions in quanta, (R,); of closed round trips only."""
        profit: IntArray = self.side * (self.exit_ticks - self.entry_ticks) * self.lots * self.unit - self.commission
        return profit

    @property
    def returns(self) -> FloatArray:
        """Result after commissions over the notional at entry, (R,)."""
        result: FloatArray = self.profit_quanta / (self.entry_ticks * self.lots * self.unit)
        return result

    @property
    def holding(self) -> IntArray:
        """Bars from entry to exit, (R,)."""
        bars: IntArray = self.exit_row - self.entry_row
        return bars

    def _select(self, keep: BoolArray) -> "RoundTrips":
        return RoundTrips(**{f.name: getattr(self, f.name)[keep] for f in fields(self)})


def round_trips(executions: IntArray, units: IntArray) -> RoundTrips:
    """Match executions first in, first out.

    Parameters
    ----------
    executions
        (F, 6) as in `BacktestResult.executions`, oldest first.
    units
        (N,) money quanta of one tick times one lot of each column.
    """
    rows = [*_matched(executions.tolist())]
    table = np.array(rows, dtype=np.int64).reshape(-1, 8)
    table = np.concatenate((table[table[:, 4] >= 0], table[table[:, 4] < 0]))
    c = [np.ascontiguousarray(values) for values in table.T]
    unit = np.asarray(units, dtype=np.int64)[c[0]]
    return RoundTrips(c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7], unit)


def excursions(trips: RoundTrips, panel: BarPanel) -> tuple[FloatArray, FloatArray]:
    """Largest adverse and favourable excursion of each closed round trip, as fractions of the entry price.

    Both are zero or more. Counted are highs and lows (closes, where an instrument has nothing else) of the bars from
    the entry to the bar before the exit, and the exit price; the rest of the exit's bar, which opened with it, is not.
    """
    highs = np.where(np.isnan(panel.values[:, :, HIGH]), panel.closes, panel.values[:, :, HIGH])
    lows = np.where(np.isnan(panel.values[:, :, LOW]), panel.closes, panel.values[:, :, LOW])
    increments = np.array([float(i.price_increment) for i in panel.instruments])[trips.column]
    entry, leave = trips.entry_ticks * increments, trips.exit_ticks * increments
    found = _excursions(
        np.ascontiguousarray(highs), np.ascontiguousarray(lows), trips.column, trips.side,
        trips.entry_row, trips.exit_row, entry, leave,
    )  # fmt: skip
    return found[0], found[1]


@dataclass(slots=True)
class _Open:
    """Lots of one execution that are not closed yet."""

    side: int
    row: int
    ticks: int
    size: int
    left: int
    fee: int


def _matched(executions: list[list[int]]) -> Iterator[tuple[int, ...]]:
    """Yield column, side, lots, entry row, exit row, entry ticks, exit ticks, commission."""
    books: dict[int, deque[_Open]] = {}
    for e in executions:
        row, column, side, size, ticks, fee = e[ROW], e[COLUMN], e[SIDE], e[LOTS], e[TICKS], e[COMMISSION]
        book = books.setdefault(column, deque())
        left = size
        while left and book and book[0].side != side:
            first = book[0]
            lots = min(left, first.left)
            paid = _share(first.fee, first.size, first.left, lots) + _share(fee, size, left, lots)
            yield column, first.side, lots, first.row, row, first.ticks, ticks, paid
            first.left -= lots
            left -= lots
            if not first.left:
                book.popleft()
        if left:
            book.append(_Open(side, row, ticks, size, left, fee))
    for column, book in books.items():
        for o in book:
            yield column, o.side, o.left, o.row, -1, o.ticks, -1, _share(o.fee, o.size, o.left, o.left)


def _share(fee: int, size: int, left: int, lots: int) -> int:
    """Commission of the next `lots` of an execution with `left` of `size` unmatched; shares add up to the fee."""
    used = size - left
    return fee * (used + lots) // size - fee * used // size


@njit(
    float64[:, ::1](
        float64[:, ::1], float64[:, ::1], int64[::1], int64[::1], int64[::1], int64[::1], float64[::1], float64[::1]
    ),
    cache=True,
    nogil=True,
)  # fmt: skip
def _excursions(
    highs: FloatArray,
    lows: FloatArray,
    columns: IntArray,
    sides: IntArray,
    entries: IntArray,
    exits: IntArray,
    entry_prices: FloatArray,
    exit_prices: FloatArray,
) -> FloatArray:
    """Adverse and favourable excursions, (2, R)."""
    found = np.zeros((2, columns.shape[0]))
    for r in range(columns.shape[0]):
        high = max(entry_prices[r], exit_prices[r])
        low = min(entry_prices[r], exit_prices[r])
        for row in range(entries[r], exits[r]):
            high = highs[row, columns[r]] if highs[row, columns[r]] > high else high
            low = lows[row, columns[r]] if lows[row, columns[r]] < low else low
        up, down = high / entry_prices[r] - 1.0, 1.0 - low / entry_prices[r]
        found[0, r] = down if sides[r] > 0 else up
        found[1, r] = up if sides[r] > 0 else down
    return found
