"""What is particular to a journal in a file."""

import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from nt_ray.errors import StorageError
from nt_ray.storage.sqlite import transaction
from nt_ray.storage.sqlite_journal import SqliteJournal
from nt_ray.trading.encoding import EncodingError
from nt_ray.trading.events import Deposited, Event, OrderSubmitted

NOW = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)


def submitted(number: int) -> Event:
    return OrderSubmitted(NOW, f"o.{number}")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


def opened(path: Path) -> SqliteJournal:
    journal = SqliteJournal(path)
    journal.open_epoch()
    return journal


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE events SET payload = '{}'",
        "DELETE FROM events",
        "UPDATE epochs SET epoch = 9",
        "DELETE FROM epochs",
    ],
)
def test_the_past_cannot_be_changed(path: Path, sql: str) -> None:
    journal = opened(path)
    journal.append([submitted(1)])
    other = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        other.execute(sql)
    other.close()
    assert [entry.event for entry in journal.read()] == [submitted(1)]
    journal.close()


def test_it_waits_for_the_disk_and_keeps_a_write_ahead_log(path: Path) -> None:
    journal = opened(path)
    connection = journal._connection
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    journal.append([submitted(1)], durable=False)
    journal.append([submitted(2)])
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    journal.close()


def test_numbers_are_stored_as_text(path: Path) -> None:
    journal = opened(path)
    journal.append([Deposited(NOW, "initial", Decimal("100000.10"))])
    kind, text = journal._connection.execute("SELECT typeof(payload), payload FROM events").fetchone()
    assert kind == "text"
    assert '"100000.10"' in text
    journal.close()


def test_text_that_is_none_is_refused_before_anything_is_written(path: Path) -> None:
    journal = opened(path)
    with pytest.raises(EncodingError, match="no text"):
        journal.append([submitted(1), Deposited(NOW, "\ud800", Decimal(1))])
    assert journal.head.seq == 0
    journal.close()


def test_an_older_program_in_between_leaves_no_room_for_a_second_history(path: Path) -> None:
    journal = opened(path)
    journal.append([submitted(1)])
    journal._connection.execute(
        "INSERT INTO events SELECT 2, epoch, time, kind, 'o.2', payload, hash FROM events WHERE seq = 1"
    )
    with pytest.raises(StorageError, match="goes on after event 1"):
        journal.append([submitted(3)])
    assert journal.head.seq == 2
    journal.close()


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"folder .*absent.* does not exist"):
        SqliteJournal(tmp_path / "absent" / "journal.sqlite")


def test_a_file_that_is_no_database_is_refused_and_left_alone(path: Path) -> None:
    path.write_bytes(b"time,price\n" * 500)
    with pytest.raises(StorageError, match="cannot be used as a journal"):
        SqliteJournal(path)
    assert path.read_bytes() == b"time,price\n" * 500


def test_a_database_of_another_kind_is_refused(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE mine (a)")
    connection.close()
    with pytest.raises(StorageError, match="not a journal"):
        SqliteJournal(path)


def test_a_newer_schema_is_refused(path: Path) -> None:
    journal = SqliteJournal(path)
    journal._connection.execute("PRAGMA user_version = 99")
    journal.close()
    with pytest.raises(StorageError, match="schema version 99"):
        SqliteJournal(path)


KILLED = """
import os, signal, sys
from pathlib import Path
from nt_ray.storage.opening import open_journal
from datetime import UTC, datetime
from nt_ray.trading.events import OrderSubmitted
journal = open_journal(Path(sys.argv[1]))
journal.open_epoch()
for number in range(50):
    journal.append([OrderSubmitted(datetime(2026, 1, 2, tzinfo=UTC), f"o.{number}")], durable=number % 2 == 0)
    print(number, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_every_append_that_returned_survives_sigkill(path: Path) -> None:
    run = subprocess.run([sys.executable, "-c", KILLED, str(path)], capture_output=True, text=True, check=False)
    assert run.returncode == -9, run.stderr
    told = [int(line) for line in run.stdout.split()]
    journal = SqliteJournal(path)
    assert len(list(journal.read())) == len(told) == 50
    assert journal.verify().fault is None
    journal.close()


def test_opening_a_journal_that_is_up_to_date_does_not_load_the_migrations(path: Path) -> None:
    program = (
        "import sys; from nt_ray.storage.opening import open_journal; open_journal(sys.argv[1]).close(); "
        "print(sorted(m for m in ('sqlalchemy', 'alembic', 'asyncpg') if m in sys.modules))"
    )
    for _ in range(2):
        run = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
        assert run.stdout.strip() == "[]"


def test_what_went_wrong_is_told_though_the_database_has_rolled_back_by_itself(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "any.sqlite", isolation_level=None)
    connection.execute("CREATE TABLE numbers (number INTEGER UNIQUE)")
    connection.execute("INSERT INTO numbers VALUES (1)")
    with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"), transaction(connection):
        connection.execute("INSERT OR ROLLBACK INTO numbers VALUES (2), (1)")
    assert connection.execute("SELECT count(*) FROM numbers").fetchone() == (1,)
    connection.close()
