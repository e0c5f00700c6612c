"""A replica's copy of the stream: one question to the source at a time, however many clients follow.

Clients read from the copy at their own pace, each with its own place in it, so nobody waits for anybody. One that has
fallen further behind than `most_behind` events is dropped, and told why. The copy fills when the first client comes and
is given up a while after the last one has left, so clients that come and go ask the source for nothing. An instance
belongs to one event loop.
"""

import asyncio
import contextlib
import json
import logging
from collections.abc import Iterator
from typing import Final, Protocol

from deployments.gateway.backend.stream import Source
from nt_ray.errors import NeuralTraderError
from nt_ray.trader.event_stream import Channel, ChannelLog, Event

MOST_BEHIND: Final = 5_000
SLOW: Final = "slow_consumer"
WAIT_S: Final = 15.0
PAUSE_S: Final = 0.5
REST_AFTER_S: Final = 30.0
"""Seconds without a client after which the copy is given up."""

_log = logging.getLogger(__name__)


class Follower(Protocol):
    """A client of the hub."""

    def wake(self) -> None:
        """Look at the copy: there is more in it, or it is another one."""
        ...

    def behind(self) -> int:
        """Return how many events since it came it has not been sent yet, in the channel where that is most."""
        ...

    def drop(self, reason: str, code: int = 1008) -> None:
        """End it, with a code of WebSocket."""
        ...


class Copy:
    """The logs of one epoch; the data of each event are the whole text that clients get, written once for all."""

    def __init__(self, epoch: str) -> None:
        self.epoch = epoch
        self.logs = {channel: ChannelLog() for channel in Channel}

    def take(self, event: Event) -> None:
        """Keep an event."""
        self.logs[event.news.channel].mirror(Event(event.seq, event.news._replace(data=_text(event))))


class Hub:
    """The copy, and who reads it."""

    def __init__(self, source: Source, most_behind: int = MOST_BEHIND, rest_after_s: float = REST_AFTER_S) -> None:
        self._source = source
        self._most_behind = most_behind
        self._rest_after_s = rest_after_s
        self._followers: set[Follower] = set()
        self._pump: asyncio.Task[None] | None = None
        self._resting: asyncio.TimerHandle | None = None
        self._shown = asyncio.Event()
        self.copy: Copy | None = None
        """None until it is whole, as far as the source keeps events."""

    @contextlib.contextmanager
    def follows(self, follower: Follower) -> Iterator[None]:
        """Have a follower for the length of a block."""
        self._followers.add(follower)
        if self._resting is not None:
            self._resting.cancel()
            self._resting = None
        if self._pump is None:
            self._pump = asyncio.get_running_loop().create_task(self._run())
            self._pump.add_done_callback(self._broken)
        try:
            yield
        finally:
            self._followers.discard(follower)
            if not self._followers:
                self._resting = asyncio.get_running_loop().call_later(self._rest_after_s, self._rest)

    async def shown(self) -> Copy:
        """Return the copy, once it is whole."""
        while self.copy is None:
            await self._shown.wait()
        return self.copy

    def _rest(self) -> None:
        """Give the copy up."""
        self._resting = None
        if self._pump is not None:
            self._pump.cancel()
        self._pump, self.copy = None, None
        self._shown.clear()

    def _broken(self, pump: asyncio.Task[None]) -> None:
        """End every client where the copy broke off for a reason that nobody foresaw: the next one begins anew."""
        if pump.cancelled() or pump is not self._pump:
            return
        _log.error("The copy of the stream broke off", exc_info=pump.exception())
        self._pump, self.copy = None, None
        self._shown.clear()
        for follower in list(self._followers):
            follower.drop("internal", 1011)

    async def _run(self) -> None:
        copy: Copy | None = None
        while True:
            after = {} if copy is None else {channel: own.last for channel, own in copy.logs.items()}
            is_shown = copy is not None and self.copy is copy
            try:
                found = await self._source.follow(after, copy.epoch if copy else "", WAIT_S if is_shown else 0.0)
            except NeuralTraderError as error:
                _log.warning("The stream cannot be followed: %s", error)
                await asyncio.sleep(PAUSE_S)
                continue
            if copy is None or found.epoch != copy.epoch:
                copy, is_shown = Copy(found.epoch), False
            for event in found.events:
                copy.take(event)
            # A copy that is still being filled is shown once it is whole.
            if is_shown or not found.more:
                self._show(copy)

    def _show(self, copy: Copy) -> None:
        self.copy = copy
        self._shown.set()
        for follower in list(self._followers):
            if follower.behind() > self._most_behind:
                follower.drop(SLOW)
            else:
                follower.wake()


def _text(event: Event) -> str:
    """Write an event as clients get it; its data are JSON already."""
    seq, (channel, time, symbol, account, data, _) = event
    return (
        f'{{"type":"event","channel":"{channel}","seq":{seq},"time":{json.dumps(time)},"symbol":{json.dumps(symbol)},'
        f'"account":{json.dumps(account)},"data":{data}}}'
    )
