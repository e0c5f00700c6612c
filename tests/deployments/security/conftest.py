"""The whole gateway in memory, before accounts and jobs that answer nothing: whoever gets as far as them is let in."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import httpx
import pytest
from fastapi import FastAPI

from deployments.gateway.assembly import assemble
from deployments.gateway.backend.accounts import AccountDoor
from deployments.gateway.backend.cluster import ClusterFacts
from deployments.gateway.backend.platform import Parts
from deployments.gateway.platform import models
from nt_ray.access.gatekeeper import Gatekeeper, open_gatekeeper
from nt_ray.access.roles import Role, Scope
from nt_ray.config import Settings, load_settings
from nt_ray.errors import BadInputError, NeuralTraderError
from nt_ray.trader.event_stream import Channel, EventStream, Followed
from nt_ray.trader.jobs.job import Job, NoJobError, State

T = TypeVar("T")

FAR = "192.0.2.7"
"""Address of a caller who is not on this machine."""


class AwayError(NeuralTraderError):
    """What whoever is let in finds."""

    code = "away"
    status = 409


def away(*_: object, **__: object) -> Any:
    raise AwayError("Nobody is here. Come back later.")


class Accounts:
    async def names(self) -> list[str]:
        return ["other", "paper"]

    def account(self, name: str) -> AccountDoor:
        async def call(method: str, *arguments: object) -> Any:
            return away(method, arguments)

        return AccountDoor(name, call)


class Jobs:
    """Knows the job `backtest-0000000000000001` and the swarm `run-0000000000000001`, of bob's, and takes no other."""

    def __init__(self) -> None:
        self.cancelled: list[str] = []

    async def find(self, job: str) -> Job:
        kind, _, number = job.partition("-")
        if kind not in ("backtest", "run") or number != "0000000000000001":
            raise NoJobError(job)
        rest: dict[str, Any] = {"number": 1, "id": job, "kind": kind, "owner": "bob", "state": State.RUNNING}
        rest |= dict.fromkeys(("created", "started", "ended"), "")
        rest |= {"spec": {}, "done": 0, "total": 0, "attempt": 1, "cancel_asked": False, "result": None, "error": None}
        return Job(**rest)

    async def page(self, _: object, __: int, ___: object, kind: str | None, owner: str | None = None) -> list[Job]:
        found = [await self.find(f"{name}-0000000000000001") for name in ("backtest", "run") if kind in (None, name)]
        return [job for job in found if owner in (None, job.owner)]

    async def counts(self) -> dict[str, int]:
        return {}

    async def cancel(self, job: str) -> Job:
        self.cancelled.append(job)
        return await self.find(job)

    def __getattr__(self, _: str) -> Any:
        async def call(*arguments: object, **more: object) -> Any:
            return away(arguments, more)

        return call


class NoCluster:
    def facts(self) -> ClusterFacts:
        return ClusterFacts(connected=False, nodes_alive=0, nodes=0, cpus=0.0, cpus_free=0.0, gpus=0.0)


class NoSessions:
    """Nobody trades by himself, and whoever begins to is refused after his scopes were looked at."""

    async def check(self, asked: Any, *, instead_of: str = "") -> None:
        raise BadInputError("Nothing trades here. Ask elsewhere.")

    async def statuses(self, account: str) -> list[Any]:
        return []


class Source:
    """A stream that tests write to."""

    def __init__(self) -> None:
        self.stream = EventStream()

    async def follow(self, after: Mapping[Channel, int], epoch: str = "", wait_s: float = 0.0) -> Followed:
        return await self.stream.follow(after, epoch, min(wait_s, 0.05))

    def __getattr__(self, _: str) -> Any:
        async def call(*_: object) -> None:
            return None

        return call


