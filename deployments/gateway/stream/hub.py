"""A replica's copy of the stream: one question to the source at a time, however many clients follow.

Clients read from the copy at their own pace, each with its own place in it, so nobody waits for anybody. One that has
fallen further behind than `most_behind` events is dropped, and told why. The copy fills when the first client comes and
is given up when the last one has left. An instance belongs to one event loop.
"""

import asyncio
import contextlib
import logging
from collections.abc import Iterator
from typing import Final, Protocol

from deployments.gateway.backend.stream import Source
from nt_ray.errors import NeuralTraderError
from nt_ray.trader.event_stream import CAPACITY, Channel, ChannelLog, Event

MOST_BEHIND: Final = 5_000
WAIT_S: Final = 15.0
PAUSE_S: Final = 0.5

log = logging.getLogger(__name__)


class Follower(Protocol):
    """A client of the hub."""

    def wake(self) -> None:
        """Look at the copy: there is more in it, or it is another one."""
        ...

    def behind(self) -> int:
        """Return how many events it has not been sent yet, in the channel where that is most."""
        ...

    def drop(self, reason: str) -> None:
        """End it."""
        ...


class Copy:
    """The logs of one epoch, with each event as the text that clients get."""

    def __init__(self, epoch: str) -> None:
        self.epoch = epoch
        self.logs = {channel: ChannelLog() for channel in Channel}
        self.texts: dict[Channel, dict[int, str]] = {channel: {} for channel in Channel}

    def take(self, event: Event) -> None:
        """Keep an event."""
        channel = event.news.channel
        texts = self.texts[channel]
        self.logs[channel].mirror(event)
        texts[event.seq] = _text(event)
        texts.pop(event.seq - CAPACITY, None)


class Hub:
    """The copy, and who reads it."""

    def __init__(self, source: Source, most_behind: int = MOST_BEHIND) -> None:
        self._source = source
        self._most_behind = most_behind
        self._followers: set[Follower] = set()
        self._pump: asyncio.Task[None] | None = None
        self.copy: Copy | None = None
        """None until it is whole, as far as the source keeps events."""

    @contextlib.contextmanager
    def follows(self, follower: Follower) -> Iterator[None]:
        """Have a follower for the length of a block."""
        self._followers.add(follower)
        if self._pump is None:
            self._pump = asyncio.get_running_loop().create_task(self._run())
        try:
            yield
        finally:
            self._followers.discard(follower)
            if not self._followers and self._pump is not None:
                self._pump.cancel()
                self._pump, self.copy = None, None

    async def _run(self) -> None:
        copy: Copy | None = None
        while True:
            after = {} if copy is None else {channel: own.last for channel, own in copy.logs.items()}
            is_shown = copy is not None and self.copy is copy
            try:
                found = await self._source.follow(after, copy.epoch if copy else "", WAIT_S if is_shown else 0.0)
            except NeuralTraderError as error:
                log.warning("The stream cannot be followed: %s", error)
                await asyncio.sleep(PAUSE_S)
                continue
            if copy is None or found.epoch != copy.epoch:
                copy, is_shown = Copy(found.epoch), False
            for event in found.events:
                copy.take(event)
            # A copy that is still being filled is shown once it is whole.
            if is_shown or not found.events:
                self._show(copy)

    def _show(self, copy: Copy) -> None:
        self.copy = copy
        for follower in list(self._followers):
            if follower.behind() > self._most_behind:
                follower.drop("slow_consumer")
            else:
                follower.wake()


def _text(event: Event) -> str:
    """Write an event once for all clients; no part but the data holds a character that JSON escapes."""
    seq, (channel, time, symbol, account, data) = event
    return (
        f'{{"type":"event","channel":"{channel}","seq":{seq},"time":"{time}","symbol":"{symbol}",'
        f'"account":"{account}","data":{data}}}'
    )
