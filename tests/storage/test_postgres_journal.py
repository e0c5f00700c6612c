"""What is particular to a journal in Postgres: rights, and a connection that breaks at the worst moments."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nt_ray.errors import FencedError, StorageError
from nt_ray.storage.journal import MovedError
from nt_ray.storage.postgres_journal import PostgresJournal
from nt_ray.trading.events import Deposited, Event, OrderSubmitted

NOW = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
Place = Any


def submitted(number: int) -> Event:
    return OrderSubmitted(NOW, f"o.{number}")


def opened(url: str, patience: float = 10.0) -> PostgresJournal:
    journal = PostgresJournal(url, patience=patience)
    journal.open_epoch()
    return journal


class Wire:
    """A socket between a client and the server that can be cut, before a request passes or before its answer does."""

    def __init__(self, folder: Path, server: Path) -> None:
        self.folder = folder
        self.cut = ""
        self._server = str(server / ".s.PGSQL.5432")
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(folder / ".s.PGSQL.5432"))
        self._listening.listen()
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def _start(self, work: Any, *arguments: Any) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            if self.cut == "refuse":
                client.close()
                continue
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._server)
            self._start(self._forward, client, server, "request")
            self._start(self._forward, server, client, "answer")

    def _forward(self, source: socket.socket, target: socket.socket, what: str) -> None:
        with source, target:
            while True:
                try:
                    data = source.recv(65536)
                except OSError:
                    return
                appending = self.cut in ("request", "answer") and (what == "answer" or b"o." in data)
                if not data or (appending and self.cut == what):
                    self.cut = "" if data else self.cut
                    for end in (source, target):
                        try:
                            end.shutdown(socket.SHUT_RDWR)
                        except OSError:
                            continue
                    return
                try:
                    target.sendall(data)
                except OSError:
                    return

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for thread in self._threads:
            thread.join(5)


@pytest.fixture
def wire(tmp_path: Path, postgres: Any) -> Iterator[Wire]:
    wire = Wire(tmp_path, postgres.folder)
    yield wire
    wire.close()


def through(wire: Wire, place: Place) -> str:
    return f"postgresql://trader@/postgres?host={wire.folder}&schema={place.schema}"


def ids(journal: PostgresJournal) -> list[str]:
    return [row.client_order_id for row in journal.rows()]


@pytest.mark.parametrize("cut", ["request", "answer"])
def test_an_append_whose_connection_breaks_is_there_once(wire: Wire, postgres_place: Place, cut: str) -> None:
    journal = opened(through(wire, postgres_place))
    journal.append([submitted(1)])
    wire.cut = cut
    journal.append([submitted(2), submitted(3)])
    assert wire.cut == ""
    journal.append([submitted(4)])
    assert ids(journal) == ["o.1", "o.2", "o.3", "o.4"]
    assert journal.verify().fault is None
    journal.close()


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.sampled_from(["", "request", "answer"]), min_size=1, max_size=8))
def test_whatever_breaks_each_event_is_there_once_and_in_order(
    wire: Wire, postgres_place: Place, cuts: list[str]
) -> None:
    journal = opened(through(wire, postgres_place))
    before = journal.written
    for number, cut in enumerate(cuts, start=1):
        wire.cut = cut
        journal.append([submitted(number)], durable=number % 2 == 0)
    wire.cut = ""
    assert ids(journal)[before:] == [f"o.{number}" for number in range(1, len(cuts) + 1)]
    assert journal.verify().fault is None
    journal.close()


def test_an_append_that_arrived_unknown_to_its_writer_stops_the_next_one(wire: Wire, postgres_place: Place) -> None:
    journal = opened(through(wire, postgres_place), patience=0.2)
    journal.append([submitted(1)])
    wire.cut = "answer"

    def refuse_from_now_on() -> None:
        while wire.cut == "answer":
            pass
        wire.cut = "refuse"

    watch = threading.Thread(target=refuse_from_now_on)
    watch.start()
    with pytest.raises(StorageError, match="Start the server"):
        journal.append([submitted(2)])
    watch.join()
    wire.cut = ""
    with pytest.raises(MovedError, match="goes on after event 1"):
        journal.append([submitted(3)])
    assert ids(journal) == ["o.1", "o.2"]
    # The very same events may be appended: they are there.
    journal.append([submitted(2)])
    journal.append([submitted(3)])
    assert ids(journal) == ["o.1", "o.2", "o.3"]
    journal.close()


def test_an_append_that_did_not_arrive_leaves_the_writer_as_it_was(wire: Wire, postgres_place: Place) -> None:
    journal = opened(through(wire, postgres_place), patience=0.2)
    journal.append([submitted(1)])
    journal._link.drop()
    wire.cut = "refuse"
    with pytest.raises(StorageError):
        journal.append([submitted(2)])
    wire.cut = ""
    journal.append([submitted(3)])
    assert ids(journal) == ["o.1", "o.3"]
    journal.close()


def test_a_server_that_throws_everybody_out_is_asked_again(postgres_place: Place) -> None:
    journal = opened(postgres_place.url)
    journal.append([submitted(1)])
    out = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'trader'"
    for number in (2, 3):
        postgres_place.as_owner(out)
        journal.append([submitted(number)])
    postgres_place.as_owner(out)
    assert ids(journal) == ["o.1", "o.2", "o.3"]
    postgres_place.as_owner(out)
    journal.confirm()
    journal.close()


def test_a_lost_append_of_a_replaced_writer_is_fenced(wire: Wire, postgres_place: Place) -> None:
    old = opened(through(wire, postgres_place))
    old.append([submitted(1)])
    new = opened(postgres_place.url)
    wire.cut = "request"
    with pytest.raises(FencedError):
        old.append([submitted(2)])
    new.append([submitted(3)])
    assert ids(new) == ["o.1", "o.3"]
    old.close()
    new.close()


CHANGES = [
    "UPDATE events SET payload = '{}'",
    "DELETE FROM events",
    "TRUNCATE events",
    "UPDATE epochs SET epoch = 9",
    "DELETE FROM epochs",
    "TRUNCATE epochs",
]


@pytest.mark.parametrize("sql", CHANGES)
@pytest.mark.parametrize(("who", "error"), [("trader", "permission denied"), ("postgres", "append-only")])
def test_the_past_cannot_be_changed(postgres_place: Place, sql: str, who: str, error: str) -> None:
    journal = opened(postgres_place.url)
    journal.append([submitted(1)])
    somebody = replace(postgres_place, owner=postgres_place.owner.replace("postgres@", f"{who}@"))
    with pytest.raises(asyncpg.PostgresError, match=error):
        somebody.as_owner(sql)
    assert ids(journal) == ["o.1"]
    journal.close()


def test_a_durable_append_waits_for_the_disk_and_another_does_not(postgres_place: Place) -> None:
    journal = opened(postgres_place.url)
    call = "append_events(1, 0, '', {}, '{{1}}', '{{t}}', '{{k}}', '{{i}}', '{{p}}', '{{h}}')"
    for durable, expected in (("true", "on"), ("false", "off")):
        # The setting ends with the transaction, so it is read within the one that made it.
        setting = f"SELECT current_setting('synchronous_commit') FROM (SELECT {call.format(durable)} OFFSET 0) AS done"
        assert postgres_place.as_owner(setting) == [(expected,)]
    assert journal.head.seq == 0
    journal.close()


def test_numbers_keep_every_digit(postgres_place: Place) -> None:
    journal = opened(postgres_place.url)
    event = Deposited(NOW, "initial", Decimal("123456789.12345678901234567800"))
    journal.append([event])
    assert [repr(entry.event) for entry in journal.read()] == [repr(event)]
    assert postgres_place.as_owner("SELECT payload FROM events") == [
        ('{"deposit_id":"initial","amount":"123456789.12345678901234567800"}',)
    ]
    journal.close()


def test_journals_of_two_schemas_know_nothing_of_each_other(postgres_place: Place) -> None:
    one, other = opened(postgres_place.url), opened(f"{postgres_place.url}_b")
    one.append([submitted(1)])
    other.append([submitted(2)])
    assert (ids(one), ids(other)) == (["o.1"], ["o.2"])
    assert (one.epoch, other.epoch) == (1, 1)
    one.close()
    other.close()


def test_it_works_within_a_running_event_loop(postgres_place: Place) -> None:
    async def use() -> list[str]:
        journal = opened(postgres_place.url)
        journal.append([submitted(1)])
        found = ids(journal)
        journal.close()
        return found

    assert asyncio.run(use()) == ["o.1"]


def test_closing_ends_the_thread_and_may_be_repeated(postgres_place: Place) -> None:
    before = threading.active_count()
    journal = opened(postgres_place.url)
    assert threading.active_count() == before + 1
    journal.close()
    journal.close()
    assert threading.active_count() == before
