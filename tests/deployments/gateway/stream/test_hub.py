"""A replica's copy: one question at a time, given up a while after the last client, begun anew where it broke off."""

import asyncio
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime

from deployments.gateway.stream.hub import Hub
from nt_ray.trader.event_stream import Channel, EventStream, Followed, news

NOW = datetime(2026, 1, 2, tzinfo=UTC)


class Follower:
    def __init__(self) -> None:
        self.dropped: list[tuple[str, int]] = []

    def wake(self) -> None:
        return

    def behind(self) -> int:
        return 0

    def drop(self, reason: str, code: int = 1008) -> None:
        self.dropped.append((reason, code))


class Source:
    """An event stream that counts who asks."""

    def __init__(self) -> None:
        self.stream = EventStream()
        self.asked = self.at_once = self.most_at_once = 0
        self.breaks = False

    async def follow(self, after: Mapping[Channel, int], epoch: str = "", wait_s: float = 0.0) -> Followed:
        self.asked += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if self.breaks:
                raise RuntimeError("nobody foresaw this")
            return await self.stream.follow(after, epoch, wait_s)
        finally:
            self.at_once -= 1


def test_any_number_of_clients_that_come_and_go_ask_the_source_once() -> None:
    async def run() -> None:
        source = Source()
        hub = Hub(source, rest_after_s=5.0)
        for _ in range(200):
            with ExitStack() as stack:
                for _ in range(5):
                    stack.enter_context(hub.follows(Follower()))
                await hub.shown()
        # Filling it, and waiting for what comes.
        assert source.asked <= 2
        assert source.most_at_once == 1

    asyncio.run(run())


def test_a_copy_that_nobody_reads_is_given_up_and_filled_again_for_the_next_client() -> None:
    async def run() -> None:
        source = Source()
        hub = Hub(source, rest_after_s=0.01)
        with hub.follows(Follower()):
            await hub.shown()
        await asyncio.sleep(0.05)
        assert hub.copy is None
        assert source.at_once == 0
        source.stream.publish([news(Channel.JOBS, NOW, {})])
        with hub.follows(Follower()):
            assert (await hub.shown()).logs[Channel.JOBS].last == 1

    asyncio.run(run())


def test_a_copy_is_shown_while_its_source_never_falls_silent() -> None:
    class Busy(Source):
        async def follow(self, after: Mapping[Channel, int], epoch: str = "", wait_s: float = 0.0) -> Followed:
            # Whenever it is asked there is something new.
            self.stream.publish([news(Channel.QUOTES, NOW, {})])
            await asyncio.sleep(0)
            return await super().follow(after, epoch, wait_s)

    async def run() -> None:
        hub = Hub(Busy())
        with hub.follows(Follower()):
            await asyncio.wait_for(hub.shown(), 5.0)

    asyncio.run(run())


def test_a_long_past_is_copied_in_parts_and_shown_whole() -> None:
    async def run() -> None:
        source = Source()
        source.stream.publish(news(Channel.RISK, NOW, {"pad": "x" * 50_000, "n": n}) for n in range(150))
        hub = Hub(source)
        with hub.follows(Follower()):
            copy = await hub.shown()
        kept = source.stream.logs[Channel.RISK]
        assert (copy.logs[Channel.RISK].last, copy.logs[Channel.RISK].oldest) == (kept.last, kept.oldest)
        assert source.asked >= 2

    asyncio.run(run())


def test_a_copy_that_breaks_off_ends_its_clients_and_is_begun_anew_for_the_next() -> None:
    async def run() -> None:
        source = Source()
        hub = Hub(source)
        first, second = Follower(), Follower()
        with hub.follows(first):
            source.breaks = True
            while not first.dropped:
                await asyncio.sleep(0)
            assert first.dropped == [("internal", 1011)]
        source.breaks = False
        with hub.follows(second):
            await asyncio.wait_for(hub.shown(), 5.0)
            assert second.dropped == []

    asyncio.run(run())
