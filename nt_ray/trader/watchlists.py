"""Watchlists of accounts: names for lists of symbols, in one SQLite file of the state folder.

Guarantees: a name is there once in an account; what has returned is on disk; several processes and threads may share
the file. It does not know which symbols exist.
"""

import json
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import uuid4

from nt_ray.errors import BadInputError, StorageError
from nt_ray.storage.sqlite import FileKind, open_database, transaction

MOST_LISTS: Final = 200
"""Watchlists of one account."""
MOST_SYMBOLS: Final = 1000
"""Symbols of one watchlist."""

_SCHEMA: Final = """
CREATE TABLE watchlists (
    id TEXT PRIMARY KEY, account TEXT NOT NULL, name TEXT NOT NULL, symbols TEXT NOT NULL, created TEXT NOT NULL,
    updated TEXT NOT NULL, UNIQUE (account, name)
) STRICT
"""
_COLUMNS: Final = "id, account, name, symbols, created, updated"
KIND: Final = FileKind("file of watchlists", 0x4E54574C, 1, _SCHEMA, durable=True)


class UnknownWatchlistError(BadInputError):
    """A watchlist that is not there."""

    code = "unknown_watchlist"
    status = 404

    def __init__(self) -> None:
        super().__init__("watchlist not found. List the watchlists to see which there are.")


class WatchlistNameError(BadInputError):
    """A name that another watchlist of the account has."""

    code = "watchlist_exists"

    def __init__(self, name: str) -> None:
        super().__init__(f"watchlist name must be unique, and {name!r} is taken. Take another one.")


class WatchlistSizeError(BadInputError):
    """More than is kept."""

    code = "watchlist_full"

    def __init__(self, most: int, what: str) -> None:
        super().__init__(f"There is room for {most} {what}. Delete some first.")


@dataclass(frozen=True, slots=True)
class Watchlist:
    """A list of symbols, in the order in which they came."""

    id: str
    account: str
    name: str
    symbols: tuple[str, ...]
    created_at: datetime
    updated_at: datetime


class Watchlists:
    """The watchlists in one file; it is opened when somebody first asks."""

    def __init__(self, path: Path, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def all(self, account: str) -> list[Watchlist]:
        """List those of an account by name."""
        with self._changing() as sql:
            rows = sql.execute(f"SELECT {_COLUMNS} FROM watchlists WHERE account = ? ORDER BY name", (account,))  # noqa: S608
            return [_watchlist(row) for row in rows]

    def find(self, account: str, key: str, *, by_name: bool = False) -> Watchlist:
        """Find one by its id or its name; `UnknownWatchlistError` where there is none."""
        with self._changing() as sql:
            return _found(sql, account, key, by_name=by_name)

    def add(self, account: str, name: str, symbols: Iterable[str]) -> Watchlist:
        """Make a watchlist."""
        now = self._clock()
        made = Watchlist(str(uuid4()), account, name, _listed(symbols), now, now)
        with self._changing() as sql:
            (count,) = sql.execute("SELECT count(*) FROM watchlists WHERE account = ?", (account,)).fetchone()
            if count >= MOST_LISTS:
                raise WatchlistSizeError(MOST_LISTS, "watchlists in an account")
            _check_name(sql, made)
            values = (made.id, account, name, json.dumps(made.symbols), now.isoformat(), now.isoformat())
            sql.execute("INSERT INTO watchlists VALUES (?, ?, ?, ?, ?, ?)", values)
        return made

    def change(
        self,
        account: str,
        key: str,
        *,
        by_name: bool = False,
        name: str | None = None,
        symbols: Iterable[str] | None = None,
    ) -> Watchlist:
        """Give one another name or other symbols."""
        return self._update(
            account, key, lambda old: (name or old.name, old.symbols if symbols is None else symbols), by_name=by_name
        )

    def put(self, account: str, key: str, symbol: str, *, by_name: bool = False) -> Watchlist:
        """Add a symbol at the end, where it is not there yet."""
        return self._update(account, key, lambda old: (old.name, (*old.symbols, symbol)), by_name=by_name)

    def take(self, account: str, key: str, symbol: str, *, by_name: bool = False) -> Watchlist:
        """Take a symbol out, where it is there."""
        return self._update(
            account, key, lambda old: (old.name, [one for one in old.symbols if one != symbol]), by_name=by_name
        )

    def delete(self, account: str, key: str, *, by_name: bool = False) -> None:
        """Delete one."""
        with self._changing() as sql:
            sql.execute("DELETE FROM watchlists WHERE id = ?", (_found(sql, account, key, by_name=by_name).id,))

    def close(self) -> None:
        """Close the file; nothing is pending."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _update(
        self, account: str, key: str, changed: Callable[[Watchlist], tuple[str, Iterable[str]]], *, by_name: bool
    ) -> Watchlist:
        with self._changing() as sql:
            old = _found(sql, account, key, by_name=by_name)
            name, symbols = changed(old)
            new = Watchlist(old.id, account, name, _listed(symbols), old.created_at, self._clock())
            _check_name(sql, new)
            values = (new.name, json.dumps(new.symbols), new.updated_at.isoformat(), new.id)
            sql.execute("UPDATE watchlists SET name = ?, symbols = ?, updated = ? WHERE id = ?", values)
        return new

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        """One transaction, with no other thread or process between."""
        with self._lock:
            try:
                if self._connection is None:
                    self._path.parent.mkdir(parents=True, exist_ok=True)
                    self._connection = open_database(self._path, KIND)
                with transaction(self._connection):
                    yield self._connection
            except (sqlite3.Error, OSError) as error:
                raise StorageError(f"{self._path} cannot be used: {error}. Free the file or the disk.") from error


def _found(sql: sqlite3.Connection, account: str, key: str, *, by_name: bool) -> Watchlist:
    question = f"SELECT {_COLUMNS} FROM watchlists WHERE account = ? AND {'name' if by_name else 'id'} = ?"  # noqa: S608
    row = sql.execute(question, (account, key)).fetchone()
    if row is None:
        raise UnknownWatchlistError
    return _watchlist(row)


def _check_name(sql: sqlite3.Connection, wanted: Watchlist) -> None:
    others = "SELECT 1 FROM watchlists WHERE account = ? AND name = ? AND id <> ?"
    if sql.execute(others, (wanted.account, wanted.name, wanted.id)).fetchone() is not None:
        raise WatchlistNameError(wanted.name)


def _listed(symbols: Iterable[str]) -> tuple[str, ...]:
    """Symbols without those that are there twice."""
    found = tuple(dict.fromkeys(symbols))
    if len(found) > MOST_SYMBOLS:
        raise WatchlistSizeError(MOST_SYMBOLS, "symbols in a watchlist")
    return found


def _watchlist(row: tuple[str, str, str, str, str, str]) -> Watchlist:
    id_, account, name, symbols, created, updated = row
    times = datetime.fromisoformat(created), datetime.fromisoformat(updated)
    return Watchlist(id_, account, name, tuple(json.loads(symbols)), *times)
