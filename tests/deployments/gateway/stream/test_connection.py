"""A connection alone, over a socket whose every moment the test decides."""

import asyncio
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from ray._private.worker import global_worker
from starlette.websockets import WebSocketState

from deployments.gateway.stream.connection import Connection, Pace
from deployments.gateway.stream.draining import Drain, is_stopping
from deployments.gateway.stream.hub import Hub
from deployments.gateway.stream.reading import Patience
from deployments.gateway.stream.seats import Seats
from nt_ray.access.roles import Principal, Role
from nt_ray.trader.event_stream import Channel, EventStream, news


class Everybody:
    """Lets in whoever comes."""

    def recall(self, headers: Mapping[str, str]) -> Principal:
        return Principal(id="ann", role=Role.USER, credential="key")

    def authenticate(self, headers: Mapping[str, str], address: str) -> Principal:
        raise NotImplementedError

    def authenticate_pair(self, key_id: str, secret: str, address: str) -> Principal:
        raise NotImplementedError


class Socket:
    """Gives what it was told to, and keeps what it is sent."""

    application_state = WebSocketState.CONNECTED

    def __init__(self) -> None:
        self.headers = {"x-api-key": "any"}
        self.said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.closed: list[tuple[int, str]] = []
        self.sent: list[dict[str, Any]] = []

    async def receive(self) -> dict[str, Any]:
        return await self.said.get()

    async def send_text(self, text: str) -> None:
        self.sent += json.loads(text)

    def say(self, **message: Any) -> None:
        self.said.put_nowait({"type": "websocket.receive", "text": json.dumps(message)})

    async def until(self, is_so: Callable[[list[dict[str, Any]]], bool]) -> None:
        async with asyncio.timeout(5.0):
            while not is_so(self.sent):
                await asyncio.sleep(0.001)

    async def close(self, code: int, reason: str) -> None:
        self.closed.append((code, reason))


def test_a_connection_that_ends_at_the_moment_it_has_something_to_say_ends() -> None:
    async def run() -> None:
        socket: Any = Socket()
        hub = Hub(EventStream())
        serving = asyncio.create_task(
            Connection(socket, hub, Everybody(), "127.0.0.1", Seats(1, 1), Pace()).run(),
        )
        with hub.follows(Connection(socket, hub, Everybody(), "127.0.0.1", Seats(1, 1), Pace())):
            await hub.shown()
            for _ in range(5):
                await asyncio.sleep(0)
            # The answer to the first wakes whoever speaks; the second ends the connection in the same moment.
            socket.said.put_nowait(
                {"type": "websocket.receive", "text": '{"action":"unsubscribe","channels":["bars"]}'}
            )
            socket.said.put_nowait({"type": "websocket.receive", "text": "nonsense"})
            async with asyncio.timeout(5.0):
                await serving
        ((code, reason),) = socket.closed
        assert code == 1008
        assert reason.startswith("invalid_message")

    asyncio.run(run())


def pings(sent: list[dict[str, Any]]) -> list[int]:
    return [message["number"] for message in sent if message["type"] == "ping"]


def test_a_client_is_asked_whether_he_has_read_and_who_does_not_answer_is_ended() -> None:
    async def run() -> None:
        socket, source = Socket(), EventStream()
        pace = Pace(look_s=0.01, reading=Patience(ask_s=0.02, answer_s=0.5))
        door: Any = socket
        serving = asyncio.create_task(
            Connection(door, Hub(source), Everybody(), "127.0.0.1", Seats(1, 1), pace, Drain(lambda: False)).run()
        )
        socket.say(action="subscribe", channels={"bars": {}})
        await socket.until(lambda sent: any(message["type"] == "subscribed" for message in sent))
        # Nothing was sent that could be read.
        await asyncio.sleep(0.05)
        assert pings(socket.sent) == []
        for number in range(3):
            source.publish([news(Channel.BARS, datetime.now(UTC), {"n": number})])
            await socket.until(lambda sent, count=number + 1: len(pings(sent)) == count)
            if number < 2:
                socket.say(action="pong", number=pings(socket.sent)[-1])
        assert pings(socket.sent) == [1, 2, 3]
        socket.say(action="pong", number=2)
        async with asyncio.timeout(5.0):
            await serving
        assert socket.closed == [(1008, "slow_consumer")]

    asyncio.run(run())


def test_everybody_is_told_when_the_replica_begins_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    replica = SimpleNamespace(_replica_impl=SimpleNamespace(_shutting_down=False))
    monkeypatch.setattr(global_worker, "actors", {"other": object(), "mine": replica})

    async def run() -> None:
        drain, hub = Drain(is_stopping, every_s=0.001), Hub(EventStream())
        sockets: list[Any] = [Socket() for _ in range(3)]
        serving = [
            asyncio.create_task(Connection(s, hub, Everybody(), "127.0.0.1", Seats(9, 9), Pace(), drain).run())
            for s in sockets
        ]
        for socket in sockets:
            await socket.until(bool)
        # One who leaves takes nothing from those who stay.
        sockets[0].said.put_nowait({"type": "websocket.disconnect"})
        await serving[0]
        replica._replica_impl._shutting_down = True
        async with asyncio.timeout(5.0):
            await asyncio.gather(*serving)
            late: Any = Socket()
            await Connection(late, hub, Everybody(), "127.0.0.1", Seats(9, 9), Pace(), drain).run()
        assert [socket.closed for socket in (*sockets, late)] == [[], *[[(1012, "replica_ends")]] * 3]

    asyncio.run(run())


def test_who_comes_at_the_moment_the_last_one_leaves_is_not_ended_with_him() -> None:
    async def run() -> None:
        begun = False
        drain = Drain(lambda: begun, every_s=0.001)
        for _ in range(3):
            last = asyncio.create_task(drain.begun())
            await asyncio.sleep(0)
            last.cancel()
            # His turn comes right after that of the one who leaves.
            staying = asyncio.create_task(drain.begun())
            await asyncio.sleep(0.01)
            assert last.cancelled()
            assert not staying.done()
            staying.cancel()
        begun = True
        async with asyncio.timeout(5.0):
            await drain.begun()

    asyncio.run(run())
