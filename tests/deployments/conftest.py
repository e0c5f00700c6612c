"""What tests of all doors stand on: Ray Serve, and an event stream that a test tells what happens.

Ray Serve is imported once here: its own classes use what pydantic has since deprecated, and say so.
"""

import asyncio
import os
import random
import socket
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

import httpx
import pytest

from nt_ray.trader.event_stream import Channel, EventStream, Followed, News

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import ray.serve  # noqa: F401

KEPT = 5_000
PATIENCE_S = 60.0


@pytest.fixture(autouse=True, scope="package")
def patient_clients() -> Iterator[None]:
    """Clients that name no time of their own wait longer than five seconds: the machine may be busy with much else."""
    with pytest.MonkeyPatch.context() as patch:
        for part in ("connect", "read", "write", "pool"):
            patch.setattr(httpx._config.DEFAULT_TIMEOUT_CONFIG, part, PATIENCE_S)
        yield


class Told:
    """An event stream that a test tells what has happened, from another thread than the server's."""

    def __init__(self) -> None:
        self.stream: EventStream | None = None
        self.loop: asyncio.AbstractEventLoop | None = None
        self.early: list[News] = []

    async def follow(self, after: Mapping[Channel, int], epoch: str = "", wait_s: float = 0.0) -> Followed:
        if self.stream is None:
            self.stream, self.loop = EventStream(KEPT), asyncio.get_running_loop()
            self.stream.publish(self.early)
        return await self.stream.follow(after, epoch, min(wait_s, 0.2))

    def publish(self, *told: News) -> None:
        if self.loop is None or self.stream is None:
            self.early += told
        else:
            self.loop.call_soon_threadsafe(lambda: self.stream.publish(told))

    def restart(self) -> None:
        """Begin another epoch."""
        self.stream, self.early = None, []


@pytest.fixture(scope="session")
def new_source() -> Callable[[], Told]:
    return Told


@dataclass(frozen=True)
class Room:
    """Ports for a Ray Serve of its own in throughput mode: a door's and that of HAProxy's figures; its environment."""

    port: int
    stats: int
    environment: Mapping[str, str]


@pytest.fixture(scope="session")
def new_room() -> Callable[[], Room]:
    return make_room


def make_room() -> Room:
    with ExitStack() as opened:
        port, stats, metrics = (opened.enter_context(bound()).getsockname()[1] for _ in range(3))
    own = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    own |= {"RAY_SERVE_HAPROXY_STATS_PORT": str(stats), "RAY_SERVE_HAPROXY_METRICS_PORT": str(metrics)}
    own |= {"RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "0", "RAY_memory_monitor_refresh_ms": "0"}
    return Room(port, stats, own | {"TMPDIR": "/tmp"})  # sockets need short paths


def bound() -> socket.socket:
    """Socket at a port that no outgoing connection gets, since these have those above 32,768."""
    while True:
        found = socket.socket()
        try:
            found.bind(("127.0.0.1", random.randint(20_000, 32_000)))
        except OSError:
            found.close()
        else:
            return found
