"""The gateway with the platform's routes: real keys, a real account at a simulated venue, a real book of jobs."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from deployments.gateway.application import Guards, application
from deployments.gateway.backend.accounts import AccountDoor
from deployments.gateway.backend.cluster import ClusterFacts
from deployments.gateway.backend.platform import Parts
from deployments.gateway.platform import api
from deployments.gateway.stream.route import stream
from nt_ray.access.audit import open_audit
from nt_ray.access.gatekeeper import Gatekeeper, open_gatekeeper
from nt_ray.access.limits import open_limits
from nt_ray.access.roles import Role
from nt_ray.brokers.alpaca.simulator.simulator import AlpacaSimulator
from nt_ray.config import Settings, load_settings
from nt_ray.trader.event_stream import Channel, EventStream, Followed, News
from nt_ray.trader.jobs.answers import Answer
from nt_ray.trader.jobs.book import JobBook
from nt_ray.trader.jobs.job import Job, JobEvent, State
from nt_ray.trader.jobs.reading import check_spec, read_spec
from nt_ray.trader.live_account import LiveAccount
from nt_ray.trader.live_plan import SettingsPlan
from nt_ray.trading.orders import OrderRequest, Side, TimeInForce

ACCOUNT = "paper"
MOST_BEHIND = 2_000
KEPT = 5_000


class BookJobs:
    """A book of jobs in this process; the test itself is who works on them."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self.book = JobBook(folder / "jobs.sqlite")
        self.lock = threading.Lock()

    async def submit(self, data: Mapping[str, Any], owner: str, key: str = "") -> Job:
        spec = read_spec(data)
        check_spec(self.settings, spec)
        return self.book.submit(spec.kind, spec.model_dump(mode="json"), owner, key)

    async def find(self, job: str) -> Job:
        return self.book.find(job)

    async def page(self, before: int | None, limit: int, state: str | None, kind: str | None) -> list[Job]:
        return self.book.page(before=before, limit=limit, state=None if state is None else State(state), kind=kind)

    async def cancel(self, job: str) -> Job:
        return self.book.cancel(job)

    async def events(self, after: int, job: str | None = None, wait_s: float = 0.0) -> list[JobEvent]:
        for _ in range(max(1, int(wait_s / 0.01))):
            if found := self.book.events(after, job):
                return found
            await asyncio.sleep(0.01)
        return []

    async def counts(self) -> dict[str, int]:
        return self.book.counts()

    async def claim(self, owner: str, operation: str, key: str, digest: str) -> Answer | None:
        return self.book.answers.claim(owner, operation, key, digest)

    async def keep(self, owner: str, operation: str, key: str, answer: Answer) -> None:
        self.book.answers.keep(owner, operation, key, answer)

    async def release(self, owner: str, operation: str, key: str) -> None:
        self.book.answers.release(owner, operation, key)


class OwnAccounts:
    """Live accounts in this process."""

    def __init__(self, *accounts: LiveAccount) -> None:
        self.accounts = {account.name: account for account in accounts}

    async def names(self) -> list[str]:
        return sorted(self.accounts)

    def account(self, name: str) -> AccountDoor:
        async def call(method: str, *arguments: object) -> Any:
            return await asyncio.to_thread(getattr(self.accounts[name], method), *arguments)

        return AccountDoor(name, call)


class OneNode:
    def facts(self) -> ClusterFacts:
        return ClusterFacts(connected=True, nodes_alive=1, nodes=1, cpus=4.0, cpus_free=3.0, gpus=0.0)


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


@dataclass
class House:
    """The gateway as it listens, and what stands behind it."""

    settings: Settings
    app: FastAPI
    gatekeeper: Gatekeeper
    jobs: BookJobs
    account: LiveAccount
    simulator: AlpacaSimulator
    source: Told
    url: str = ""
    keys: dict[str, str] = field(default_factory=dict)

    def client(self, who: str | None = "admin", **options: Any) -> httpx.Client:
        headers = {} if who is None else {"X-API-Key": self.keys[who]}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30.0, **options)


@pytest.fixture(scope="package")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    with AlpacaSimulator(requests_per_minute=100_000) as simulator:
        built = build(folder, simulator)
        server, thread = served(built.app)
        built.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        yield built
        server.should_exit = True
        thread.join()
        built.account.close()
        built.gatekeeper.close()
        built.jobs.book.close()


def build(folder: Path, simulator: AlpacaSimulator) -> House:
    table = {"kind": "alpaca", "url": simulator.url, "key": "PKSIMULATED", "secret": "simulated-secret"}
    values = {f"brokers.{ACCOUNT}.{name}": value for name, value in table.items()}
    values |= {"access.folder": str(folder / "access"), "state": str(folder / "state"), "runs": str(folder / "runs")}
    values |= {"access.per_minute": "1000000", "access.address_per_minute": "1000000"}
    values |= {"access.password_memory_mb": "1", "access.password_passes": "1", "access.block_after": "100000"}
    values |= {"neural.registry": str(folder / "models"), "neural.cache": str(folder / "cache")}
    settings = load_settings(None, {"brokers.enabled": ACCOUNT, **values}, environ={})
    (folder / "state").mkdir()
    account = LiveAccount(SettingsPlan(settings, ACCOUNT, ("AAPL",)), watch=False)
    account.submit([OrderRequest("first", "AAPL", Side.BUY, Decimal(10), "momentum", time_in_force=TimeInForce.GTC)])
    account.sync()

    def clock() -> datetime:
        return datetime.now(UTC)

    gatekeeper = open_gatekeeper(settings.access, clock)
    jobs = BookJobs(settings, folder)
    accounts = OwnAccounts(account)
    source = Told()
    platform = Parts(settings, accounts, jobs, OneNode(), source)
    guards = Guards(gatekeeper, open_limits(settings.access), open_audit(settings.access, clock))
    app = application(settings, platform, guards, [api.router(platform)], [stream(source, gatekeeper, MOST_BEHIND)])
    built = House(settings, app, gatekeeper, jobs, account, simulator, source)
    for name, role in {"reader": Role.READ_ONLY, "ann": Role.USER, "bob": Role.USER, "admin": Role.ADMIN}.items():
        gatekeeper.users.add(name, role)
        built.keys[name] = gatekeeper.keys.add(name).text
    return built


@pytest.fixture
def serve() -> Callable[[FastAPI], tuple[uvicorn.Server, threading.Thread]]:
    return served


def served(app: FastAPI) -> tuple[uvicorn.Server, threading.Thread]:
    """Serve an application on a free port of this machine, in a thread."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", lifespan="on"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise RuntimeError("The server did not start.")
        thread.join(0.01)
    return server, thread
