"""What happens on the platform, by channel and number, for those who follow it: a bounded log in memory.

Numbers of a channel grow from 1 without a gap; the newest `capacity` events are kept, and fewer where they are long:
memory has a bound. Whoever asks for what comes after a number gets every event from there on, or is told how many are
lost to him. A log that begins anew has another epoch: numbers of different epochs say nothing about each other.
`nt_ray.trader.kept_stream` keeps one on disk. An instance belongs to one event loop.
"""

import asyncio
import json
import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple

from nt_ray.errors import BadInputError

CAPACITY: Final = 10_000
"""Events of a channel that are kept."""
ROOM: Final = 1 << 23
"""Characters of a channel's data that are kept."""
MOST_AT_ONCE: Final = 5_000
"""Events of one answer."""
LARGEST_ANSWER: Final = 1 << 22
"""Characters of data after which an answer takes no more."""
LONGEST_DATA: Final = 1 << 16
"""Characters of one event's data."""
LONGEST_WAIT_S: Final = 30.0


class Channel(StrEnum):
    """What can be followed."""

    BARS = "bars"
    QUOTES = "quotes"
    DECISIONS = "decisions"
    ORDERS = "orders"
    FILLS = "fills"
    RISK = "risk"
    JOBS = "jobs"


class News(NamedTuple):
    """Something that happened; `symbol` and `account` are empty where it is about none. `data` is JSON text.

    `owner` is the user whom it is for, empty where it is for all.
    """

    channel: Channel
    time: str
    symbol: str
    account: str
    data: str
    owner: str = ""


class Event(NamedTuple):
    """News with its number in its channel."""

    seq: int
    news: News


class Slice(NamedTuple):
    """Events after a number; `lost` of those before the first of them are not kept."""

    events: list[Event]
    lost: int


class Followed(NamedTuple):
    """Events of all channels after the numbers asked with, each channel's in order; numbers are of this epoch.

    `more`: others are there already that did not fit.
    """

    epoch: str
    events: list[Event]
    more: bool = False


def news(
    channel: Channel, time: datetime, data: Mapping[str, Any], *, symbol: str = "", account: str = "", owner: str = ""
) -> News:
    """Write news down; data have to be JSON, of `LONGEST_DATA` characters at most."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    if len(text) > LONGEST_DATA:
        raise BadInputError(
            f"An event of {channel} has {len(text)} characters of data; {LONGEST_DATA} are allowed. Tell less in it."
        )
    return News(channel, time.isoformat(), symbol, account, text, owner)


class ChannelLog:
    """The newest events of one channel, by number."""

    def __init__(self, capacity: int = CAPACITY, room: int = ROOM) -> None:
        self._capacity = capacity
        self._room = room
        self._events: dict[int, Event] = {}
        self._held = 0
        self.last = 0

    @property
    def oldest(self) -> int:
        """Number of the oldest event that is kept; one more than the last where there is none."""
        return self.last + 1 - len(self._events)

    def append(self, told: News) -> Event:
        """Number news and keep them."""
        event = Event(self.last + 1, told)
        self.mirror(event)
        return event

    def mirror(self, event: Event) -> None:
        """Keep an event that another log has numbered; what lies between it and the last is lost here too."""
        if event.seq != self.last + 1:
            self._events.clear()
            self._held = 0
        self.last = event.seq
        self._events[event.seq] = event
        self._held += len(event.news.data)
        # The newest one is kept however long it is.
        while len(self._events) > self._capacity or (self._held > self._room and len(self._events) > 1):
            self._held -= len(self._events.pop(self.oldest).news.data)

    def after(self, seq: int, limit: int = MOST_AT_ONCE) -> Slice:
        """Events after a number, oldest first, at most `limit`."""
        first = max(seq + 1, self.oldest)
        found = [self._events[number] for number in range(first, min(self.last, first + limit - 1) + 1)]
        return Slice(found, max(0, self.oldest - 1 - seq))


class EventStream:
    """The logs of all channels."""

    def __init__(self, capacity: int = CAPACITY, epoch: str = "") -> None:
        self.epoch = epoch or secrets.token_hex(8)
        self.logs = {channel: ChannelLog(capacity) for channel in Channel}
        self._news = asyncio.Event()

    def publish(self, told: Iterable[News]) -> None:
        """Number news, keep them, and wake whoever waits."""
        self.take([self.logs[one.channel].append(one) for one in told])

    def take(self, events: Iterable[Event]) -> None:
        """Keep events that have their numbers, and wake whoever waits."""
        for event in events:
            log = self.logs[event.news.channel]
            if event.seq > log.last:
                log.mirror(event)
        waiting, self._news = self._news, asyncio.Event()
        waiting.set()

    async def follow(self, after: Mapping[Channel, int], epoch: str = "", wait_s: float = 0.0) -> Followed:
        """Events after a number in each channel, of `epoch` or else all; waits up to `wait_s` seconds for the first."""
        if epoch != self.epoch:
            after = {}
        loop = asyncio.get_running_loop()
        deadline = loop.time() + min(wait_s, LONGEST_WAIT_S)
        while True:
            found = self._after(after)
            left = deadline - loop.time()
            if found.events or left <= 0:
                return found
            waiting = self._news
            try:
                # Not `wait_for`: in Python 3.11 it may forget that it was cancelled.
                async with asyncio.timeout(left):
                    await waiting.wait()
            except TimeoutError:
                continue

    def _after(self, after: Mapping[Channel, int]) -> Followed:
        """As many events as one answer takes."""
        found: list[Event] = []
        room = LARGEST_ANSWER
        for channel, log in self.logs.items():
            for event in log.after(after.get(channel, 0), MOST_AT_ONCE).events:
                if len(found) >= MOST_AT_ONCE or room <= 0:
                    return Followed(self.epoch, found, more=True)
                found.append(event)
                room -= len(event.news.data)
        return Followed(self.epoch, found)
