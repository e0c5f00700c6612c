"""Numbers of the stream: none missing, none twice, and what is lost is said."""

import asyncio
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nt_ray.errors import BadInputError
from nt_ray.trader.event_stream import Channel, ChannelLog, Event, EventStream, News, news

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def told(number: int, channel: Channel = Channel.ORDERS) -> News:
    return news(channel, NOW, {"n": number}, symbol="AAPL")


@settings(max_examples=200)
@given(st.integers(1, 20), st.integers(0, 60), st.integers(0, 70), st.integers(1, 80))
def test_after_a_number_comes_every_event_that_is_kept_and_the_rest_is_counted(
    capacity: int, published: int, seq: int, limit: int
) -> None:
    log = ChannelLog(capacity)
    for number in range(1, published + 1):
        assert log.append(told(number)).seq == number
    events, lost = log.after(seq, limit)
    # The oracle keeps everything.
    wanted = [n for n in range(1, published + 1) if n > seq]
    kept = [n for n in wanted if n > published - capacity]
    assert [event.seq for event in events] == kept[:limit]
    assert lost == len(wanted) - len(kept)
    assert all(event.news == told(event.seq) for event in events)


@settings(max_examples=100)
@given(st.lists(st.integers(1, 12), max_size=30), st.integers(1, 10), st.integers(1, 6))
def test_a_reader_that_goes_on_from_its_last_number_sees_each_event_once(
    batches: list[int], capacity: int, limit: int
) -> None:
    log, seen, place, missed, count = ChannelLog(capacity), [], 0, 0, 0
    for batch in batches:
        for _ in range(batch):
            count += 1
            log.append(told(count))
        events, lost = log.after(place, limit)
        missed += lost
        seen += [event.seq for event in events]
        place = seen[-1]
    while (found := log.after(place, limit)).events:
        missed += found.lost
        seen += [event.seq for event in found.events]
        place = seen[-1]
    assert seen == sorted(set(seen))
    assert len(seen) + missed == count


def test_a_copy_that_has_missed_events_of_its_source_says_they_are_lost() -> None:
    copy = ChannelLog()
    copy.mirror(Event(1, told(1)))
    copy.mirror(Event(5, told(5)))
    events, lost = copy.after(1)
    assert ([event.seq for event in events], lost) == ([5], 3)


def test_whoever_waits_is_told_at_once_and_others_wait_on() -> None:
    async def run() -> None:
        stream = EventStream()
        first = await stream.follow({})
        assert first.events == []
        waiting = asyncio.create_task(stream.follow({Channel.ORDERS: 0}, first.epoch, 5.0))
        ahead = asyncio.create_task(stream.follow({Channel.ORDERS: 1}, first.epoch, 0.05))
        await asyncio.sleep(0)
        stream.publish([told(1)])
        assert [event.seq for event in (await waiting).events] == [1]
        assert (await ahead).events == []

    asyncio.run(run())


def test_numbers_of_another_epoch_mean_nothing_and_everything_kept_is_given() -> None:
    async def run() -> None:
        stream = EventStream()
        stream.publish([told(1), told(2, Channel.JOBS)])
        found = await stream.follow({Channel.ORDERS: 99}, "of-before")
        assert {(event.news.channel, event.seq) for event in found.events} == {(Channel.ORDERS, 1), (Channel.JOBS, 1)}
        assert (await stream.follow({Channel.ORDERS: 1, Channel.JOBS: 1}, stream.epoch)).events == []

    asyncio.run(run())


def test_what_is_no_json_is_not_published() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        news(Channel.RISK, NOW, {"equity": float("nan")})


@settings(max_examples=100)
@given(st.lists(st.integers(0, 60), max_size=40), st.integers(1, 20), st.integers(1, 200))
def test_a_log_holds_no_more_characters_than_it_has_room_for(sizes: list[int], capacity: int, room: int) -> None:
    log, texts = ChannelLog(capacity, room), []
    for number, size in enumerate(sizes, 1):
        texts.append("x" * size)
        log.append(News(Channel.RISK, "", "", "", texts[-1]))
        kept = [event.seq for event in log.after(0, 1000).events]
        # The oracle: the longest end of the list that fits, and the newest event in any case.
        fits = [n for n in range(number, 0, -1) if number - n < capacity and sum(map(len, texts[n - 1 :])) <= room]
        assert kept == sorted(fits or [number])
        assert log.oldest == kept[0]


def test_an_answer_that_leaves_something_out_says_so() -> None:
    async def run() -> None:
        stream = EventStream()
        stream.publish(news(Channel.RISK, NOW, {"pad": "x" * 60_000}) for _ in range(100))
        stream.publish([told(1, Channel.JOBS)])
        after, heard, answers = {}, [], 0
        while (found := await stream.follow(after, stream.epoch)).more:
            heard += found.events
            after = {event.news.channel: event.seq for event in heard}
            answers += 1
            assert sum(len(event.news.data) for event in found.events) < 5_000_000
        heard += found.events
        assert answers == 1
        assert [(e.news.channel, e.seq) for e in heard] == [*((Channel.RISK, n) for n in range(1, 101)), ("jobs", 1)]

    asyncio.run(run())


def test_an_event_that_is_too_long_is_refused() -> None:
    with pytest.raises(BadInputError, match="65536 are allowed"):
        news(Channel.RISK, NOW, {"pad": "x" * 70_000})


def test_whoever_leaves_at_the_moment_of_news_has_left() -> None:
    async def run() -> None:
        stream = EventStream()
        waiting = asyncio.create_task(stream.follow({}, stream.epoch, 5.0))
        await asyncio.sleep(0)
        stream.publish([told(1)])
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(run())
