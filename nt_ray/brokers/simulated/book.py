"""The simulated exchange's book on disk: orders, executions, a cursor and the outage switch in one file.

Everything is whole numbers: ticks, lots and money quanta. The file, SQLite in WAL mode with
synchronous=NORMAL, survives the death of the process. It belongs to one venue over one set of instruments and
is refused for another. Executions and endings of orders share one sequence of numbers, so what is new since any
moment can be told. It knows no matching rule.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from nt_ray.errors import StorageError
from nt_ray.market.bars import Instrument
from nt_ray.storage.sqlite import FileKind, open_database


class Work(NamedTuple):
    """The part of an order that matching reads and changes: columns of `order_step` and `tables`, but for links."""

    side: int
    lots: int
    type: int
    limit_ticks: int
    stop_ticks: int
    trail: int
    tif: int
    good_till: int
    flags: int
    filled: int
    status: int
    reason: int
    entry_row: int
    live_row: int
    triggered: int
    extreme: int
    rested: int
    active_row: int
    active_price: int
    looked: int
    used: int


class BookedOrder(NamedTuple):
    """An order as the venue keeps it; `entry` counts orders in the order in which they came.

    `terms` is what was asked for, as text; `asked` its lots and `notional` its quanta, one of them 0. `parent`,
    `replaces` and `replaced_by` are client ids. `ended` is the order's place in the sequence of news, 0 while open.
    """

    entry: int
    client_order_id: str
    symbol: str
    terms: str
    asked: int
    notional: int
    parent: str
    oco_group: str
    replaces: str
    replaced_by: str
    ended: int
    work: Work


class Execution(NamedTuple):
    """One execution in ticks, lots and quanta, on the bar `row`; `leaves` lots, -1 where the venue does not say."""

    number: int
    execution_id: str
    client_order_id: str
    symbol: str
    side: int
    lots: int
    ticks: int
    commission: int
    row: int
    leaves: int


_HEAD: Final = BookedOrder._fields[1:-1]
_TEXT: Final = ("client_order_id", "symbol", "terms", "parent", "oco_group", "replaces", "replaced_by")
_COLUMNS: Final = ",\n    ".join(
    f"{name} {'TEXT' if name in _TEXT else 'INTEGER'} NOT NULL{' UNIQUE' if name == 'client_order_id' else ''}"
    for name in (*_HEAD, *Work._fields)
)

_SCHEMA: Final = f"""
CREATE TABLE venue (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    identity TEXT NOT NULL,
    cursor INTEGER NOT NULL,
    down INTEGER NOT NULL
) STRICT;;
CREATE TABLE orders (
    entry INTEGER PRIMARY KEY,
    {_COLUMNS}
) STRICT;;
CREATE INDEX endings ON orders (ended) WHERE ended > 0;;
CREATE TABLE executions (
    number INTEGER PRIMARY KEY,
    execution_id TEXT NOT NULL UNIQUE,
    client_order_id TEXT NOT NULL REFERENCES orders (client_order_id),
    symbol TEXT NOT NULL,
    side INTEGER NOT NULL,
    lots INTEGER NOT NULL,
    ticks INTEGER NOT NULL,
    commission INTEGER NOT NULL,
    row INTEGER NOT NULL,
    leaves INTEGER NOT NULL
) STRICT;;
CREATE INDEX executions_by_row ON executions (row)
"""

KIND: Final = FileKind("venue book", 0x4E545642, 2, _SCHEMA, durable=False)

# Statements are put together from the names of fields alone.
_ORDER_FIELDS: Final = ", ".join(("entry", *_HEAD, *Work._fields))
_SELECT_ORDERS: Final = f"SELECT {_ORDER_FIELDS} FROM orders"  # noqa: S608
_INSERT_ORDER: Final = (
    f"INSERT INTO orders ({', '.join((*_HEAD, *Work._fields))}) "  # noqa: S608
    f"VALUES ({', '.join('?' * (len(_HEAD) + len(Work._fields)))})"
)
_INSERT_NEW: Final = f"{_INSERT_ORDER} ON CONFLICT (client_order_id) DO NOTHING"
_UPDATED: Final = ("parent", "replaced_by", "ended", *Work._fields)
_UPDATE_ORDER: Final = f"UPDATE orders SET {', '.join(f'{name} = ?' for name in _UPDATED)} WHERE entry = ?"  # noqa: S608
_SELECT_EXECUTIONS: Final = f"SELECT {', '.join(Execution._fields)} FROM executions"  # noqa: S608
_INSERT_EXECUTION: Final = "INSERT INTO executions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


class VenueBook:
    """The venue's file."""

    def __init__(self, path: Path, name: str, instruments: Sequence[Instrument]) -> None:
        self._path = path
        self._connection = open_database(path, KIND)
        self._execute = self._connection.execute
        increments = [(i.symbol, str(i.price_increment), str(i.quantity_increment)) for i in instruments]
        try:
            self.cursor, self.down, self.news = self._claim(json.dumps([name, increments]), name)
        except StorageError:
            self._connection.close()
            raise

    def order(self, client_order_id: str) -> BookedOrder | None:
        """Look an order up."""
        row = self._execute(f"{_SELECT_ORDERS} WHERE client_order_id = ?", (client_order_id,)).fetchone()
        return None if row is None else _order(row)

    def open_orders(self) -> list[BookedOrder]:
        """Orders that have not ended, in order of entry."""
        return [_order(row) for row in self._execute(f"{_SELECT_ORDERS} WHERE ended = 0 ORDER BY entry")]

    def endings(self, after: int) -> list[BookedOrder]:
        """Orders that have ended after this number of the news, in that order."""
        # The index on endings holds positive numbers only.
        sql = f"{_SELECT_ORDERS} WHERE ended > 0 AND ended > ? ORDER BY ended"
        return [_order(row) for row in self._execute(sql, (after,))]

    def executions(self, after: int) -> list[Execution]:
        """Executions after this number of the news, oldest first."""
        return [
            Execution(*r) for r in self._execute(f"{_SELECT_EXECUTIONS} WHERE number > ? ORDER BY number", (after,))
        ]

    def executions_from(self, row: int) -> list[Execution]:
        """Executions on a bar and after it, oldest first."""
        sql = f"{_SELECT_EXECUTIONS} WHERE row >= ? ORDER BY number"
        return [Execution(*found) for found in self._execute(sql, (row,))]

    def positions(self) -> dict[str, int]:
        """Signed lots by symbol."""
        return dict(self._execute("SELECT symbol, sum(side * lots) FROM executions GROUP BY symbol"))

    def add(self, order: BookedOrder) -> BookedOrder | None:
        """Add one order and return it with its entry; None where its client id is taken."""
        try:
            done = self._execute(_INSERT_NEW, (*order[1:-1], *order.work))
        except sqlite3.Error as error:
            raise self._unwritable(error) from error
        return order._replace(entry=int(done.lastrowid or 0)) if done.rowcount else None

    def enter(self, orders: Sequence[BookedOrder], changed: Sequence[BookedOrder] = ()) -> list[BookedOrder]:
        """Add orders and write what that changes of others, all or nothing; return the new ones with their entry."""
        with self._transaction():
            entered = [self._insert(order) for order in orders]
            self._update(changed)
        self.news = max([self.news, *(o.ended for o in changed)])
        return entered

    def settle(self, cursor: int, orders: Sequence[BookedOrder], executions: Sequence[Execution]) -> None:
        """Write what a move of the cursor, or a cancellation, changed, all or nothing."""
        with self._transaction():
            self._update(orders)
            self._connection.executemany(_INSERT_EXECUTION, executions)
            self._execute("UPDATE venue SET cursor = ?", (cursor,))
        self.cursor = cursor
        self.news = max([self.news, *(o.ended for o in orders), *(e.number for e in executions)])

    def switch(self, down: bool) -> None:
        """Write the outage switch."""
        with self._transaction():
            self._execute("UPDATE venue SET down = ?", (int(down),))
        self.down = down

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _claim(self, identity: str, name: str) -> tuple[int, bool, int]:
        """Make a new book this venue's; return cursor, outage switch and last news; raise where it is another's."""
        with self._transaction():
            self._execute("INSERT OR IGNORE INTO venue VALUES (1, ?, -1, 0)", (identity,))
        found, cursor, down = self._execute("SELECT identity, cursor, down FROM venue").fetchone()
        if found != identity:
            raise StorageError(
                f"{self._path} is the book of another venue or of other instruments than {name}. Use a new folder."
            )
        last = "SELECT max((SELECT ifnull(max(number), 0) FROM executions), (SELECT ifnull(max(ended), 0) FROM orders))"
        return int(cursor), bool(down), int(self._execute(last).fetchone()[0])

    def _insert(self, order: BookedOrder) -> BookedOrder:
        entry = self._execute(_INSERT_ORDER, (*order[1:-1], *order.work)).lastrowid
        return order._replace(entry=int(entry or 0))

    def _update(self, orders: Sequence[BookedOrder]) -> None:
        rows = [(o.parent, o.replaced_by, o.ended, *o.work, o.entry) for o in orders]
        self._connection.executemany(_UPDATE_ORDER, rows)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._errors():
            self._execute("BEGIN IMMEDIATE")
            ending = "ROLLBACK"
            try:
                yield
                ending = "COMMIT"
            finally:
                self._execute(ending)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: sqlite3.Error) -> StorageError:
        return StorageError(f"{self._path} cannot be written: {error}. Free the file or the disk.")


def _order(row: Sequence[Any]) -> BookedOrder:
    split = 1 + len(_HEAD)
    return BookedOrder._make([*row[:split], Work._make(row[split:])])
