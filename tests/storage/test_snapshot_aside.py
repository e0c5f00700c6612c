"""A snapshot is written beside the journal: events are appended, and a new writer is obeyed, while it is under way."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from nt_ray.errors import FencedError
from nt_ray.storage.opening import open_journal
from nt_ray.trading.events import Deposited

NOW = datetime(2026, 1, 2, tzinfo=UTC)
PATIENCE_S = 20.0


def deposited(number: int) -> Deposited:
    return Deposited(NOW, f"d{number}", Decimal(number))


def test_a_snapshot_belongs_to_the_event_at_which_its_copy_was_taken(place: Any) -> None:
    with closing(open_journal(place.url)) as journal:
        journal.open_epoch()
        journal.append([deposited(1)])
        at = journal.place
        journal.append([deposited(2)])
        journal.write_snapshot("state after one", at)
        found = journal.snapshot()
        assert found is not None
        assert (found.seq, found.state) == (1, "state after one")


def test_a_writer_that_is_replaced_while_it_writes_a_snapshot_leaves_none(place: Any) -> None:
    with closing(open_journal(place.url)) as older, closing(open_journal(place.url)) as newer:
        older.open_epoch()
        older.append([deposited(1)])
        newer.open_epoch()
        with pytest.raises(FencedError):
            older.write_snapshot("stale")
        assert newer.snapshot() is None


def test_events_are_appended_to_postgres_while_a_large_snapshot_is_on_its_way(
    postgres_place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    inserted, goes_on = threading.Event(), threading.Event()
    execute = asyncpg.Connection.execute

    async def slow(self: asyncpg.Connection, statement: str, *arguments: Any, **more: Any) -> Any:
        result = await execute(self, statement, *arguments, **more)
        if statement.startswith("INSERT INTO snapshots"):
            inserted.set()
            assert goes_on.wait(PATIENCE_S)
        return result

    with closing(open_journal(postgres_place.url)) as journal, ThreadPoolExecutor(1) as pool:
        journal.open_epoch()
        journal.append([deposited(1)])
        monkeypatch.setattr(asyncpg.Connection, "execute", slow)
        writing = pool.submit(journal.write_snapshot, "x" * 2**20, journal.place)
        assert inserted.wait(PATIENCE_S)
        journal.append([deposited(2)])
        assert not writing.done()
        goes_on.set()
        writing.result()
        found = journal.snapshot()
        assert found is not None
        assert (found.seq, journal.written) == (1, 2)
