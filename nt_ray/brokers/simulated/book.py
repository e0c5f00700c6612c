"""The simulated exchange's book on disk: orders, executions, a cursor and the outage switch in one file.

Everything is whole numbers: ticks, lots and money quanta. The file, SQLite in WAL mode with
synchronous=NORMAL, survives the death of the process. It belongs to one venue over one set of instruments and
is refused for another. It knows no matching rule.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from nt_ray.errors import StorageError
from nt_ray.market.bars import Instrument
from nt_ray.storage.sqlite import FileKind, open_database

_SCHEMA: Final = """
CREATE TABLE venue (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    identity TEXT NOT NULL,
    cursor INTEGER NOT NULL,
    down INTEGER NOT NULL
) STRICT;;
CREATE TABLE orders (
    entry INTEGER PRIMARY KEY AUTOINCREMENT,
    client_order_id TEXT NOT NULL UNIQUE,
    symbol TEXT NOT NULL,
    side INTEGER NOT NULL,
    lots INTEGER NOT NULL,
    limit_ticks INTEGER NOT NULL,
    time_in_force TEXT NOT NULL,
    row INTEGER NOT NULL,
    filled INTEGER NOT NULL,
    status TEXT NOT NULL
) STRICT;;
CREATE INDEX orders_by_status ON orders (status);;
CREATE TABLE executions (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    execution_id TEXT NOT NULL UNIQUE,
    client_order_id TEXT NOT NULL REFERENCES orders (client_order_id),
    symbol TEXT NOT NULL,
    side INTEGER NOT NULL,
    lots INTEGER NOT NULL,
    ticks INTEGER NOT NULL,
    commission INTEGER NOT NULL,
    row INTEGER NOT NULL
) STRICT
"""

KIND: Final = FileKind("venue book", 0x4E545642, 1, _SCHEMA, durable=False)

_ORDER_FIELDS: Final = "entry, client_order_id, symbol, side, lots, limit_ticks, time_in_force, row, filled, status"
_EXECUTION_FIELDS: Final = "execution_id, client_order_id, symbol, side, lots, ticks, commission, row"
_INSERT_ORDER: Final = (
    "INSERT INTO orders "
    "(client_order_id, symbol, side, lots, limit_ticks, time_in_force, row, filled, status) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


class BookedOrder(NamedTuple):
    """An order as the venue keeps it; `entry` counts orders in the order in which they came."""

    entry: int
    client_order_id: str
    symbol: str
    side: int
    lots: int
    limit_ticks: int
    time_in_force: str
    row: int
    filled: int
    status: str


class Execution(NamedTuple):
    """One execution in ticks, lots and quanta, on the bar `row`."""

    execution_id: str
    client_order_id: str
    symbol: str
    side: int
    lots: int
    ticks: int
    commission: int
    row: int


class VenueBook:
    """The venue's file."""

    def __init__(self, path: Path, name: str, instruments: Sequence[Instrument]) -> None:
        self._path = path
        self._connection = open_database(path, KIND)
        self._execute = self._connection.execute
        increments = [(i.symbol, str(i.price_increment), str(i.quantity_increment)) for i in instruments]
        try:
            self.cursor, self.down = self._claim(json.dumps([name, increments]), name)
        except StorageError:
            self._connection.close()
            raise

    def order(self, client_order_id: str) -> BookedOrder | None:
        """Look an order up."""
        sql = f"SELECT {_ORDER_FIELDS} FROM orders WHERE client_order_id = ?"  # noqa: S608  column names only
        row = self._execute(sql, (client_order_id,)).fetchone()
        return None if row is None else BookedOrder(*row)

    def orders(self, statuses: Sequence[str]) -> list[BookedOrder]:
        """Orders in these states, in order of entry."""
        marks = ", ".join("?" * len(statuses))
        sql = f"SELECT {_ORDER_FIELDS} FROM orders WHERE status IN ({marks}) ORDER BY entry"  # noqa: S608  no text
        return [BookedOrder(*row) for row in self._execute(sql, tuple(statuses))]

    def executions(self, after: int) -> list[Execution]:
        """Executions after the first `after`, oldest first."""
        sql = f"SELECT {_EXECUTION_FIELDS} FROM executions WHERE number > ? ORDER BY number"  # noqa: S608  names only
        return [Execution(*row) for row in self._execute(sql, (after,))]

    def enter(self, order: BookedOrder) -> BookedOrder:
        """Add an order; return it with its entry number."""
        with self._errors():
            entry = self._execute(_INSERT_ORDER, order[1:]).lastrowid
        return order._replace(entry=int(entry or 0))

    def change(self, order: BookedOrder) -> None:
        """Write an order's filled lots and state."""
        with self._transaction():
            self._update([order])

    def settle(self, cursor: int, orders: Sequence[BookedOrder], executions: Sequence[Execution]) -> None:
        """Write what a move of the cursor changed, all or nothing."""
        with self._transaction():
            self._update(orders)
            self._connection.executemany(
                f"INSERT INTO executions ({_EXECUTION_FIELDS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608  names
                executions,
            )
            self._execute("UPDATE venue SET cursor = ?", (cursor,))
        self.cursor = cursor

    def switch(self, down: bool) -> None:
        """Write the outage switch."""
        with self._transaction():
            self._execute("UPDATE venue SET down = ?", (int(down),))
        self.down = down

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _claim(self, identity: str, name: str) -> tuple[int, bool]:
        """Make a new book this venue's; return cursor and outage switch, or raise where it is another's."""
        with self._transaction():
            self._execute("INSERT OR IGNORE INTO venue VALUES (1, ?, -1, 0)", (identity,))
        found, cursor, down = self._execute("SELECT identity, cursor, down FROM venue").fetchone()
        if found != identity:
            raise StorageError(
                f"{self._path} is the book of another venue or of other instruments than {name}. Use a new folder."
            )
        return int(cursor), bool(down)

    def _update(self, orders: Sequence[BookedOrder]) -> None:
        rows = [(o.filled, o.status, o.entry) for o in orders]
        self._connection.executemany("UPDATE orders SET filled = ?, status = ? WHERE entry = ?", rows)

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
            raise StorageError(f"{self._path} cannot be written: {error}. Free the file or the disk.") from error
