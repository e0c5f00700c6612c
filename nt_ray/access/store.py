"""The file of identities: users, keys, sessions, revoked tokens and failures, in SQLite (WAL).

Owns the connection and its lock. Guarantees: readable by its owner alone (mode 0600, as are its WAL files); no secret
in clear, since keys and refresh tokens are hashed with a pepper that lies elsewhere, and passwords by argon2id; what
one process commits, every other one sees at its next question. Several processes and threads may share it. Knows none
of the rules that its users apply.
"""

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from nt_ray.errors import StorageError
from nt_ray.storage.sqlite import FileKind, open_database, transaction

_SCHEMA: Final = """
CREATE TABLE users (
    name TEXT PRIMARY KEY, role TEXT NOT NULL, password TEXT, accounts TEXT, active INTEGER NOT NULL,
    created INTEGER NOT NULL
) STRICT;;
CREATE TABLE keys (
    id TEXT PRIMARY KEY, digest BLOB NOT NULL, user TEXT NOT NULL REFERENCES users (name), label TEXT NOT NULL,
    scopes TEXT, accounts TEXT, per_minute INTEGER, created INTEGER NOT NULL, expires INTEGER, revoked INTEGER,
    replaced_by TEXT, last_used INTEGER
) STRICT;;
CREATE INDEX keys_of_user ON keys (user);;
CREATE TABLE sessions (
    id TEXT PRIMARY KEY, user TEXT NOT NULL REFERENCES users (name), scopes TEXT, created INTEGER NOT NULL,
    expires INTEGER NOT NULL, revoked INTEGER
) STRICT;;
CREATE INDEX sessions_of_user ON sessions (user);;
CREATE TABLE refreshes (
    digest BLOB PRIMARY KEY, session TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE, expires INTEGER NOT NULL,
    used INTEGER
) STRICT;;
CREATE INDEX refreshes_of_session ON refreshes (session);;
CREATE TABLE revocations (jti TEXT PRIMARY KEY, expires INTEGER NOT NULL) STRICT;;
CREATE TABLE failures (
    subject BLOB PRIMARY KEY, count INTEGER NOT NULL, last INTEGER NOT NULL, until INTEGER NOT NULL
) STRICT;;
CREATE INDEX failures_by_age ON failures (last)
"""
KIND: Final = FileKind("file of identities", 0x4E544143, 1, _SCHEMA, durable=True)

_MODE: Final = 0o600


class AccessStore:
    """Users, keys, sessions and failures in one file; safe to share between threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        private_folder(path.parent)
        _make_private(path)
        self._connection = open_database(path, KIND)
        self._connection.execute("PRAGMA foreign_keys = ON")
        self._lock = threading.RLock()
        # A connection of its own sees the changes of all others, and waits for none that is being written.
        self._watching = open_database(path, KIND)
        self._watching_lock = threading.Lock()

    def version(self) -> int:
        """Something that differs once anybody has changed the file: what was read before may then be out of date.

        It waits for nobody who writes.
        """
        with self._watching_lock:
            try:
                return int(self._watching.execute("PRAGMA data_version").fetchone()[0])
            except sqlite3.Error as error:
                raise self._unreadable(error) from error

    def check(self) -> None:
        """Raise `StorageError` where the file cannot be read and written now; nothing of it changes."""
        with self.writing() as connection:
            connection.execute("SELECT count(*) FROM users").fetchone()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Ask, with no other thread between."""
        with self._lock:
            try:
                yield self._connection
            except sqlite3.Error as error:
                raise self._unreadable(error) from error

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Ask and change in one transaction, or join the one that is under way."""
        with self._lock:
            if self._connection.in_transaction:
                yield self._connection
                return
            try:
                with transaction(self._connection):
                    yield self._connection
            except sqlite3.Error as error:
                raise StorageError(f"{self.path} cannot be written: {error}. Free the file or the disk.") from error

    def close(self) -> None:
        """Close the file; nothing is pending."""
        with self._lock, self._watching_lock:
            self._watching.close()
            self._connection.close()

    def _unreadable(self, error: sqlite3.Error) -> StorageError:
        return StorageError(f"{self.path} cannot be read: {error}. Restore it from a copy.")


def private_folder(folder: Path) -> None:
    """Make a folder that only its owner may enter; one that exists stays as it is."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"The folder {folder} cannot be made: {error.strerror}. Set access.folder.") from error


def _make_private(path: Path) -> None:
    # Before SQLite opens it: its WAL files take the mode of the file itself.
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _MODE)
        try:
            os.fchmod(descriptor, _MODE)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise StorageError(f"{path} cannot be opened: {error.strerror}. Set access.folder to one of yours.") from error


def millis(moment: datetime) -> int:
    """Milliseconds since 1970, as times are stored."""
    return round(moment.timestamp() * 1000)


def moment(stored: int) -> datetime:
    """Time of a stored number of milliseconds."""
    return datetime.fromtimestamp(stored / 1000, UTC)


def optional_moment(stored: int | None) -> datetime | None:
    """The same, where there may be none."""
    return None if stored is None else moment(stored)
