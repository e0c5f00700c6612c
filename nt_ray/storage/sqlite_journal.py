"""A journal in one SQLite file, in WAL mode with synchronous=FULL.

The way of an order goes through `append`, which is bound by the disk: it calls SQLite directly. A new file gets the
newest tables at once; one of an older version is brought up to date by the migrations (`nt_ray.storage.migration`).
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Final

from nt_ray.errors import StorageError
from nt_ray.storage.chain import BEGINNING, Head, Row
from nt_ray.storage.holding import Holder, Holding, holder_of
from nt_ray.storage.journal import Journal, MovedError, Snapshot
from nt_ray.storage.migration import sqlite_schema, upgrade_sqlite
from nt_ray.storage.schema import VERSION
from nt_ray.storage.sqlite import FileKind, open_database, transaction

KIND: Final = FileKind("journal", 0x4E544A31, VERSION, sqlite_schema(), durable=True, upgrade=upgrade_sqlite)

_INSERT: Final = (
    "INSERT INTO events (seq, epoch, time, kind, client_order_id, payload, hash) VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_SELECT: Final = "SELECT seq, epoch, time, kind, client_order_id, payload, hash FROM events WHERE seq > ? ORDER BY seq"
_HEAD: Final = "SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1"
_FORGET: Final = "DELETE FROM snapshots WHERE seq NOT IN (SELECT seq FROM snapshots ORDER BY seq DESC LIMIT 2)"
_NEWEST: Final = "SELECT max(epoch) FROM epochs"


class SqliteJournal(Journal):
    """Journal of one account in one file."""

    def __init__(self, path: Path, *, create: bool = True) -> None:
        self.path = path
        self.name = str(path)
        self._durable = True
        self._holding: Holding | None = None
        self._connection = open_database(path, KIND, create=create)
        self._execute = self._connection.execute

    @property
    def head(self) -> Head:
        """Number and hash of the last event in the file, whoever wrote it."""
        with self._reading():
            return self._read_head()

    def open_epoch(self) -> int:
        """Take a new epoch: from now on every older writer is fenced off."""
        with self._transaction():
            newest = self._execute(_NEWEST).fetchone()[0] or 0
            self._execute("INSERT INTO epochs VALUES (?)", (newest + 1,))
            head = self._read_head()
            self._hold(newest + 1)
        self._epoch, self._head = int(newest) + 1, head
        return self._epoch

    def holder(self) -> Holder | None:
        """Who writes the file now."""
        return holder_of(self.path)

    def confirm(self) -> None:
        """Raise `FencedError` where another writer has taken over."""
        with self._transaction():
            self._check_epoch()

    def rows(self, after: int = 0) -> Iterator[Row]:
        """Read events as they are stored, after a sequence number, oldest first."""
        with self._reading():
            for values in self._execute(_SELECT, (after,)):
                yield Row(*values)

    def write_snapshot(self, state: str, place: Head | None = None) -> None:
        """Keep the state after an event; the newest two are kept."""
        snapshot = Snapshot.of(place or self._head, state)
        # A connection of its own, so that it may be written from another thread; the file lets one of both write.
        with closing(open_database(self.path, KIND, create=False)) as aside, self._writing(aside):
            self._check_epoch(aside)
            aside.execute("INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?, ?)", snapshot)
            aside.execute(_FORGET)

    def watch(self, told: Callable[[str], None]) -> None:
        """Tell of each statement before it is run."""
        self._connection.set_trace_callback(told)

    def close(self) -> None:
        """Close the file; nothing is pending."""
        self._connection.close()
        if self._holding is not None:
            self._holding.close()

    def _write(self, rows: Sequence[Row], *, durable: bool) -> None:
        if durable is not self._durable:
            self._execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._durable = durable
        try:
            with transaction(self._connection):
                self._check_epoch()
                if self._read_head() != self._head:
                    raise MovedError(self.name, self._head)
                self._connection.executemany(_INSERT, rows)
        except sqlite3.Error as error:
            raise self._unwritable(error) from error

    def _snapshots(self) -> Iterator[Snapshot]:
        with self._reading():
            for values in self._execute("SELECT seq, hash, digest, state FROM snapshots ORDER BY seq DESC"):
                yield Snapshot(*values)

    def _hash_at(self, seq: int) -> bytes | None:
        with self._reading():
            found = self._execute("SELECT hash FROM events WHERE seq = ?", (seq,)).fetchone()
        return None if found is None else found[0]

    def _read_head(self) -> Head:
        found = self._execute(_HEAD).fetchone()
        return BEGINNING if found is None else Head(*found)

    def _check_epoch(self, connection: sqlite3.Connection | None = None) -> None:
        newest = (connection or self._connection).execute(_NEWEST).fetchone()[0]
        if newest != self._epoch or not self._epoch:
            raise self._fenced(newest)

    def _hold(self, epoch: int) -> None:
        """Show that a writer lives; in the transaction that takes its epoch, so that the newest one is seen."""
        if self._holding is not None:
            self._holding.close()
        try:
            self._holding = Holding(self.path, epoch)
        except OSError as error:
            raise StorageError(f"{self.path} cannot be held: {error}. Free the folder or the disk.") from error

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StorageError(f"{self.path} cannot be read: {error}. Restore it from a copy.") from error

    def _transaction(self) -> AbstractContextManager[None]:
        return self._writing(self._connection)

    @contextmanager
    def _writing(self, connection: sqlite3.Connection) -> Iterator[None]:
        try:
            with transaction(connection):
                yield
        except sqlite3.Error as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: sqlite3.Error) -> StorageError:
        return StorageError(f"{self.path} cannot be written: {error}. Free the file or the disk.")
