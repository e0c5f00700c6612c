"""What no listener can do: take all seats, talk without end, or hold its connection open without reading."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.websockets import WebSocket
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from deployments.gateway.alpaca import stream as door
from deployments.gateway.stream.seats import Seats
from nt_ray.access.roles import Role, Scope
from nt_ray.errors import ServiceError

WITHIN_S = 60.0
FULL = {"stream": "error", "data": {"code": 406, "error": "connection limit exceeded"}}


@dataclass
class Crowd:
    """Clients of a gateway whose seats can be counted on the fingers."""

    desk: Any
    seats: Seats
    stack: ExitStack = field(default_factory=ExitStack)

    def comes(self, pair: tuple[str, str] | None = None) -> ClientConnection:
        socket = self.stack.enter_context(connect("ws" + self.desk.url.removeprefix("http") + "/stream"))
        if pair is not None:
            socket.send(json.dumps({"action": "auth", "key": pair[0], "secret": pair[1]}))
        return socket

    def is_in(self, pair: tuple[str, str]) -> bool:
        told = json.loads(self.comes(pair).recv(WITHIN_S))
        return bool(told["data"].get("status") == "authorized")


@pytest.fixture
def crowd(shared_desk: Any) -> Iterator[Crowd]:
    made = Crowd(shared_desk, shared_desk.seats)
    until(lambda: not made.seats._taken)
    with made.stack:
        yield made


def until(is_so: Callable[[], Any]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def closed(socket: ClientConnection) -> tuple[int, str]:
    while True:
        try:
            socket.recv(WITHIN_S)
        except ConnectionClosed as end:
            return (end.rcvd.code, end.rcvd.reason) if end.rcvd else (0, "")


def test_a_user_has_so_many_seats_by_whichever_key_and_others_theirs(
    crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crowd.seats, "of_user", 2)
    desk, name = crowd.desk, f"user-{len(crowd.desk.gatekeeper.users.all())}"
    reads = {"scopes": frozenset({Scope.TRADING_READ}), "accounts": frozenset({"paper"})}
    first = desk.new_key(Role.READ_ONLY, **reads)
    made = desk.gatekeeper.keys.add(name, label="second", **reads)
    second = (made.key.id, made.secret)
    sockets = [crowd.comes(pair) for pair in (first, second)]
    assert [json.loads(socket.recv(WITHIN_S))["data"]["status"] for socket in sockets] == ["authorized"] * 2
    more = crowd.comes(second)
    assert json.loads(more.recv(WITHIN_S)) == FULL
    assert closed(more) == (1013, "connection limit exceeded")
    assert crowd.is_in((desk.key, desk.secret))
    sockets[0].close()
    until(lambda: crowd.is_in(first))


def test_the_official_client_that_finds_no_seat_comes_again_by_itself(
    crowd: Crowd, hear_trades: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crowd.seats, "of_user", 1)
    pair = crowd.desk.new_key(accounts=frozenset({"paper"}))
    first = crowd.comes(pair)
    assert json.loads(first.recv(WITHIN_S))["data"]["status"] == "authorized"
    leaving = threading.Timer(0.3, first.close)
    leaving.start()
    with hear_trades(crowd.desk.url, *pair):
        assert leaving.finished.is_set()


@pytest.mark.parametrize("bound", ["of_address", "in_all"])
def test_strangers_who_say_nothing_take_so_many_seats_and_no_more(
    crowd: Crowd, bound: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crowd.seats, bound, 3)
    for _ in range(3):
        crowd.comes()
    until(lambda: sum(crowd.seats._taken.values()) == 6)
    more = crowd.comes()
    assert json.loads(more.recv(WITHIN_S)) == FULL
    assert closed(more) == (1013, "connection limit exceeded")


def test_whoever_talks_without_end_is_ended(crowd: Crowd) -> None:
    socket = crowd.comes((crowd.desk.key, crowd.desk.secret))
    for _ in range(100):
        socket.send(json.dumps({"action": "listen", "data": {"streams": []}}))
    assert closed(socket) == (1008, "too_many_messages")


class Refusing:
    """Lets nobody in."""

    def authenticate_pair(self, *_: str) -> Any:
        raise ServiceError("not asked")


def test_whoever_does_not_take_his_answers_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "SEND_S", 0.05)
    monkeypatch.setattr(door, "CLOSE_S", 0.05)
    seats, sent = Seats(1, 1), []
    said = iter([{"type": "websocket.connect"}])

    async def receive() -> Any:
        return next(said, {"type": "websocket.receive", "text": '{"action": "auth", "key": "k", "secret": "s"}'})

    async def send(message: Any) -> None:
        sent.append(message["type"])
        if message["type"] != "websocket.accept":
            await asyncio.Event().wait()

    async def serve() -> None:
        scope = {"type": "websocket", "path": "/stream", "headers": [], "state": {"address": "127.0.0.1"}}
        route = door.stream(None, Refusing(), seats)  # type: ignore[arg-type]
        socket = WebSocket(scope, receive, send)
        async with asyncio.timeout(WITHIN_S):
            await route.endpoint(socket)

    asyncio.run(serve())
    assert sent == ["websocket.accept", "websocket.send", "websocket.close"]
    assert not seats._taken
