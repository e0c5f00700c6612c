"""Journals of older versions are brought up to date, and lose nothing on the way."""

import asyncio
import re
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from nt_ray.errors import StorageError
from nt_ray.storage import postgres_journal
from nt_ray.storage.opening import open_journal
from nt_ray.trading.events import OrderSubmitted

NOW = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
Place = Any

VERSION_1 = """
CREATE TABLE epochs (epoch INTEGER PRIMARY KEY) STRICT;
CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    epoch INTEGER NOT NULL REFERENCES epochs (epoch),
    time TEXT NOT NULL,
    kind TEXT NOT NULL,
    client_order_id TEXT NOT NULL,
    payload TEXT NOT NULL
) STRICT;
CREATE TRIGGER events_are_not_changed BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER events_are_not_deleted BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER epochs_are_not_changed BEFORE UPDATE ON epochs
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER epochs_are_not_deleted BEFORE DELETE ON epochs
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
PRAGMA application_id = 1314146865;
PRAGMA user_version = 1;
"""
"""A journal as the first version of this program made it."""

ROWS = [(1, "2026-01-02T03:04:05.000006+00:00", "OrderSubmitted", f"o.{n}", "{}") for n in range(1, 26)]
INSERT = "INSERT INTO events (epoch, time, kind, client_order_id, payload) VALUES (?, ?, ?, ?, ?)"


def old_file(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.executescript(VERSION_1)
    connection.execute("INSERT INTO epochs VALUES (1)")
    connection.executemany(INSERT, ROWS)
    connection.commit()
    connection.close()


def objects(path: Path) -> set[tuple[str, ...]]:
    connection = sqlite3.connect(path)
    found = connection.execute("SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_master").fetchall()
    found.append(("version", *(str(connection.execute(f"PRAGMA {p}").fetchone()[0]) for p in ("user_version",))))
    found.append(("alembic", *connection.execute("SELECT version_num FROM alembic_version").fetchone()))
    connection.close()
    return {tuple(re.sub(r"\s+", " ", text).replace("( ", "(").replace(" )", ")") for text in row) for row in found}


def written_anew(where: str | Path) -> bytes:
    journal = open_journal(where)
    journal.open_epoch()
    journal.append([OrderSubmitted(NOW, f"o.{n}") for n in range(1, 26)])
    digest = journal.head.hash
    journal.close()
    return digest


def test_an_old_file_keeps_its_events_and_gets_the_hashes_it_would_have_had(tmp_path: Path) -> None:
    old, new = tmp_path / "old.sqlite", tmp_path / "new.sqlite"
    old_file(old)
    journal = open_journal(old)
    assert [row[1:6] for row in journal.rows()] == ROWS
    assert journal.verify().fault is None
    assert journal.head.hash == written_anew(new)
    assert journal.open_epoch() == 2
    journal.append([OrderSubmitted(NOW, "o.26")])
    assert journal.verify().rows == 26
    journal.close()


def test_a_file_that_was_brought_up_to_date_has_the_tables_of_a_new_one(tmp_path: Path) -> None:
    old, new = tmp_path / "old.sqlite", tmp_path / "new.sqlite"
    old_file(old)
    for path in (old, new):
        open_journal(path).close()
    assert objects(old) == objects(new)


def test_a_file_that_cannot_be_brought_up_to_date_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "old.sqlite"
    old_file(path)
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE snapshots (in_the_way)")
    connection.commit()
    before = connection.execute("SELECT sql FROM sqlite_master").fetchall()
    with pytest.raises(StorageError, match="Restore it from a copy"):
        open_journal(path)
    assert connection.execute("SELECT sql FROM sqlite_master").fetchall() == before
    assert connection.execute("SELECT count(*) FROM events").fetchone() == (25,)
    assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    connection.close()


def test_who_only_reads_does_not_bring_a_file_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "old.sqlite"
    old_file(path)
    with pytest.raises(StorageError, match=r"schema version 1, not 2"):
        open_journal(path, create=False)
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    connection.close()


def test_an_old_schema_of_postgres_is_brought_up_to_date(
    postgres_place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from alembic import command

    head = command.upgrade
    monkeypatch.setattr(command, "upgrade", lambda config, _: head(config, "0001"))
    monkeypatch.setattr(postgres_journal, "VERSION", 1)
    open_journal(postgres_place.url).close()
    monkeypatch.undo()
    values = ", ".join(f"({seq}, {row[0]}, '{row[1]}', '{row[2]}', '{row[3]}', '{row[4]}')" for seq, row in rows())
    postgres_place.as_owner("INSERT INTO epochs VALUES (1)", f"INSERT INTO events VALUES {values}")
    with pytest.raises(StorageError, match="schema version 0001, not 0002"):
        open_journal(postgres_place.url, create=False)
    journal = open_journal(postgres_place.url)
    assert [row[1:6] for row in journal.rows()] == ROWS
    assert journal.head.hash == written_anew(tmp_path / "new.sqlite")
    assert journal.open_epoch() == 2
    journal.append([OrderSubmitted(NOW, "o.26")])
    assert journal.verify().rows == 26
    journal.close()


def rows() -> list[tuple[int, tuple[Any, ...]]]:
    return list(enumerate(ROWS, start=1))


def test_a_newer_schema_of_postgres_is_refused(postgres_place: Place) -> None:
    open_journal(postgres_place.url).close()
    postgres_place.as_owner("UPDATE alembic_version SET version_num = '0099'")
    with pytest.raises(StorageError, match="schema version 0099"):
        open_journal(postgres_place.url)


def test_two_who_open_a_new_journal_at_once_make_it_once(place: Place) -> None:
    async def both() -> list[int]:
        return await asyncio.gather(*(asyncio.to_thread(opened) for _ in range(4)))

    def opened() -> int:
        journal = open_journal(place.url)
        epoch = journal.open_epoch()
        journal.close()
        return epoch

    assert sorted(asyncio.run(both())) == [1, 2, 3, 4]
