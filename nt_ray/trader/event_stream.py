"""What happens on the platform, by channel and number, for those who follow it: a bounded log in memory.

Numbers of a channel grow from 1 without a gap; the newest `capacity` events are kept. Whoever asks for what comes after
a number gets every event from there on, or is told how many are lost to him. A log that begins anew (its process died)
has another epoch: numbers of different epochs say nothing about each other. An instance belongs to one event loop.
"""

import asyncio
import json
import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple

CAPACITY: Final = 10_000
"""Events of a channel that are kept."""
MOST_AT_ONCE: Final = 5_000
"""Events of one answer."""
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
    """Something that happened; `symbol` and `account` are empty where it is about none. `data` is JSON text."""

    channel: Channel
    time: str
    symbol: str
    account: str
    data: str


class Event(NamedTuple):
    """News with its number in its channel."""

    seq: int
    news: News


class Slice(NamedTuple):
    """Events after a number; `lost` of those before the first of them are not kept."""

    events: list[Event]
    lost: int


class Followed(NamedTuple):
    """Events of all channels after the numbers asked with, each channel's in order; numbers are of this epoch."""

    epoch: str
    events: list[Event]


def news(channel: Channel, time: datetime, data: Mapping[str, Any], *, symbol: str = "", account: str = "") -> News:
    """Write news down; data have to be JSON."""
    return News(channel, time.isoformat(), symbol, account, json.dumps(data, allow_nan=False, separators=(",", ":")))


class ChannelLog:
    """The newest events of one channel, by number."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._events: dict[int, Event] = {}
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
        self.last = event.seq
        self._events[event.seq] = event
        self._events.pop(event.seq - self._capacity, None)

    def after(self, seq: int, limit: int = MOST_AT_ONCE) -> Slice:
        """Events after a number, oldest first, at most `limit`."""
        first = max(seq + 1, self.oldest)
        found = [self._events[number] for number in range(first, min(self.last, first + limit - 1) + 1)]
        return Slice(found, max(0, self.oldest - 1 - seq))


class EventStream:
    """The logs of all channels."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self.epoch = secrets.token_hex(8)
        self.logs = {channel: ChannelLog(capacity) for channel in Channel}
        self._news = asyncio.Event()

    def publish(self, told: Iterable[News]) -> None:
        """Number news, keep them, and wake whoever waits."""
        for one in told:
            self.logs[one.channel].append(one)
        waiting, self._news = self._news, asyncio.Event()
        waiting.set()

    async def follow(self, after: Mapping[Channel, int], epoch: str = "", wait_s: float = 0.0) -> Followed:
        """Events after a number in each channel, of `epoch` or else all; waits up to `wait_s` seconds for the first."""
        if epoch != self.epoch:
            after = {}
        loop = asyncio.get_running_loop()
        deadline = loop.time() + min(wait_s, LONGEST_WAIT_S)
        while True:
            found: list[Event] = []
            for channel, log in self.logs.items():
                found += log.after(after.get(channel, 0), MOST_AT_ONCE - len(found)).events
            left = deadline - loop.time()
            if found or left <= 0:
                return Followed(self.epoch, found)
            waiting = self._news
            try:
                await asyncio.wait_for(waiting.wait(), left)
            except TimeoutError:
                continue
