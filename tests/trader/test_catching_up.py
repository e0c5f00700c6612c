"""An append whose answer is lost, though it has arrived: the live account takes it in by itself and goes on."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from nt_ray.errors import StorageError
from nt_ray.storage.opening import opened
from nt_ray.storage.sqlite_journal import SqliteJournal
from nt_ray.trader.books import Books
from nt_ray.trader.books_snapshot import snapshot
from nt_ray.trader.live_account import LiveAccount
from nt_ray.trading import events as e
from nt_ray.trading.orders import OrderRequest, OrderStatus, OrderType, Side

Open = Callable[..., LiveAccount]
WaitingVenue: TypeAlias = Any


def buy(number: int) -> OrderRequest:
    return OrderRequest(f"o{number}", "KO", Side.BUY, Decimal(1), "test", OrderType.LIMIT, Decimal(40))


def lose_answers(patch: pytest.MonkeyPatch) -> None:
    """From now on events are written, and their writer is told that they were not."""
    write = SqliteJournal._write

    def lost(self: SqliteJournal, rows: Any, *, durable: bool) -> None:
        write(self, rows, durable=durable)
        raise StorageError("The answer was lost. Start the server.")

    patch.setattr(SqliteJournal, "_write", lost)


@contextmanager
def answers_lost(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        lose_answers(patch)
        yield


def events_of(path: Path) -> list[e.Event]:
    with opened(path) as journal:
        assert journal.verify().fault is None
        return [entry.event for entry in journal.read()]


def assert_books_follow_from_the_journal(account: LiveAccount, path: Path) -> None:
    account.close()
    books = Books()
    for event in events_of(path):
        books.apply(event)
    assert snapshot(books) == snapshot(account._account.books)


def test_orders_that_were_written_unknown_to_their_writer_are_sent_once_and_known(
    open_live: Open, venue: WaitingVenue, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    account = open_live()
    with answers_lost(monkeypatch), pytest.raises(StorageError):
        account.submit([buy(1)])
    assert venue.sent == []
    assert account.submit([buy(2)])[0].status is OrderStatus.ACCEPTED
    assert account.submit([buy(1)])[0].status is OrderStatus.ACCEPTED
    assert venue.sent == ["o1", "o2"]
    assert account.status().epoch == 2
    assert_books_follow_from_the_journal(account, tmp_path / "journal.sqlite")


def test_a_refusal_that_was_written_unknown_to_its_writer_is_told_afterwards(
    open_live: Open, venue: WaitingVenue, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    account = open_live()
    send = account._account.send
    with monkeypatch.context() as patch:

        def sent(unit: Any) -> Any:
            venue.down = True
            outcomes = send(unit)
            lose_answers(patch)
            return outcomes

        patch.setattr(account._account, "send", sent)
        with pytest.raises(StorageError):
            account.submit([buy(1)])
    venue.down = False
    account.sync()
    told = account.submit([buy(1)])[0]
    assert (told.status, told.not_sent) == (OrderStatus.REJECTED, True)
    assert venue.sent == []
    assert_books_follow_from_the_journal(account, tmp_path / "journal.sqlite")


def test_an_account_that_is_behind_waits_for_orders_in_flight_before_it_recovers(
    open_live: Open, venue: WaitingVenue, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    account = open_live()
    venue.hold("o1")
    with ThreadPoolExecutor(2) as pool:
        slow = pool.submit(account.submit, [buy(1)])
        venue.wait_until_reached("o1")
        with answers_lost(monkeypatch), pytest.raises(StorageError):
            account.submit([buy(2)])
        waiting = threading.Event()
        wait = account._wait
        monkeypatch.setattr(account, "_wait", lambda *given: (waiting.set(), wait(*given))[1])
        third = pool.submit(account.submit, [buy(3)])
        assert waiting.wait(20.0)
        assert not third.done()
        venue.let_go("o1")
        assert slow.result()[0].status is OrderStatus.ACCEPTED
        assert third.result()[0].status is OrderStatus.ACCEPTED
    assert sorted(venue.sent) == ["o1", "o2", "o3"]
    assert {order.status for order in account.orders()} == {OrderStatus.ACCEPTED}
    assert_books_follow_from_the_journal(account, tmp_path / "journal.sqlite")


CALLS: dict[str, Callable[[LiveAccount], object]] = {
    "sync": lambda account: account.sync(),
    "hear": lambda account: account.hear(),
    "cancel": lambda account: account.cancel("o1"),
    "halt": lambda account: account.halt("symbol:PEP", "ann", "drill"),
    "resume": lambda account: (account.halt("symbol:PEP", "ann", "drill"), account.resume("symbol:PEP", "ann", "over")),
    "change_limits": lambda account: account.change_limits({"max_order_quantity": 3}, "ann", "careful"),
}


@pytest.mark.parametrize("name", CALLS)
def test_every_call_that_writes_catches_up_first(
    name: str, open_live: Open, venue: WaitingVenue, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    account = open_live()
    account.submit([buy(1)])
    account.sync()
    with answers_lost(monkeypatch), pytest.raises(StorageError):
        account.submit([buy(2)])
    venue.execute("o1", 1)
    CALLS[name](account)
    assert account.report("o2").status is OrderStatus.ACCEPTED
    assert account.report("o1").status is OrderStatus.FILLED
    assert venue.sent == ["o1", "o2"]
    assert_books_follow_from_the_journal(account, tmp_path / "journal.sqlite")


def test_a_database_that_is_still_away_is_told_and_recovered_from_later(
    open_live: Open, venue: WaitingVenue, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    account = open_live()
    with answers_lost(monkeypatch), pytest.raises(StorageError):
        account.submit([buy(1)])
    with monkeypatch.context() as patch:

        def away(self: SqliteJournal) -> int:
            raise StorageError("The database is away. Start the server.")

        patch.setattr(SqliteJournal, "open_epoch", away)
        for _ in range(2):
            with pytest.raises(StorageError, match="away"):
                account.submit([buy(2)])
    assert account.submit([buy(2)])[0].status is OrderStatus.ACCEPTED
    assert venue.sent == ["o1", "o2"]
    assert_books_follow_from_the_journal(account, tmp_path / "journal.sqlite")
