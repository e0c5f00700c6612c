"""What every journal does, on SQLite and on Postgres."""

import hashlib
import logging
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from nt_ray.errors import FencedError, StorageError
from nt_ray.storage.journal import Journal
from nt_ray.storage.opening import open_journal
from nt_ray.trading.events import Deposited, Event, OrderSubmitted

NOW = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
# A place is made by the fixtures of conftest.py.
Place = Any


def submitted(number: int) -> Event:
    return OrderSubmitted(NOW, f"o.{number}")


def opened(place: Place) -> Journal:
    journal = open_journal(place.url)
    journal.open_epoch()
    return journal


def written(place: Place, count: int) -> bytes:
    journal = opened(place)
    journal.append([submitted(number) for number in range(1, count + 1)])
    digest = journal.head.hash
    journal.close()
    return digest


def test_what_was_appended_is_read_in_order_by_the_next_process(place: Place) -> None:
    journal = opened(place)
    deposit = Deposited(NOW, "initial", Decimal("0.10000000000000000000000000000000001"))
    journal.append([deposit, submitted(1)])
    journal.append([submitted(2)], durable=False)
    journal.append([submitted(3)])
    journal.close()
    again = open_journal(place.url)
    entries = list(again.read())
    assert [entry.seq for entry in entries] == [1, 2, 3, 4]
    assert [entry.event for entry in entries] == [deposit, submitted(1), submitted(2), submitted(3)]
    assert [entry.event for entry in again.read(after=3)] == [submitted(3)]
    assert {entry.epoch for entry in entries} == {1}
    again.close()


def test_a_replaced_writer_can_write_nothing(place: Place) -> None:
    old, new = opened(place), opened(place)
    with pytest.raises(FencedError, match="taken over"):
        old.append([submitted(1)])
    with pytest.raises(FencedError):
        old.confirm()
    with pytest.raises(FencedError):
        old.write_snapshot("{}")
    new.append([submitted(2)])
    new.confirm()
    assert [entry.event for entry in old.read()] == [submitted(2)]
    assert (old.epoch, new.epoch) == (1, 2)
    assert new.snapshot() is None
    old.close()
    new.close()


def test_a_writer_without_an_epoch_can_write_nothing(place: Place) -> None:
    journal = open_journal(place.url)
    for write in (lambda: journal.append([submitted(1)]), journal.confirm, lambda: journal.write_snapshot("{}")):
        with pytest.raises(FencedError, match="no epoch"):
            write()
    journal.append([])
    assert journal.head.seq == 0
    journal.close()


def test_an_append_is_all_or_nothing(place: Place) -> None:
    journal = opened(place)
    bad = OrderSubmitted(datetime(2026, 1, 2, tzinfo=None), "o.2")  # noqa: DTZ001
    with pytest.raises(Exception, match="UTC"):
        journal.append([submitted(1), bad])
    assert list(journal.read()) == []
    journal.append([submitted(3)])
    assert journal.verify().rows == 1
    journal.close()


def test_a_writer_goes_on_where_the_last_one_ended(place: Place) -> None:
    written(place, 3)
    journal = opened(place)
    assert journal.written == 3
    journal.append([submitted(4)])
    assert [(entry.seq, entry.epoch) for entry in journal.read()] == [(1, 1), (2, 1), (3, 1), (4, 2)]
    assert journal.verify().fault is None
    journal.close()


def test_the_head_is_the_hash_that_the_page_describes(place: Place) -> None:
    digest = bytes(32)
    for number in (1, 2):
        time, kind, order, payload = "2026-01-02T03:04:05.000006+00:00", "OrderSubmitted", f"o.{number}", "{}"
        text = f"{number} 1 {len(time)} {len(kind)} {len(order)} {len(payload)} {time}{kind}{order}{payload}"
        digest = hashlib.sha256(digest + text.encode()).digest()
    assert written(place, 2) == digest


def test_both_databases_give_the_same_events_the_same_hashes(sqlite_place: Place, postgres_place: Place) -> None:
    assert written(sqlite_place, 20) == written(postgres_place, 20)


