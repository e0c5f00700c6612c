"""Snapshots of an account's books in its journal: when one is written, and what a new account begins with.

A snapshot saves work and decides nothing: books from the newest one and the events after it equal books from all
events. One that does not fit the journal or this version is logged and passed over. It is written between two bars and
never on the way of an order, and seldom enough that writing costs little beside the events themselves.
"""

import gc
import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from nt_ray.errors import NeuralTraderError
from nt_ray.storage.chain import Head
from nt_ray.storage.journal import Journal
from nt_ray.trader.books import Books
from nt_ray.trader.books_snapshot import frozen, restore, snapshot, written
from nt_ray.trading.columns import ColumnError

_log = logging.getLogger(__name__)

EVERY = 20_000
"""Events after which a new snapshot is due."""


class Checkpoints:
    """Snapshots of one account. With `aside` each is written in a thread, from a copy, and events pass meanwhile."""

    def __init__(self, journal: Journal, every: int | None = None, *, aside: bool = False) -> None:
        self._journal = journal
        self._every = EVERY if every is None else every
        self._aside = aside
        self._writing: threading.Thread | None = None
        self._seq = 0

    def replay(self, books: Books) -> None:
        """Bring new books up to date: the newest snapshot, then the events after it."""
        with _uncollected():
            found = self._journal.snapshot()
            if found is not None:
                try:
                    restore(books, found.state)
                    self._seq = found.seq
                except ColumnError as error:
                    _log.warning("Snapshot at event %d of %s is passed over: %s", found.seq, self._journal.name, error)
            for entry in self._journal.read(self._seq):
                books.apply(entry.event)

    def keep(self, books: Books) -> None:
        """Write a snapshot where enough has happened since the last one, and none is being written."""
        seq = self._journal.written
        if seq - self._seq < max(self._every, seq // 20):
            return
        if not self._aside:
            self._journal.write_snapshot(snapshot(books))
        elif self._writing is None or not self._writing.is_alive():
            work = (frozen(books), self._journal.place)
            self._writing = threading.Thread(target=self._write, args=work, name="snapshot", daemon=True)
            self._writing.start()
        else:
            return
        self._seq = seq

    def finish(self) -> None:
        """Wait until a snapshot under way is written."""
        if self._writing is not None:
            self._writing.join()

    def _write(self, kept: Mapping[str, Any], place: Head) -> None:
        try:
            self._journal.write_snapshot(written(kept), place)
        except NeuralTraderError as error:
            # It only saves work: the next one is due after as many events again.
            _log.warning("Snapshot at event %d of %s was not written: %s", place.seq, self._journal.name, error)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Keep the garbage collector from walking again and again over objects of which all stay."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()
