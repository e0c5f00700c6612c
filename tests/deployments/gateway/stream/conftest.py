"""The stream's route behind the gateway's own middleware, on a free port, with keys of several roles."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from deployments.gateway.middleware.identity import Identity
from deployments.gateway.stream.connection import Pace
from deployments.gateway.stream.route import PATH, stream
from deployments.gateway.stream.seats import Seats
from nt_ray.access.gatekeeper import Gatekeeper, open_gatekeeper
from nt_ray.access.limits import open_limits
from nt_ray.access.roles import Role
from nt_ray.config import Access

MOST_BEHIND = 2_000
OF_ADDRESS, OF_USER = 40, 6


class Time:
    """A clock that a test sets forward."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass
class House:
    """The route as it listens, and what stands behind it."""

    url: str
    gatekeeper: Gatekeeper
    source: Any
    clock: Time
    keys: dict[str, str] = field(default_factory=dict)

    def new_user(self, role: Role = Role.USER, **more: Any) -> str:
        name = f"u{len(self.keys)}"
        self.gatekeeper.users.add(name, role, **more)
        self.keys[name] = self.gatekeeper.keys.add(name).text
        return name


class Client:
    """A client that keeps what it was told, and says that it has read it."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.messages: list[dict[str, Any]] = []
        self.confirms = True

    def say(self, **message: Any) -> None:
        self.socket.send(json.dumps(message))

    def until(self, is_there: Callable[[list[dict[str, Any]]], bool], timeout: float = 10.0) -> None:
        deadline = time.monotonic() + timeout
        while not is_there(self.messages):
            self.hear(deadline - time.monotonic())

    def hear(self, timeout: float) -> None:
        found = json.loads(self.socket.recv(timeout=timeout))
        self.messages += found
        for message in found:
            if message["type"] == "ping" and self.confirms:
                self.say(action="pong", number=message["number"])

    def subscribe(self, channels: dict[str, Any], epoch: str = "") -> dict[str, Any]:
        count = len(self.kinds("subscribed"))
        self.say(action="subscribe", channels=channels, epoch=epoch)
        self.until(lambda _: len(self.kinds("subscribed")) > count)
        return self.kinds("subscribed")[-1]

    def kinds(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["type"] == kind]

    def events(self) -> list[dict[str, Any]]:
        return self.kinds("event")

    def close_reason(self, timeout: float = 10.0) -> tuple[int, str]:
        try:
            while True:
                self.hear(timeout)
        except ConnectionClosed as closed:
            end = closed.rcvd
        assert end is not None
        return end.code, end.reason


Connect = Callable[..., Any]


@pytest.fixture(scope="session")
def client_of() -> Connect:
    """Connect to a house, as somebody or as nobody."""

    @contextmanager
    def connected(house: House, who: str | None = "admin", **options: Any) -> Iterator[Client]:
        headers = {} if who is None else {"X-API-Key": house.keys[who]}
        with connect(house.url, additional_headers=headers, compression=None, **options) as socket:
            yield Client(socket)

    return connected


PACE = Pace(look_s=0.1, send_s=0.5, close_s=30.0)
"""A busy machine may come late to reading why a connection ended."""


@pytest.fixture(scope="package")
def house(new_source: Callable[[], Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    limits = {"address_per_minute": 1_000_000, "per_minute": 1_000_000, "block_after": 100_000}
    access = Access(folder=tmp_path_factory.mktemp("access"), password_memory_mb=1, password_passes=1, **limits)
    clock, source = Time(), new_source()
    gatekeeper = open_gatekeeper(access, clock)
    route = stream(source, gatekeeper, MOST_BEHIND, Seats(OF_ADDRESS, OF_USER), PACE)
    guard = Middleware(Identity, gatekeeper=gatekeeper, limits=open_limits(access))
    server = uvicorn.Server(
        uvicorn.Config(Starlette(routes=[route], middleware=[guard]), host="127.0.0.1", port=0, log_level="error")
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    built = House(f"ws://127.0.0.1:{port}{PATH}", gatekeeper, source, clock)
    for name, role in {"reader": Role.READ_ONLY, "ann": Role.USER, "admin": Role.ADMIN}.items():
        gatekeeper.users.add(name, role)
        built.keys[name] = gatekeeper.keys.add(name).text
    yield built
    server.should_exit = True
    thread.join(10)
    gatekeeper.close()
