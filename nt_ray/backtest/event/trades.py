"""Trades of a run: which entry each exit closed, first in first out, in the account's money.

A trade is (part of) an entry with (part of) the exit that closed it; what is still open at the end counts at its last
mark. Worths and fees are shares of those of the fills, in whole quanta that add up, so the results of all trades and
what splits paid out for fractions of lots make up realised and unrealised P&L to the last quantum, in any currency and
across splits. A split turns the open lots of a trade into what they have become; its entry price stays as it was paid.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import polars as pl

from nt_ray.backtest.event.result import EventResult
from nt_ray.brokers.simulated import tables
from nt_ray.brokers.simulated.matching import UNKNOWN_PRICE
from nt_ray.brokers.simulated.money import converted
from nt_ray.brokers.simulated.tables import Tape
from nt_ray.market.bars import CLOSE, BarPanel
from nt_ray.types import MONEY_DECIMALS, IntArray


@dataclass(frozen=True, slots=True)
class Trade:
    """One trade; `exit_row` and `exit_ticks` are -1 while it is open. Money in quanta of the account."""

    column: int
    side: int
    lots: int
    """At its end, splits applied."""
    entry_row: int
    exit_row: int
    entry_ticks: int
    exit_ticks: int
    worth: int
    """Paid for the lots at the entry."""
    profit: int
    """Before fees."""
    fees: int


@dataclass(slots=True)
class _Lot:
    """Lots of one fill, or of one split: `left` of `lots` are not closed yet. Shares of worth and fee add up."""

    side: int
    row: int
    ticks: int
    lots: int
    worth: int
    fee: int
    left: int

    def take(self, lots: int) -> tuple[int, int]:
        """Take lots out; return their worth and fee."""
        used = self.lots - self.left
        self.left -= lots
        worth, fee = (
            total * (used + lots) // self.lots - total * used // self.lots for total in (self.worth, self.fee)
        )
        return worth, fee

    def rest(self) -> tuple[int, int]:
        """Worth and fee of what is left."""
        used = self.lots - self.left
        return self._share(self.worth, used, self.left), self._share(self.fee, used, self.left)

    def become(self, lots: int) -> None:
        """Be this many lots from now on, at the same worth and fee."""
        self.worth, self.fee = self.rest()
        self.lots = self.left = lots

    def _share(self, total: int, used: int, lots: int) -> int:
        return total * (used + lots) // self.lots - total * used // self.lots


def trades(result: EventResult, tape: Tape) -> list[Trade]:
    """All trades, closed ones in order of their exits, open ones after them."""
    books: list[deque[_Lot]] = [deque() for _ in result.panel.symbols]
    closed: list[Trade] = []
    splits = _splits(tape)
    for fill in result.fills.tolist():
        row, column = fill[tables.FILL_ROW], fill[tables.FILL_COLUMN]
        while splits and splits[0][0] <= row:
            closed += _split(books, *splits.popleft())
        worth = _worth(tape, row, column, fill[tables.FILL_LOTS], fill[tables.FILL_TICKS])
        closed += _matched(books[column], fill, worth)
    while splits:
        closed += _split(books, *splits.popleft())
    return closed + [t for column, book in enumerate(books) for t in _open(book, column, result, tape)]


def trade_table(result: EventResult, found: list[Trade]) -> pl.DataFrame:
    """Trades as a table: exact decimals, times null and price the last mark's while open."""
    panel = result.panel
    of = [panel.instruments[t.column] for t in found]
    times = [*panel.timestamps.tolist()]
    return pl.DataFrame(
        {
            "symbol": pl.Series([i.symbol for i in of], dtype=pl.String),
            "side": pl.Series(["long" if t.side > 0 else "short" for t in found], dtype=pl.String),
            "quantity": _exact([i.quantity(t.lots) for i, t in zip(of, found, strict=True)]),
            "entry_time": _times([times[t.entry_row] for t in found]),
            "exit_time": _times([times[t.exit_row] if t.exit_row >= 0 else None for t in found]),
            "bars": pl.Series([_last(t, panel) - t.entry_row for t in found], dtype=pl.Int64),
            "entry_price": _exact([i.price(t.entry_ticks) for i, t in zip(of, found, strict=True)]),
            "exit_price": _exact([i.price(t.exit_ticks) for i, t in zip(of, found, strict=True)]),
            "pnl": _exact([_money(t.profit) for t in found]),
            "fees": _exact([_money(t.fees) for t in found]),
            "net": _exact([_money(t.profit - t.fees) for t in found]),
            "return": pl.Series([(t.profit - t.fees) / t.worth if t.worth else None for t in found], dtype=pl.Float64),
            "open": pl.Series([t.exit_row < 0 for t in found], dtype=pl.Boolean),
        }
    )


