import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from nt_ray.errors import FencedError, StorageError
from nt_ray.storage.journal import Journal
from nt_ray.trading.events import Deposited, Event, OrderSubmitted

NOW = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)


def submitted(number: int) -> Event:
    return OrderSubmitted(NOW, f"o.{number}")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


def opened(path: Path) -> Journal:
    journal = Journal(path)
    journal.open_epoch()
    return journal


def test_what_was_appended_is_read_in_order_by_the_next_process(path: Path) -> None:
    journal = opened(path)
    deposit = Deposited(NOW, "initial", Decimal("0.10000000000000000000000000000000001"))
    journal.append([deposit, submitted(1)])
    journal.append([submitted(2)], durable=False)
    journal.append([submitted(3)])
    journal.close()
    again = Journal(path)
    entries = list(again.read())
    assert [entry.seq for entry in entries] == [1, 2, 3, 4]
    assert [entry.event for entry in entries] == [deposit, submitted(1), submitted(2), submitted(3)]
    assert [entry.event for entry in again.read(after=3)] == [submitted(3)]
    assert {entry.epoch for entry in entries} == {1}
    again.close()


def test_a_replaced_writer_can_write_nothing(path: Path) -> None:
    old, new = opened(path), opened(path)
    with pytest.raises(FencedError, match="taken over"):
        old.append([submitted(1)])
    with pytest.raises(FencedError):
        old.confirm()
    new.append([submitted(2)])
    new.confirm()
    assert [entry.event for entry in old.read()] == [submitted(2)]
    assert (old.epoch, new.epoch) == (1, 2)
    old.close()
    new.close()


def test_a_writer_without_an_epoch_can_write_nothing(path: Path) -> None:
    journal = Journal(path)
    with pytest.raises(FencedError):
        journal.append([submitted(1)])
    journal.close()


def test_an_append_is_all_or_nothing(path: Path) -> None:
    journal = opened(path)
    bad = OrderSubmitted(datetime(2026, 1, 2, tzinfo=None), "o.2")  # noqa: DTZ001
    with pytest.raises(Exception, match="UTC"):
        journal.append([submitted(1), bad])
    assert list(journal.read()) == []
    journal.close()


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


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"folder .*absent.* does not exist"):
        Journal(tmp_path / "absent" / "journal.sqlite")


def test_a_file_that_is_no_database_is_refused_and_left_alone(path: Path) -> None:
    path.write_bytes(b"time,price\n" * 500)
    with pytest.raises(StorageError, match="cannot be used as a journal"):
        Journal(path)
    assert path.read_bytes() == b"time,price\n" * 500


def test_a_database_of_another_kind_is_refused(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE mine (a)")
    connection.close()
    with pytest.raises(StorageError, match="not a journal"):
        Journal(path)


def test_a_newer_schema_is_refused(path: Path) -> None:
    journal = Journal(path)
    journal._connection.execute("PRAGMA user_version = 99")
    journal.close()
    with pytest.raises(StorageError, match="schema version 99"):
        Journal(path)


def test_a_closed_journal_says_so(path: Path) -> None:
    journal = opened(path)
    journal.close()
    with pytest.raises(StorageError, match="cannot be written"):
        journal.append([submitted(1)])


KILLED = """
import os, signal, sys
from pathlib import Path
from nt_ray.storage.journal import Journal
from datetime import UTC, datetime
from nt_ray.trading.events import OrderSubmitted
journal = Journal(Path(sys.argv[1]))
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
    journal = Journal(path)
    assert len(list(journal.read())) == len(told) == 50
    journal.close()
