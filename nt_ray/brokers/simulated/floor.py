"""The trading floor: open orders of a venue's book in the compiled order table, and back again.

The table is built anew for each bar, from the book's orders alone, so a venue that was opened again matches as one
that never closed. The same compiled functions match the orders of the event simulator. An order whose parent has
ended stands alone: by then it is no larger than what the parent has filled.
"""

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Final, NamedTuple

import numpy as np

from nt_ray.brokers.simulated import tables
from nt_ray.brokers.simulated.bar_matching import match_all
from nt_ray.brokers.simulated.book import BookedOrder, Work
from nt_ray.brokers.simulated.links import end
from nt_ray.brokers.simulated.matching import UNKNOWN_PRICE, slipped
from nt_ray.brokers.simulated.orders import NEVER
from nt_ray.brokers.simulated.tables import CHILD, NEXT, PARENT_ORDER, RING, SIBLING, TABLE_FIELDS, Book, Tape, new_book
from nt_ray.market import bars
from nt_ray.strategies import order_step
from nt_ray.types import IntArray

WORK_COLUMNS: Final = (
    order_step.SIDE, order_step.LOTS, order_step.TYPE, order_step.LIMIT, order_step.STOP, order_step.TRAIL,
    order_step.TIF, order_step.GOOD_TILL, order_step.FLAGS, order_step.FILLED, order_step.STATUS, order_step.REASON,
    order_step.ENTRY_ROW, tables.LIVE_ROW, tables.TRIGGERED, tables.EXTREME, tables.RESTED, tables.ACTIVE_ROW,
    tables.ACTIVE_PRICE, tables.LOOKED, tables.USED,
)  # fmt: skip
"""Columns of the table in the order of `Work`."""

_work_of: Final = itemgetter(*WORK_COLUMNS)


class Traded(NamedTuple):
    """An execution of the order at a place among those that were matched, in lots, ticks and quanta."""

    place: int
    lots: int
    ticks: int
    fee: int


class Floor:
    """Matching for one venue over one tape."""

    def __init__(self, tape: Tape, columns: Mapping[str, int]) -> None:
        self._tape = tape
        self._columns = columns
        self._blank = new_book(0, len(columns), 0, 0)

    def match(
        self, row: int, orders: Sequence[BookedOrder], lots: IntArray
    ) -> tuple[list[Work], list[Traded], IntArray]:
        """Match orders, in order of entry, on a bar; return them as they are then, executions and positions."""
        book = self._book([self._sized(order, row) for order in orders], lots)
        match_all(self._tape, book, row)
        fills = book.fills[: book.counters[tables.FILLS]].tolist()
        traded = [
            Traded(f[tables.FILL_ORDER], f[tables.FILL_LOTS], f[tables.FILL_TICKS], f[tables.FILL_FEE]) for f in fills
        ]
        return _works(book), traded, book.lots

    def cancel(self, orders: Sequence[BookedOrder], place: int, lots: IntArray) -> list[Work]:
        """Cancel the order at a place; return all of them as they are then."""
        book = self._book(orders, lots)
        end(book, place, order_step.CANCELED, tables.BY_STRATEGY)
        return _works(book)

    def _sized(self, order: BookedOrder, row: int) -> BookedOrder:
        """Give an order by notional its lots where the bar has the price at which it trades."""
        if not order.notional or order.work.lots:
            return order
        column = self._columns[order.symbol]
        terms = self._tape.terms[column]
        first = bars.CLOSE if terms[tables.CLOSE_ONLY] else bars.OPEN
        price = int(self._tape.ticks[row, column, first])
        if price == UNKNOWN_PRICE:
            return order
        each = slipped(price, order.work.side, terms[tables.SLIP_PPM]) * int(terms[tables.UNIT])
        return order._replace(work=order.work._replace(lots=order.notional // each))

    def _book(self, orders: Sequence[BookedOrder], lots: IntArray) -> Book:
        """Order table of these orders, and empty books around it."""
        count = len(orders)
        table = np.zeros((count, TABLE_FIELDS), dtype=np.int64)
        table[:, WORK_COLUMNS] = np.array([o.work for o in orders], dtype=np.int64)
        table[:, order_step.ID] = np.arange(count)
        table[:, tables.CANCEL_ROW] = NEVER
        table[:, PARENT_ORDER:] = -1
        heads = np.full((len(self._columns), 2), -1, dtype=np.int64)
        columns = [self._columns[order.symbol] for order in orders]
        lasts: dict[int, int] = {}
        for place, column in enumerate(columns):
            if column in lasts:
                table[lasts[column], NEXT] = place
            else:
                heads[column, 0] = place
            lasts[column] = place
        heads[list(lasts), 1] = list(lasts.values())
        table[:, order_step.COLUMN] = columns
        if any(o.parent or o.oco_group for o in orders):
            _link(table, orders)
        counters = np.array([count, count, 0, 0], dtype=np.int64)
        return self._blank._replace(
            orders=table,
            heads=heads,
            # One execution at most for each order and bar.
            fills=np.zeros((count, tables.FILL_FIELDS), dtype=np.int64),
            lots=lots.copy(),
            basis=np.zeros_like(lots),
            marks=np.full_like(lots, UNKNOWN_PRICE),
            budgets=np.full((len(lots), 2), -1, dtype=np.int64),
            ledger=np.zeros_like(self._blank.ledger),
            counters=counters,
            failure=np.zeros_like(self._blank.failure),
        )


def _link(table: IntArray, orders: Sequence[BookedOrder]) -> None:
    """Chain children to their parents and orders of one group to each other, as entry into the table does."""
    places = {order.client_order_id: place for place, order in enumerate(orders)}
    groups: dict[str, int] = {}
    for place, order in enumerate(orders):
        owner = places.get(order.parent)
        if owner is not None:
            table[place, PARENT_ORDER] = owner
            table[place, SIBLING] = table[owner, CHILD]
            table[owner, CHILD] = place
        if order.oco_group:
            first = groups.setdefault(order.oco_group, place)
            if first != place:
                table[place, RING] = first if table[first, RING] < 0 else table[first, RING]
                table[first, RING] = place


def _works(book: Book) -> list[Work]:
    return [Work._make(_work_of(row)) for row in book.orders.tolist()]
