"""Feeds alone, over actors that are plain objects: places, gaps, journals that begin anew, and what breaks off."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from actors import stream_feeds
from actors.stream_feeds import AccountFeed, Feeds, JobFeed
from nt_ray.brokers.base import VenueDownError
from nt_ray.errors import StorageError
from nt_ray.trader.bar_reading import BarReading
from nt_ray.trader.event_stream import Channel
from nt_ray.trader.history import Change, Changes, Family, OrderRecord
from nt_ray.trader.jobs.job import JobEvent
from nt_ray.trader.kept_stream import KeptStream
from nt_ray.trader.overview import Holding, Overview
from nt_ray.trader.price import Price, Top
from nt_ray.trader.stream_store import StreamStore
from nt_ray.trading.orders import Order, OrderRequest, Side

BEGUN = datetime(2026, 1, 2, tzinfo=UTC)
NAME = "account/live/paper"


class Remote:
    """A method of an actor."""

    def __init__(self, answer: Callable[..., Any]) -> None:
        self._answer = answer

    def remote(self, *arguments: Any) -> Awaitable[Any]:
        async def call() -> Any:
            return self._answer(*arguments)

        return call()


class Journal:
    """An account that tells changes after a number, and keeps so many."""

    def __init__(self, kept: int = 1000) -> None:
        self.numbers: list[tuple[int, datetime]] = []
        self.kept = kept
        self.changes = Remote(self._changes)

    def happens(self, *numbers: int, at: datetime = BEGUN) -> None:
        self.numbers += [(number, at) for number in numbers]

    def _changes(self, after: int, wait_s: float) -> Changes:
        last = self.numbers[-1][0] if self.numbers else 0
        kept = self.numbers[-self.kept :]
        lost = max(0, kept[0][0] - 1 - after) if len(self.numbers) > len(kept) else 0
        return Changes(tuple(change(n, at) for n, at in kept if n > after), last, lost)


def change(number: int, at: datetime) -> Change:
    request = OrderRequest(f"o{number}", "AAPL", Side.BUY, Decimal(1), "test")
    record = OrderRecord(f"id{number}", Order(request), at, at)
    return Change(number, "OrderAccepted", at, Family(record, "simple"))


async def numbers(stream: KeptStream, channel: Channel = Channel.ORDERS) -> list[int]:
    found = await stream.follow({})
    return [json.loads(e.news.data)["number"] for e in found.events if e.news.channel == channel]


def opened(path: Path) -> tuple[StreamStore, KeptStream]:
    store = StreamStore(path)
    return store, KeptStream(store)


def test_what_happened_before_the_stream_began_is_not_told_and_then_everything_by_number(tmp_path: Path) -> None:
    async def run() -> None:
        store, stream = opened(tmp_path / "s")
        journal = Journal()
        journal.happens(1, 2, at=BEGUN - timedelta(seconds=1))
        journal.happens(3)
        feed = AccountFeed(stream, NAME, BEGUN)
        await feed.follow(journal)
        # From here on a clock that goes wrong hides nothing.
        journal.happens(4, at=BEGUN - timedelta(days=1))
        await feed.follow(journal)
        assert await numbers(stream) == [3, 4]
        assert store.places() == {NAME: "4"}
        await stream.close()

    asyncio.run(run())


def test_the_next_process_tells_what_happened_meanwhile_and_nothing_twice(tmp_path: Path) -> None:
    async def run() -> None:
        journal = Journal()
        _, stream = opened(tmp_path / "s")
        feed = AccountFeed(stream, NAME, BEGUN)
        journal.happens(1, 2)
        await feed.follow(journal)
        await stream.close()
        journal.happens(3, 4, at=BEGUN - timedelta(days=1))
        _, stream = opened(tmp_path / "s")
        feed = AccountFeed(stream, NAME, datetime.now(UTC))
        await feed.follow(journal)
        assert await numbers(stream) == [1, 2, 3, 4]
        await stream.close()

    asyncio.run(run())


def test_an_account_that_goes_and_comes_back_is_followed_from_where_it_was_left(tmp_path: Path) -> None:
    async def run() -> None:
        journal = Journal()
        _, stream = opened(tmp_path / "s")
        for last in (1, 2, 3):
            journal.happens(last)
            # Each time it is found anew by its name.
            await AccountFeed(stream, NAME, BEGUN).follow(journal)
        assert await numbers(stream) == [1, 2, 3]
        await stream.close()

    asyncio.run(run())


def test_changes_that_an_account_no_longer_keeps_leave_a_gap_in_the_numbers(tmp_path: Path) -> None:
    async def run() -> None:
        journal = Journal(kept=3)
        _, stream = opened(tmp_path / "s")
        feed = AccountFeed(stream, NAME, BEGUN)
        journal.happens(1)
        await feed.follow(journal)
        journal.happens(*range(2, 11))
        await feed.follow(journal)
        found = await stream.follow({Channel.ORDERS: 1}, (await stream.follow({})).epoch)
        # Numbers 2 to 7 are lost, so the next event has the number that it would have had.
        assert [(e.seq, json.loads(e.news.data)["number"]) for e in found.events] == [(8, 8), (9, 9), (10, 10)]
        await stream.close()

    asyncio.run(run())


def test_a_journal_that_has_begun_anew_is_told_from_its_beginning(tmp_path: Path) -> None:
    async def run() -> None:
        _, stream = opened(tmp_path / "s")
        await stream.publish([], {NAME: "50"})
        feed = AccountFeed(stream, NAME, BEGUN)
        journal = Journal()
        journal.happens(1, 2)
        for _ in range(2):
            await feed.follow(journal)
        assert await numbers(stream) == [1, 2]
        await stream.close()

    asyncio.run(run())


def test_a_bar_is_told_once_though_it_is_asked_for_again_and_by_another_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_feeds, "BARS_S", 0.0)
    bars = [BarReading("KO", BEGUN + timedelta(minutes=n), (1.0, 2.0, 0.5, 1.5, 10.0), "1m") for n in range(4)]

    async def run() -> None:
        shown = bars[:2]
        actor = SimpleNamespace(bars=Remote(lambda: shown))
        for end in (2, 3, 4):
            _, stream = opened(tmp_path / "s")
            shown[:] = bars[max(0, end - 2) : end]
            feed = AccountFeed(stream, NAME, BEGUN)
            await feed.bars(actor)
            await feed.bars(actor)
            told = [json.loads(e.news.data)["time"] for e in (await stream.follow({})).events]
            assert told == [bar.time.isoformat() for bar in bars[:end]]
            await stream.close()

    asyncio.run(run())


class Quoted:
    """An account of nothing but prices."""

    def __init__(self) -> None:
        held = Holding("PEP", Decimal(2), Decimal(300), Decimal(150), Decimal(0))
        self.found = Overview(
            "paper", "USD", BEGUN, None, *[Decimal(100)] * 6, (held,), {}, (), (), shorting=True, fractions=True
        )  # fmt: skip
        self.top: Top | None = Top(Decimal("59.98"), None, Decimal(300), None, BEGUN)
        self.overview = Remote(lambda: self.found)
        self.quotes = Remote(lambda: {"KO": Price(Decimal("60.0"), BEGUN)})
        self.tops = Remote(self._tops)

    def _tops(self) -> dict[str, Top]:
        if self.top is None:
            raise VenueDownError("It is silent. Wait.")
        return {"KO": self.top, "XOM": self.top}


def test_a_price_is_told_with_what_is_bid_and_asked_as_long_as_the_venue_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_feeds, "GLANCE_S", 0.0)
    monkeypatch.setattr(stream_feeds, "TOPS_S", 0.0)
    trade = {"price": "60.0", "kind": "trade", "at": BEGUN.isoformat()}
    quote = {"bid": "59.98", "ask": None, "bid_size": "300", "ask_size": None, "quoted_at": BEGUN.isoformat()}

    async def run() -> list[tuple[str, Any]]:
        _, stream = opened(tmp_path / "s")
        feed, actor = AccountFeed(stream, NAME, BEGUN), Quoted()
        await feed.glance(actor)
        await feed.tops(actor)
        await feed.glance(actor)
        await feed.glance(actor)
        actor.top = None
        with pytest.raises(VenueDownError):
            await feed.tops(actor)
        await feed.glance(actor)
        found = await stream.follow({})
        await stream.close()
        return [(e.news.symbol, json.loads(e.news.data)) for e in found.events if e.news.channel == Channel.QUOTES]

    # A quote without a trade, of XOM, is no price; the mark of PEP has no quote.
    assert asyncio.run(run()) == [
        ("PEP", {"price": "150", "kind": "mark"}), ("KO", trade), ("KO", trade | quote), ("KO", trade)
    ]  # fmt: skip


class Book:
    """A keeper of jobs."""

    def __init__(self) -> None:
        self.told: list[JobEvent] = []
        self.events = Remote(lambda after, job, wait_s: [event for event in self.told if event.seq > after])
        self.last_event = Remote(lambda: self.told[-1].seq if self.told else 0)

    def happens(self, *seqs: int, at: datetime = BEGUN) -> None:
        self.told += [JobEvent(seq, "job", at.isoformat(), "queued", {"kind": "another"}, "ann") for seq in seqs]


def test_jobs_go_on_behind_the_last_that_was_told_and_a_new_book_is_told_from_its_beginning(tmp_path: Path) -> None:
    async def run() -> None:
        book = Book()
        book.happens(1, at=BEGUN - timedelta(seconds=1))
        book.happens(2)
        _, stream = opened(tmp_path / "s")
        await JobFeed(stream, BEGUN).follow(book)
        book.happens(3, at=BEGUN - timedelta(days=1))
        await JobFeed(stream, BEGUN).follow(book)
        assert await numbers(stream, Channel.JOBS) == [2, 3]
        book.told = []
        book.happens(1)
        await JobFeed(stream, BEGUN).follow(book)
        assert await numbers(stream, Channel.JOBS) == [2, 3, 1]
        kinds = {json.loads(e.news.data)["kind"] for e in (await stream.follow({})).events}
        assert kinds == {"queued"}
        assert {e.news.owner for e in (await stream.follow({})).events} == {"ann"}
        await stream.close()

    asyncio.run(run())


def test_jobs_that_could_not_be_written_down_are_told_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        book = Book()
        book.happens(1, at=BEGUN - timedelta(seconds=1))
        book.happens(2, 3)
        store, stream = opened(tmp_path / "s")
        feed = JobFeed(stream, BEGUN)

        def full(*_: Any) -> None:
            raise StorageError("The disk is full. Free it.")

        with monkeypatch.context() as patch:
            patch.setattr(store, "append", full)
            for _ in range(2):
                with pytest.raises(StorageError):
                    await feed.follow(book)
        await feed.follow(book)
        assert await numbers(stream, Channel.JOBS) == [2, 3]
        await stream.close()

    asyncio.run(run())


def test_whatever_ends_one_look_for_accounts_the_next_finds_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        _, stream = opened(tmp_path / "s")
        looks = 0

        def followed() -> set[str]:
            nonlocal looks
            looks += 1
            if looks == 1:
                raise KeyError("nobody foresaw this")
            return {NAME}

        found = asyncio.Event()

        async def work(_: Any) -> None:
            found.set()
            await asyncio.sleep(3600)

        monkeypatch.setattr(stream_feeds, "_followed", followed)
        monkeypatch.setattr(stream_feeds, "LOOK_S", 0.0)
        monkeypatch.setattr(stream_feeds.ray, "get_actor", lambda *_: None)
        feeds = Feeds(stream)
        monkeypatch.setattr(feeds, "_works", lambda _: [work])
        feeds.begin()
        async with asyncio.timeout(30.0):
            await found.wait()
        feeds.end()
        await stream.close()

    asyncio.run(run())
    assert "nobody foresaw this" in caplog.text


def test_a_feed_that_breaks_off_is_begun_again_and_the_log_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        _, stream = opened(tmp_path / "s")
        calls = 0

        async def work(_: Any) -> None:
            nonlocal calls
            calls += 1
            if calls == 1:
                raise KeyError("nobody foresaw this")
            await asyncio.sleep(3600)

        monkeypatch.setattr(stream_feeds, "_followed", lambda: {NAME})
        monkeypatch.setattr(stream_feeds, "LOOK_S", 0.0)
        monkeypatch.setattr(stream_feeds.ray, "get_actor", lambda *_: None)
        feeds = Feeds(stream)
        monkeypatch.setattr(feeds, "_works", lambda _: [work])
        feeds.begin()
        async with asyncio.timeout(30.0):
            while calls < 2:
                await asyncio.sleep(0)
        feeds.end()
        await stream.close()

    asyncio.run(run())
    assert "nobody foresaw this" in caplog.text
