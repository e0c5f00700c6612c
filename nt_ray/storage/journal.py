"""The journal: the append-only, durable record of everything that happened to one account.

When a durable `append` returns, the events survive loss of power. Events are never changed or deleted; the database
refuses both, and a chain of hashes (`nt_ray.storage.chain`) shows whether somebody did. A writer takes a new epoch when
it starts, and every append checks, in its own transaction, that this epoch is still the newest, so a writer that has
been replaced can write nothing. Snapshots shorten a replay; one that does not fit the chain is passed over, never
trusted. Money is stored as text. The journal knows the events' wire form and none of their meaning.

This page is what every journal is; `sqlite_journal` and `postgres_journal` say how it is kept.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import NamedTuple

from nt_ray.errors import FencedError, StorageError
from nt_ray.storage.chain import BEGINNING, Head, Row, Verification, extend, verify
from nt_ray.storage.holding import Holder
from nt_ray.trading.encoding import EncodingError, decode, encode
from nt_ray.trading.events import Event

_log = logging.getLogger(__name__)


class Entry(NamedTuple):
    """One event with its place in the journal."""

    seq: int
    epoch: int
    event: Event


class Snapshot(NamedTuple):
    """State of the account after event `seq`, whose hash is `hash`; `digest` seals all three."""

    seq: int
    hash: bytes
    digest: bytes
    state: str

    @classmethod
    def of(cls, head: Head, state: str) -> "Snapshot":
        """Seal a state."""
        return cls(head.seq, head.hash, seal(head, state), state)


def seal(head: Head, state: str) -> bytes:
    """Digest of a state together with the place in the chain to which it belongs."""
    return sha256(head.hash + f"{head.seq} {state}".encode()).digest()


class Journal(ABC):
    """Journal of one account. `name` is its path or address as people may see it, without a password."""

    name: str
    _epoch = 0
    _head = BEGINNING

    @property
    def epoch(self) -> int:
        """Epoch of this writer; 0 before it has taken one."""
        return self._epoch

    @property
    def written(self) -> int:
        """Number of the last event that this writer knows."""
        return self._head.seq

    @property
    def place(self) -> Head:
        """Number and hash of that event."""
        return self._head

    @property
    @abstractmethod
    def head(self) -> Head:
        """Number and hash of the last event in the journal, whoever wrote it."""

    @abstractmethod
    def open_epoch(self) -> int:
        """Take a new epoch: from now on every older writer is fenced off."""

    @abstractmethod
    def holder(self) -> Holder | None:
        """Who writes the journal now: the writer with the newest epoch, where its process lives and has not closed it.

        A sign for who would take over; it keeps nobody from writing.
        """

    def append(self, events: Sequence[Event], *, durable: bool = True) -> None:
        """Write events in one transaction; `FencedError` where another writer has taken over.

        Not `durable`: the events survive the death of the process at once, loss of power only with the next
        durable append; never without what was written before them.
        """
        if not events:
            return
        if not self._epoch:
            raise self._fenced(None)
        try:
            rows = extend(self._head, self._epoch, [encode(event) for event in events])
        except UnicodeEncodeError as error:
            raise EncodingError(f"An event holds {error.object!r}, which is no text. Give whole characters.") from error
        self._write(rows, durable=durable)
        last = rows[-1]
        self._head = Head(last.seq, last.hash)

    @abstractmethod
    def confirm(self) -> None:
        """Raise `FencedError` where another writer has taken over."""

    def read(self, after: int = 0) -> Iterator[Entry]:
        """Read events after a sequence number, oldest first."""
        for row in self.rows(after):
            yield Entry(row.seq, row.epoch, decode(row.written))

    @abstractmethod
    def rows(self, after: int = 0) -> Iterator[Row]:
        """Read events as they are stored, after a sequence number, oldest first."""

    def verify(self, expected: str = "") -> Verification:
        """Recompute the chain of hashes; `expected` is a head noted earlier, in hex, that it must hold."""
        return verify(self.rows(), expected)

    @abstractmethod
    def write_snapshot(self, state: str, place: Head | None = None) -> None:
        """Keep the state after the event at `place`, by default the last of this writer; the newest two are kept.

        `FencedError` where another writer has taken over. Another thread may append meanwhile.
        """

    def snapshot(self) -> Snapshot | None:
        """Newest snapshot that fits the chain; None where there is none. One that does not fit is logged."""
        for found in self._snapshots():
            if (
                self._hash_at(found.seq) == found.hash
                and seal(Head(found.seq, found.hash), found.state) == found.digest
            ):
                return found
            _log.warning(
                "Snapshot at event %d of %s does not fit the journal and is passed over.", found.seq, self.name
            )
        return None

    @abstractmethod
    def close(self) -> None:
        """Let go of the database; nothing is pending."""

    @abstractmethod
    def _write(self, rows: Sequence[Row], *, durable: bool) -> None:
        """Insert rows that follow this writer's head, all or none, where its epoch is still the newest."""

    @abstractmethod
    def _snapshots(self) -> Iterator[Snapshot]:
        """All snapshots, newest first."""

    @abstractmethod
    def _hash_at(self, seq: int) -> bytes | None:
        """Hash of an event; None where there is no such event."""

    def _fenced(self, newest: int | None) -> FencedError:
        if not self._epoch:
            return FencedError(f"This writer of {self.name} has no epoch. Call open_epoch before writing.")
        return FencedError(
            f"Epoch {self._epoch} of {self.name} has been replaced by {newest}: another writer has taken over. "
            "Stop this one, or open the account anew."
        )


class MovedError(StorageError):
    """The journal holds more than its writer knows: an append whose answer was lost had arrived after all."""

    code = "moved"

    def __init__(self, name: str, known: Head) -> None:
        super().__init__(
            f"{name} goes on after event {known.seq}, the last one this writer knows: an append that was reported as "
            "failed had arrived. Nothing was written; open the account anew, so that it takes those events in."
        )
