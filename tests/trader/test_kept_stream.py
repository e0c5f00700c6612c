"""The stream on disk: after any death the next process goes on in the same numbers, with nothing missing or double."""

import asyncio
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nt_ray.errors import FencedError, StorageError
from nt_ray.trader.event_stream import Channel, Event, News, news
from nt_ray.trader.kept_stream import KeptStream
from nt_ray.trader.stream_store import StreamStore

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def told(number: int, channel: Channel = Channel.ORDERS) -> News:
    return news(channel, NOW, {"n": number}, symbol="AAPL", account="paper")


class BreakingStore(StreamStore):
    """Breaks off before or after a write, as a process that dies does."""

    breaks_before = breaks_after = False

    def append(self, *parts: object) -> None:
        if self.breaks_before:
            raise StorageError("The process died. Start it again.")
        super().append(*parts)  # type: ignore[arg-type]
        if self.breaks_after:
            raise StorageError("The process died. Start it again.")


def test_the_next_process_goes_on_in_the_same_epoch_and_numbers(tmp_path: Path) -> None:
    async def run() -> None:
        first = KeptStream(StreamStore(tmp_path / "s"))
        await first.publish([told(1), told(2), told(1, Channel.JOBS)], {"account": "17"})
        before = await first.follow({})
        await first.close()
        store = StreamStore(tmp_path / "s")
        assert store.places() == {"account": "17"}
        assert store.newest() == NOW
        second = KeptStream(store)
        assert await second.follow({}) == before
        await second.publish([told(3)])
        after = await second.follow({Channel.ORDERS: 2, Channel.JOBS: 1}, before.epoch)
        assert after.events == [Event(3, told(3))]
        await second.close()

    asyncio.run(run())


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(1, 5), st.sampled_from(["lives", "before", "after"])), max_size=8))
def test_a_feed_that_begins_again_at_its_place_tells_each_event_once_whenever_it_dies(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, str]]
) -> None:
    path = tmp_path_factory.mktemp("feed") / "s"

    async def run() -> None:
        # What happens is numbered by its own journal; the feed asks from its place on, as it is written.
        happened = 0
        store = BreakingStore(path)
        stream = KeptStream(store)
        for count, fate in steps:
            happened += count
            place = int(store.places().get("feed", "0"))
            store.breaks_before, store.breaks_after = fate == "before", fate == "after"
            try:
                await stream.publish([told(n) for n in range(place + 1, happened + 1)], {"feed": str(happened)})
            except StorageError:
                store.close()
                store = BreakingStore(path)
                stream = KeptStream(store)
        store.breaks_before = store.breaks_after = False
        place = int(store.places().get("feed", "0"))
        await stream.publish([told(n) for n in range(place + 1, happened + 1)], {"feed": str(happened)})
        found = await stream.follow({})
        assert found.events == [Event(n, told(n)) for n in range(1, happened + 1)]
        await stream.close()

    asyncio.run(run())


def test_news_that_come_together_are_written_together_and_each_publisher_waits_for_his_own(tmp_path: Path) -> None:
    class Counting(StreamStore):
        writes = 0

        def append(self, *parts: object) -> None:
            self.writes += 1
            super().append(*parts)  # type: ignore[arg-type]

    async def run() -> None:
        store = Counting(tmp_path / "s")
        stream = KeptStream(store)
        await asyncio.gather(*(stream.publish([told(n)]) for n in range(200)))
        found = await stream.follow({})
        assert sorted(event.news for event in found.events) == sorted(told(n) for n in range(200))
        assert [event.seq for event in found.events] == list(range(1, 201))
        assert store.writes <= 3
        await stream.close()

    asyncio.run(run())


def test_nothing_is_heard_that_is_not_on_disk_and_its_publisher_is_told(tmp_path: Path) -> None:
    async def run() -> None:
        store = BreakingStore(tmp_path / "s")
        stream = KeptStream(store)
        store.breaks_before = True
        with pytest.raises(StorageError):
            await stream.publish([told(1)])
        assert (await stream.follow({})).events == []
        store.breaks_before = False
        await stream.publish([told(1)])
        assert (await stream.follow({})).events == [Event(1, told(1))]
        await stream.close()

    asyncio.run(run())


def test_a_publisher_that_leaves_while_it_is_written_leaves_no_hole(tmp_path: Path) -> None:
    async def run() -> None:
        stream = KeptStream(StreamStore(tmp_path / "s"))
        leaving = asyncio.create_task(stream.publish([told(1)]))
        await asyncio.sleep(0)
        leaving.cancel()
        await stream.publish([told(2)])
        assert [event.seq for event in (await stream.follow({})).events] == [1, 2]
        await stream.close()

    asyncio.run(run())


def test_events_that_cannot_be_told_have_numbers_so_that_whoever_follows_hears_of_the_gap(tmp_path: Path) -> None:
    async def run() -> None:
        stream = KeptStream(StreamStore(tmp_path / "s"))
        await stream.publish([told(1)])
        await stream.publish([told(9)], {}, {Channel.ORDERS: 7})
        await stream.close()
        again = KeptStream(StreamStore(tmp_path / "s"))
        assert [event.seq for event in (await again.follow({Channel.ORDERS: 1}, "")).events] == [9]
        await again.close()

    asyncio.run(run())


def test_only_the_newest_events_stay_on_disk(tmp_path: Path) -> None:
    async def run() -> None:
        stream = KeptStream(StreamStore(tmp_path / "s", 10), 10)
        for block in range(5):
            await stream.publish([told(n) for n in range(6 * block, 6 * block + 6)])
        await stream.close()

    asyncio.run(run())
    with sqlite3.connect(tmp_path / "s") as file:
        assert file.execute("SELECT min(seq), max(seq), count(*) FROM events").fetchone() == (21, 30, 10)
    file.close()


def test_a_process_whose_file_another_has_taken_over_writes_nothing_more(tmp_path: Path) -> None:
    first = StreamStore(tmp_path / "s")
    second = StreamStore(tmp_path / "s")
    second.append([Event(1, told(1))], {"a": "1"})
    with pytest.raises(FencedError):
        first.append([Event(1, told(2))], {"a": "2"})
    assert second.events(Channel.ORDERS) == [Event(1, told(1))]
    assert second.places() == {"a": "1"}
    for store in (first, second):
        store.close()


def test_a_disk_that_fails_is_an_error_with_a_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = StreamStore(tmp_path / "s")

    def fails(*_: object) -> Callable[..., None]:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(store, "_write", fails)
    with pytest.raises(StorageError, match=r"disk is full\. Look at the disk"):
        store.append([Event(1, told(1))], {})
    store.close()


def test_whose_an_event_is_stays_with_it_and_a_file_from_before_has_events_of_nobody(tmp_path: Path) -> None:
    path = tmp_path / "s"
    own = news(Channel.JOBS, NOW, {"n": 2}, owner="ann")
    store = StreamStore(path)
    store.append([Event(1, told(1, Channel.JOBS))], {})
    store.close()
    connection = sqlite3.connect(path)
    connection.execute("ALTER TABLE events DROP COLUMN owner")
    connection.execute("PRAGMA user_version = 1")
    connection.close()
    upgraded = StreamStore(path)
    upgraded.append([Event(2, own)], {})
    upgraded.close()
    again = StreamStore(path)
    assert again.events(Channel.JOBS) == [Event(1, told(1, Channel.JOBS)), Event(2, own)]
    again.close()
