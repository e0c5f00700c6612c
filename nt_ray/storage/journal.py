"""The journal: the append-only, durable record of everything that happened to one account.

One SQLite file in WAL mode with synchronous=FULL: when a durable `append` returns, the events survive loss of
power. Events are never changed or deleted; triggers refuse both. A writer takes a new epoch when it starts,
and every append checks, in its own transaction, that this epoch is still the newest, so a writer that has
been replaced can write nothing. Money is stored as text. The journal knows the events' wire form and none of
their meaning.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from nt_ray.errors import FencedError, StorageError
from nt_ray.storage.sqlite import FileKind, open_database
from nt_ray.trading.encoding import Written, decode, encode
from nt_ray.trading.events import Event

_SCHEMA: Final = """
CREATE TABLE epochs (epoch INTEGER PRIMARY KEY) STRICT;;
CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    epoch INTEGER NOT NULL REFERENCES epochs (epoch),
    time TEXT NOT NULL,
    kind TEXT NOT NULL,
    client_order_id TEXT NOT NULL,
    payload TEXT NOT NULL
) STRICT;;
CREATE TRIGGER events_are_not_changed BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;;
CREATE TRIGGER events_are_not_deleted BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;;
CREATE TRIGGER epochs_are_not_changed BEFORE UPDATE ON epochs
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;;
CREATE TRIGGER epochs_are_not_deleted BEFORE DELETE ON epochs
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END
"""

KIND: Final = FileKind("journal", 0x4E544A31, 1, _SCHEMA, durable=True)

_INSERT: Final = "INSERT INTO events (epoch, kind, time, client_order_id, payload) VALUES (?, ?, ?, ?, ?)"
_SELECT: Final = "SELECT seq, epoch, kind, time, client_order_id, payload FROM events WHERE seq > ? ORDER BY seq"
_NEWEST: Final = "SELECT max(epoch) FROM epochs"


class Entry(NamedTuple):
    """One event with its place in the journal."""

    seq: int
    epoch: int
    event: Event


class Journal:
    """Journal of one account in one file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._epoch = 0
        self._durable = True
        self._connection = open_database(path, KIND)
        self._execute = self._connection.execute

    @property
    def epoch(self) -> int:
        """Epoch of this writer; 0 before it has taken one."""
        return self._epoch

    def open_epoch(self) -> int:
        """Take a new epoch: from now on every older writer is fenced off."""
        with self._transaction():
            newest = self._execute(_NEWEST).fetchone()[0] or 0
            self._execute("INSERT INTO epochs VALUES (?)", (newest + 1,))
        self._epoch = int(newest) + 1
        return self._epoch

    def append(self, events: Sequence[Event], *, durable: bool = True) -> None:
        """Write events in one transaction; `FencedError` where another writer has taken over.

        Not `durable`: the events survive the death of the process at once, loss of power only with the next
        durable append; never without what was written before them.
        """
        if not events:
            return
        if durable is not self._durable:
            self._execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._durable = durable
        rows = [(self._epoch, *encode(event)) for event in events]
        with self._transaction():
            self._check_epoch()
            self._connection.executemany(_INSERT, rows)

    def confirm(self) -> None:
        """Raise `FencedError` where another writer has taken over."""
        with self._transaction():
            self._check_epoch()

    def read(self, after: int = 0) -> Iterator[Entry]:
        """Read events after a sequence number, oldest first."""
        try:
            rows = self._execute(_SELECT, (after,))
            for seq, epoch, kind, time, client_order_id, payload in rows:
                yield Entry(seq, epoch, decode(Written(kind, time, client_order_id, payload)))
        except sqlite3.Error as error:
            raise StorageError(f"{self.path} cannot be read: {error}. Restore it from a copy.") from error

    def close(self) -> None:
        """Close the file; nothing is pending."""
        self._connection.close()

    def _check_epoch(self) -> None:
        newest = self._execute(_NEWEST).fetchone()[0]
        if newest != self._epoch or not self._epoch:
            raise FencedError(
                f"Epoch {self._epoch} of {self.path.name} has been replaced by {newest}: another writer has "
                "taken over. Stop this one, or open the account anew."
            )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._execute("BEGIN IMMEDIATE")
            ending = "ROLLBACK"
            try:
                yield
                ending = "COMMIT"
            finally:
                self._execute(ending)
        except sqlite3.Error as error:
            if self._in_transaction():
                self._execute("ROLLBACK")
            raise StorageError(f"{self.path} cannot be written: {error}. Free the file or the disk.") from error

    def _in_transaction(self) -> bool:
        try:
            return self._connection.in_transaction
        except sqlite3.ProgrammingError:  # the file has been closed
            return False