def _last(trade: Trade, panel: BarPanel) -> int:
    return trade.exit_row if trade.exit_row >= 0 else len(panel) - 1


def _matched(book: deque[_Lot], fill: list[int], worth: int) -> Iterator[Trade]:
    """Close the oldest lots on the other side; what is left of the fill opens."""
    side, row, ticks = fill[tables.FILL_SIDE], fill[tables.FILL_ROW], fill[tables.FILL_TICKS]
    lots = fill[tables.FILL_LOTS]
    new = _Lot(side, row, ticks, lots, worth, fill[tables.FILL_FEE], lots)
    while new.left and book and book[0].side != side:
        old = book[0]
        lots = min(new.left, old.left)
        paid, fee = old.take(lots)
        got, exit_fee = new.take(lots)
        profit = old.side * (got - paid)
        yield Trade(
            fill[tables.FILL_COLUMN], old.side, lots, old.row, row, old.ticks, ticks, paid, profit, fee + exit_fee
        )
        if not old.left:
            book.popleft()
    if new.left:
        book.append(new)


def _splits(tape: Tape) -> deque[tuple[int, int, int, int]]:
    """Row, column, new and old units of each split, in order."""
    if len(tape.splits) == 0:
        return deque()
    rows, columns = np.nonzero(tape.splits[:, :, 0] != tape.splits[:, :, 1])
    pairs = zip(rows.tolist(), columns.tolist(), strict=True)
    return deque((row, column, *tape.splits[row, column].tolist()) for row, column in pairs)


def _split(books: list[deque[_Lot]], row: int, column: int, new: int, old: int) -> Iterator[Trade]:
    """Turn open lots into what they have become, rounded down as a whole; lots that become none end worthless.

    What the account was paid for the fractions stands in its books, not in a trade.
    """
    book, seen, given = books[column], 0, 0
    for lot in book:
        seen += lot.left
        lot.become(seen * new // old - given)
        given += lot.left
        if not lot.left:
            yield Trade(column, lot.side, 0, lot.row, row, lot.ticks, 0, lot.worth, -lot.side * lot.worth, lot.fee)
    books[column] = deque(lot for lot in book if lot.left)


def _open(book: deque[_Lot], column: int, result: EventResult, tape: Tape) -> Iterator[Trade]:
    """What is open, at the last mark; shares of the position's value that add up to it."""
    if not book:
        return
    ticks = _mark(tape, column)
    total, seen, given = sum(lot.left for lot in book), 0, 0
    value = _worth(tape, len(result.equity_quanta) - 1, column, total, ticks)
    for lot in book:
        seen += lot.left
        share = value * seen // total - given
        given += share
        worth, fee = lot.rest()
        yield Trade(column, lot.side, lot.left, lot.row, -1, lot.ticks, ticks, worth, lot.side * (share - worth), fee)


def _mark(tape: Tape, column: int) -> int:
    """Last known close, brought through the splits after it."""
    closes: IntArray = tape.ticks[:, column, CLOSE]
    last = int(np.flatnonzero(closes != UNKNOWN_PRICE)[-1])
    mark = int(closes[last])
    for row, c, new, old in _splits(tape):
        if c == column and row > last:
            mark = max((mark * old + new // 2) // new, 1)
    return mark


def _worth(tape: Tape, row: int, column: int, lots: int, ticks: int) -> int:
    return int(converted(tape, row, column, lots * ticks * int(tape.terms[column, tables.UNIT])))


def _money(quanta: int) -> Decimal:
    return Decimal(quanta).scaleb(-MONEY_DECIMALS)


def _exact(values: list[Decimal]) -> pl.Series:
    return pl.Series(values, dtype=pl.Decimal(38, 12))


def _times(values: list[int | None]) -> pl.Series:
    return pl.Series(values, dtype=pl.Int64).cast(pl.Datetime("ns", "UTC"))
