import logging
import sqlite3
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest

from nt_ray.storage.journal import Journal
from nt_ray.storage.opening import open_journal
from nt_ray.trader.books import Books
from nt_ray.trader.books_snapshot import snapshot
from nt_ray.trader.checkpoint import Checkpoints
from nt_ray.trading.events import Deposited

NOW = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


def opened(path: Path) -> Journal:
    journal = open_journal(path)
    journal.open_epoch()
    return journal


def live(journal: Journal, checkpoints: Checkpoints, books: Books, numbers: range) -> None:
    for number in numbers:
        event = Deposited(NOW, f"d{number}", Decimal(number))
        journal.append([event], durable=False)
        books.apply(event)
        checkpoints.keep(books)


def counted(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Numbers after which the journal is asked to read."""
    asked: list[int] = []
    read = journal.read
    monkeypatch.setattr(journal, "read", lambda after=0: asked.append(after) or read(after))
    return asked


def test_a_new_writer_reads_only_what_came_after_the_snapshot(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal, books = opened(path), Books()
    live(journal, Checkpoints(journal, every=10), books, range(1, 26))
    journal.close()
    journal, again = opened(path), Books()
    asked = counted(journal, monkeypatch)
    checkpoints = Checkpoints(journal, every=10)
    checkpoints.replay(again)
    assert asked == [20]
    assert snapshot(again) == snapshot(books)
    live(journal, checkpoints, again, range(26, 31))
    kept = journal.snapshot()
    assert kept is not None
    assert kept.seq == 30
    journal.close()


def test_a_snapshot_that_was_touched_costs_a_replay_and_nothing_else(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    journal, books = opened(path), Books()
    live(journal, Checkpoints(journal, every=10), books, range(1, 26))
    journal.close()
    connection = sqlite3.connect(path)
    connection.execute("UPDATE snapshots SET state = replace(state, '\"1\"', '\"1000000\"')")
    connection.commit()
    connection.close()
    journal, again = opened(path), Books()
    asked = counted(journal, monkeypatch)
    with caplog.at_level(logging.WARNING):
        Checkpoints(journal).replay(again)
    assert asked == [0]
    assert "passed over" in caplog.text
    assert snapshot(again) == snapshot(books)
    journal.close()


def test_a_snapshot_of_another_version_costs_a_replay_and_nothing_else(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal, books = opened(path), Books()
    live(journal, Checkpoints(journal), books, range(1, 6))
    journal.write_snapshot('{"orders":{}}')
    again = Books()
    with caplog.at_level(logging.WARNING):
        Checkpoints(journal).replay(again)
    assert "another version" in caplog.text
    assert snapshot(again) == snapshot(books)
    journal.close()


def test_snapshots_become_rarer_as_the_journal_grows(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal, books = opened(path), Books()
    taken: list[int] = []
    monkeypatch.setattr(journal, "write_snapshot", lambda _: taken.append(journal.written))
    live(journal, Checkpoints(journal, every=5), books, range(1, 301))
    assert taken[:4] == [5, 10, 15, 20]
    assert all(later - earlier >= max(5, later // 20) for earlier, later in pairwise(taken))
    assert taken[-1] - taken[-2] > 5
    journal.close()
