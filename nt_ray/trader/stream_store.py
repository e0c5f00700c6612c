"""The stream on disk: the newest events of each channel, how far each feed has been read, and whose file it is.

Events and the place up to which their feed was read are written in one transaction, so whoever opens the file after a
crash goes on behind the last event that was told: none is missing and none is told twice. A file that another process
has opened since is written no more. It survives the death of its process and the loss of power.
"""

import secrets
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from nt_ray.errors import FencedError, StorageError
from nt_ray.storage.sqlite import FileKind, open_database, transaction, upgraded_to
from nt_ray.trader.event_stream import CAPACITY, Channel, Event, News

_SCHEMA: Final = """
CREATE TABLE events (
    channel TEXT NOT NULL, seq INTEGER NOT NULL, time TEXT NOT NULL, symbol TEXT NOT NULL, account TEXT NOT NULL,
    data TEXT NOT NULL, owner TEXT NOT NULL DEFAULT '', PRIMARY KEY (channel, seq)
) STRICT, WITHOUT ROWID;;
CREATE TABLE feeds (name TEXT PRIMARY KEY, place TEXT NOT NULL) STRICT;;
CREATE TABLE about (epoch TEXT NOT NULL, owner TEXT NOT NULL) STRICT;;
"""

VERSION: Final = 2
_TO_2: Final = upgraded_to(VERSION, "ALTER TABLE events ADD COLUMN owner TEXT NOT NULL DEFAULT ''")
FILE: Final = FileKind("stream", 0x4E545354, VERSION, _SCHEMA, durable=True, upgrade=_TO_2)


class StreamStore:
    """The file of a stream. One process owns it: whoever opened it last. One call at a time, from any thread."""

    def __init__(self, path: Path, capacity: int = CAPACITY) -> None:
        """Open the file, made where it is not there, and take it over."""
        self._connection = open_database(path, FILE)
        self._capacity = capacity
        self._owner = secrets.token_hex(8)
        with transaction(self._connection):
            row = self._connection.execute("SELECT epoch FROM about").fetchone()
            self.epoch: str = secrets.token_hex(8) if row is None else row[0]
            self._connection.execute("DELETE FROM about")
            self._connection.execute("INSERT INTO about VALUES (?, ?)", (self.epoch, self._owner))

    def events(self, channel: Channel) -> list[Event]:
        """Events of a channel that are kept, oldest first."""
        rows = self._connection.execute(
            "SELECT seq, time, symbol, account, data, owner FROM events WHERE channel = ? ORDER BY seq DESC LIMIT ?",
            (channel, self._capacity),
        )
        found = [Event(seq, News(channel, *told)) for seq, *told in rows]
        found.reverse()
        return found

    def places(self) -> dict[str, str]:
        """How far each feed has been read, in its own words."""
        return dict(self._connection.execute("SELECT name, place FROM feeds"))

    def newest(self) -> datetime | None:
        """Time of the newest event; None where there is none."""
        (found,) = self._connection.execute("SELECT max(time) FROM events").fetchone()
        return None if found is None else datetime.fromisoformat(found)

    def append(self, events: Sequence[Event], places: Mapping[str, str]) -> None:
        """Write events with the places of their feeds; `FencedError` where somebody else has taken the file over."""
        try:
            with transaction(self._connection):
                self._check_owner()
                self._write(events, places)
        except sqlite3.Error as error:
            raise StorageError(f"The stream cannot be written: {error}. Look at the disk of its folder.") from error

    def _check_owner(self) -> None:
        if not self._connection.execute("SELECT 1 FROM about WHERE owner = ?", (self._owner,)).fetchone():
            raise FencedError("Another process keeps the stream now. Ask that one.")

    def _write(self, events: Sequence[Event], places: Mapping[str, str]) -> None:
        write = self._connection.executemany
        rows = [(told.channel, seq, *told[1:]) for seq, told in events]
        write(
            "INSERT INTO events (channel, seq, time, symbol, account, data, owner) VALUES (?, ?, ?, ?, ?, ?, ?)", rows
        )
        write(
            "INSERT INTO feeds VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET place = excluded.place",
            list(places.items()),
        )
        last = {told.channel: seq for seq, told in events}
        old = [(channel, seq - self._capacity) for channel, seq in last.items()]
        write("DELETE FROM events WHERE channel = ? AND seq <= ?", old)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