@dataclass
class House:
    """The application and who may come in."""

    app: FastAPI
    gatekeeper: Gatekeeper
    settings: Settings
    jobs: Jobs
    source: Source
    made: int = 0
    known: dict[str, str] = field(default_factory=dict)

    def key(
        self,
        role: Role,
        *,
        accounts: Sequence[str] | None = None,
        scopes: frozenset[Scope] | None = None,
        name: str = "",
    ) -> str:
        """Make a user with a key."""
        self.made += 1
        user = self.gatekeeper.users.add(name or f"user-{self.made}", role)
        return self.gatekeeper.keys.add(user.name, accounts=accounts, scopes=scopes).text

    def run(self, work: Callable[[httpx.AsyncClient], Awaitable[T]], *, address: str = FAR, serves: bool = False) -> T:
        """Do something with a client; `serves`: as a server does, which an application allows once."""

        async def running() -> T:
            transport = httpx.ASGITransport(self.app, client=(address, 1))
            async with AsyncExitStack() as stack:
                if serves:
                    await stack.enter_async_context(self.app.router.lifespan_context(self.app))
                http = httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080")
                return await work(await stack.enter_async_context(http))

        return asyncio.run(running())


class Socket:
    """A WebSocket to an application in this process, as a client has it."""

    def __init__(self) -> None:
        self.to_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.from_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def send(self, **message: Any) -> None:
        await self.to_app.put({"type": "websocket.receive", "text": json.dumps(message)})

    async def next(self) -> dict[str, Any]:
        return await asyncio.wait_for(self.from_app.get(), 60)

    async def told(self) -> Any:
        """Next text, as JSON."""
        found = await self.next()
        assert found["type"] == "websocket.send", found
        return json.loads(found["text"] if found.get("text") is not None else found["bytes"])


@asynccontextmanager
async def connected(app: FastAPI, path: str, headers: Mapping[str, str] | None = None, address: str = FAR) -> Any:
    """Connect to a WebSocket; what is yielded has had no answer yet."""
    socket = Socket()
    listed = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
    scope = {
        "type": "websocket", "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "",
        "headers": listed, "client": (address, 1), "server": ("127.0.0.1", 80), "scheme": "ws", "subprotocols": [],
    }  # fmt: skip
    await socket.to_app.put({"type": "websocket.connect"})
    task = asyncio.create_task(app(scope, socket.to_app.get, socket.from_app.put))
    try:
        yield socket
    finally:
        await socket.to_app.put({"type": "websocket.disconnect", "code": 1000})
        await asyncio.wait({task}, timeout=60)
        task.cancel()


def build(folder: Path, **more: str) -> House:
    values = {"access.folder": str(folder / "access"), "state": str(folder), "runs": str(folder / "runs")}
    values |= {"access.per_minute": "1000000", "access.address_per_minute": "1000000", "access.block_after": "100000"}
    values |= {"access.password_memory_mb": "1", "access.password_passes": "1", "access.logins_per_minute": "1000"}
    values |= {"brokers.enabled": '["paper", "other"]', "observability.log_requests": "none"}
    for name in ("paper", "other"):
        values |= {f"brokers.{name}.kind": "alpaca", f"brokers.{name}.url": "http://127.0.0.1:9"}
        values |= {f"brokers.{name}.key": "K", f"brokers.{name}.secret": "broker-secret-0123456789"}
    values |= {name.replace("__", "."): value for name, value in more.items()}
    settings = load_settings(None, values, environ={})
    jobs, source = Jobs(), Source()
    app = assemble(settings, Parts(settings, Accounts(), jobs, NoCluster(), source, NoSessions()))  # type: ignore[arg-type]
    return House(app, open_gatekeeper(settings.access), settings, jobs, source)


@pytest.fixture
def open_house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., House]]:
    """Builds a gateway of the test's own by its settings."""
    no_networks(monkeypatch)
    made: list[House] = []

    def opened(**more: str) -> House:
        made.append(build(tmp_path, **more))
        return made[-1]

    yield opened
    for house in made:
        house.gatekeeper.close()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A gateway for all tests of a module, each of which makes its own users; networks are not loaded."""
    with pytest.MonkeyPatch.context() as patch:
        no_networks(patch)
        found = build(tmp_path_factory.mktemp("house"))
        yield found
        found.gatekeeper.close()


def no_networks(patch: pytest.MonkeyPatch) -> None:
    module = ModuleType("nt_ray.neural.registry.registry")
    module.open_registry = away  # type: ignore[attr-defined]
    patch.setitem(sys.modules, module.__name__, module)
    patch.setattr(models, "forecast_of", away)


@pytest.fixture
def connect() -> Callable[..., Any]:
    """Connects to a WebSocket of an application in this process."""
    return connected