@pytest.mark.parametrize(
    ("statement", "seq"),
    [
        ("UPDATE events SET payload = '{\"x\":1}' WHERE seq = 3", 3),
        ("UPDATE events SET time = '2026-01-02T03:04:05.000007+00:00' WHERE seq = 4", 4),
        ("UPDATE events SET kind = 'OrderExpired' WHERE seq = 1", 1),
        ("UPDATE events SET client_order_id = 'o.9' WHERE seq = 6", 6),
        ("UPDATE events SET epoch = 2 WHERE seq = 2", 2),
        ("DELETE FROM events WHERE seq = 1", 1),
        ("DELETE FROM events WHERE seq = 5", 5),
        ("INSERT INTO events SELECT 7, epoch, time, kind, client_order_id, payload, hash FROM events WHERE seq = 6", 7),
    ],
)
def test_verify_names_the_first_event_that_was_touched(place: Place, statement: str, seq: int) -> None:
    written(place, 6)
    place.tamper("INSERT INTO epochs VALUES (2)", statement)
    journal = open_journal(place.url)
    found = journal.verify()
    assert found.fault is not None
    assert found.fault.seq == seq
    assert found.rows == seq - 1
    journal.close()


def test_verify_sees_two_events_that_changed_places(place: Place) -> None:
    written(place, 5)
    place.tamper(*(f"UPDATE events SET seq = {new} WHERE seq = {old}" for old, new in ((2, 12), (3, 2), (12, 3))))
    journal = open_journal(place.url)
    fault = journal.verify().fault
    assert fault is not None
    assert fault.seq == 2
    assert "moved" in fault.reason
    journal.close()


def test_a_head_noted_earlier_shows_whether_the_end_was_cut_off(place: Place) -> None:
    journal = opened(place)
    journal.append([submitted(n) for n in range(1, 4)])
    middle = journal.head.hash.hex()
    journal.append([submitted(n) for n in range(4, 7)])
    end = journal.head.hash.hex()
    assert journal.verify(middle).expected_at == 3
    assert journal.verify(end).expected_at == 6
    journal.close()
    place.tamper("DELETE FROM events WHERE seq > 4")
    journal = open_journal(place.url)
    assert journal.verify().fault is None
    assert journal.verify(middle).expected_at == 3
    cut = journal.verify(end).fault
    assert cut is not None
    assert cut.seq == 5
    assert "cut off" in cut.reason
    with pytest.raises(StorageError, match="64 hex digits"):
        journal.verify("12ab")
    journal.close()


def test_the_newest_snapshot_comes_back_as_it_was(place: Place) -> None:
    journal = opened(place)
    state = '{"text":"ä\\u0000é","digits":"0.10"}'
    assert journal.snapshot() is None
    for number in range(1, 5):
        journal.append([submitted(number)])
        journal.write_snapshot(f"{state}{number}")
    journal.write_snapshot(f"{state}again")
    found = journal.snapshot()
    assert found is not None
    assert (found.seq, found.hash, found.state) == (4, journal.head.hash, f"{state}again")
    assert [s.seq for s in journal._snapshots()] == [4, 3]
    journal.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE snapshots SET state = 'other' WHERE seq = 2",
        "UPDATE snapshots SET hash = (SELECT hash FROM events WHERE seq = 1) WHERE seq = 2",
        "UPDATE snapshots SET digest = hash WHERE seq = 2",
        "UPDATE snapshots SET seq = 9 WHERE seq = 2",
        "UPDATE events SET hash = (SELECT hash FROM events WHERE seq = 1) WHERE seq = 2",
    ],
)
def test_a_snapshot_that_does_not_fit_is_passed_over(
    place: Place, statement: str, caplog: pytest.LogCaptureFixture
) -> None:
    journal = opened(place)
    for number in (1, 2):
        journal.append([submitted(number)])
        journal.write_snapshot(f"state {number}")
    journal.close()
    place.tamper(statement)
    journal = open_journal(place.url)
    with caplog.at_level(logging.WARNING):
        found = journal.snapshot()
    assert found is not None
    assert (found.seq, found.state) == (1, "state 1")
    assert "does not fit" in caplog.text
    journal.close()


def test_a_closed_journal_says_so(place: Place) -> None:
    journal = opened(place)
    journal.close()
    with pytest.raises(StorageError):
        journal.append([submitted(1)])
    with pytest.raises(StorageError):
        list(journal.read())


def test_a_journal_that_does_not_exist_is_not_made_by_who_only_reads(place: Place) -> None:
    with pytest.raises(StorageError):
        open_journal(place.url, create=False)
    written(place, 2)
    reader = open_journal(place.url, create=False)
    assert reader.head.seq == 2
    reader.close()


def test_a_long_journal_is_read_page_by_page(place: Place) -> None:
    journal = opened(place)
    journal.append([submitted(number) for number in range(20_001)], durable=False)
    assert [row.seq for row in journal.rows(after=9_990)] == list(range(9_991, 20_002))
    assert journal.verify().rows == 20_001
    journal.close()
