"""The gateway with the platform's routes: real keys, a real account at a simulated venue, a real book of jobs."""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from deployments.gateway import access, audit_entries, sessions
from deployments.gateway.application import Guards, application
from deployments.gateway.backend.accounts import AccountDoor
from deployments.gateway.backend.cluster import ClusterFacts
from deployments.gateway.backend.platform import Parts
from deployments.gateway.middleware import watch
from deployments.gateway.observability.install import install
from deployments.gateway.page import routes as page
from deployments.gateway.platform import api
from deployments.gateway.stream.route import stream
from nt_ray.access.audit import folder_of, open_audit
from nt_ray.access.gatekeeper import Gatekeeper, open_gatekeeper
from nt_ray.access.limits import open_limits
from nt_ray.access.roles import Role
from nt_ray.brokers.alpaca.simulator.simulator import AlpacaSimulator
from nt_ray.config import Settings, load_settings
from nt_ray.trader.jobs.answers import Answer, Claim
from nt_ray.trader.jobs.book import JobBook
from nt_ray.trader.jobs.job import Job, JobEvent, State
from nt_ray.trader.jobs.reading import check_spec, read_spec
from nt_ray.trader.jobs.swarm_changes import changes_of
from nt_ray.trader.live_account import LiveAccount
from nt_ray.trader.live_plan import SettingsPlan
from nt_ray.trader.live_session import SessionStatus
from nt_ray.trader.session_keeper import SessionKeeper, SessionRequest
from nt_ray.trader.session_store import SessionStore
from nt_ray.trader.steering import Course
from nt_ray.trading.orders import OrderRequest, Side, TimeInForce

ACCOUNT = "paper"
DAYS = 200
MOST_BEHIND = 2_000
LOOK_S = 0.05
"""Seconds between two looks at the credential of a stream of events."""


class BookJobs:
    """A book of jobs in this process; the test itself is who works on them."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self.folder = folder
        self.book = JobBook(folder / "jobs.sqlite")
        self.lock = threading.Lock()

    async def submit(self, data: Mapping[str, Any], owner: str, key: str = "") -> Job:
        spec = read_spec(data)
        check_spec(self.settings, spec)
        return self.book.submit(spec.kind, spec.model_dump(mode="json"), owner, key)

    async def find(self, job: str) -> Job:
        return self.book.find(job)

    async def page(
        self, before: int | None, limit: int, state: str | None, kind: str | None, owner: str | None = None
    ) -> list[Job]:
        wanted = None if state is None else State(state)
        return self.book.page(before=before, limit=limit, state=wanted, kind=kind, owner=owner)

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

    async def adjust(self, job: str, course: Course) -> Job:
        return self.book.adjust(job, changes_of(self.book.find(job), course))

    async def claim(self, owner: str, operation: str, key: str, digest: str) -> Answer | Claim:
        return self.book.answers.claim(owner, operation, key, digest)

    async def keep(self, owner: str, operation: str, key: str, claim: Claim, answer: Answer) -> None:
        self.book.answers.keep(owner, operation, key, claim, answer)

    async def release(self, owner: str, operation: str, key: str, claim: Claim) -> None:
        self.book.answers.release(owner, operation, key, claim)


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


class OwnSessions:
    """Live sessions in this process; a test lets them look."""

    def __init__(self, settings: Settings, account: LiveAccount) -> None:
        store = SessionStore(settings.state / "live-sessions.sqlite")
        self.keeper = SessionKeeper(settings, store, lambda name: account)

    async def check(self, asked: SessionRequest, *, instead_of: str = "") -> None:
        await asyncio.to_thread(self.keeper.check, asked, instead_of)

    async def start(self, asked: SessionRequest, who: str, reason: str) -> SessionStatus:
        return await asyncio.to_thread(self.keeper.start, asked, who, reason)

    async def stop(self, session: str, *, flatten: bool) -> SessionStatus:
        return await asyncio.to_thread(lambda: self.keeper.stop(session, flatten=flatten))

    async def switch(self, asked: SessionRequest, instead_of: str, who: str, reason: str) -> SessionStatus:
        return await asyncio.to_thread(self.keeper.switch, asked, instead_of, who, reason)

    async def statuses(self, account: str) -> list[SessionStatus]:
        return self.keeper.statuses(account)


class OneNode:
    def facts(self) -> ClusterFacts:
        return ClusterFacts(connected=True, nodes_alive=1, nodes=1, cpus=4.0, cpus_free=3.0, gpus=0.0)


@dataclass
class House:
    """The gateway as it listens, and what stands behind it."""

    settings: Settings
    app: FastAPI
    gatekeeper: Gatekeeper
    jobs: BookJobs
    account: LiveAccount
    simulator: AlpacaSimulator
    source: Any
    accounts: Any
    url: str = ""
    keys: dict[str, str] = field(default_factory=dict)

    def client(self, who: str | None = "admin", **options: Any) -> httpx.Client:
        headers = {} if who is None else {"X-API-Key": self.keys[who]}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30.0, **options)


@contextmanager
def logs_as_before() -> Iterator[None]:
    """What watches the gateway takes the lines of the whole process."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    yield
    for handler in [handler for handler in root.handlers if handler not in before]:
        root.removeHandler(handler)
    root.setLevel(level)


@contextmanager
def opened(folder: Path, source: Any) -> Iterator[House]:
    """A house that listens, in a folder of its own."""
    with (
        AlpacaSimulator(requests_per_minute=100_000) as simulator,
        pytest.MonkeyPatch.context() as patch,
        logs_as_before(),
    ):
        patch.setattr(watch, "LOOK_S", LOOK_S)
        built = build(folder, simulator, source)
        server, thread = served(built.app)
        built.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        yield built
        server.should_exit = True
        thread.join()
        built.account.close()
        built.gatekeeper.close()
        built.jobs.book.close()


@pytest.fixture(scope="package")
def house(new_house: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with new_house(tmp_path_factory.mktemp("house")) as built:
        yield built


@pytest.fixture(scope="package")
def new_house(new_source: Callable[[], Any]) -> Callable[[Path], AbstractContextManager[House]]:
    return lambda folder: opened(folder, new_source())


def build(folder: Path, simulator: AlpacaSimulator, source: Any) -> House:
    table = {"kind": "alpaca", "url": simulator.url, "key": "PKSIMULATED", "secret": "simulated-secret"}
    values = {f"brokers.{ACCOUNT}.{name}": value for name, value in table.items()}
    values |= {"access.folder": str(folder / "access"), "state": str(folder / "state"), "runs": str(folder / "runs")}
    values |= {"access.per_minute": "1000000", "access.address_per_minute": "1000000"}
    values |= {"access.password_memory_mb": "1", "access.password_passes": "1", "access.block_after": "100000"}
    values |= {"neural.registry": str(folder / "models"), "neural.cache": str(folder / "cache")}
    settings = load_settings(None, {"brokers.enabled": ACCOUNT, **values}, environ={})
    (folder / "state").mkdir()
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for day in range(DAYS):
        # One day in twenty loses a tenth, and the next one wins it back.
        time, price = midnight - timedelta(days=DAYS - day), "90" if day % 20 == 10 else "100"
        simulator.price("AAPL", price, time=time.isoformat(), size="1000000")
    simulator.price("AAPL", "100")
    account = LiveAccount(SettingsPlan(settings, ACCOUNT, ("AAPL",)), watch=False)
    account.submit([OrderRequest("first", "AAPL", Side.BUY, Decimal(10), "momentum", time_in_force=TimeInForce.GTC)])
    account.sync()

    def clock() -> datetime:
        return datetime.now(UTC)

    gatekeeper = open_gatekeeper(settings.access, clock)
    jobs = BookJobs(settings, folder)
    accounts = OwnAccounts(account)
    platform = Parts(settings, accounts, jobs, OneNode(), source, OwnSessions(settings, account))
    guards = Guards(gatekeeper, open_limits(settings.access), open_audit(settings.access, clock))
    routers = [
        api.router(platform), sessions.router(gatekeeper, guards.limits), page.router(platform),
        access.router(gatekeeper, guards.audit), audit_entries.router(folder_of(settings.access)),
    ]  # fmt: skip
    app = application(settings, platform, guards, routers, [stream(source, gatekeeper, MOST_BEHIND)], jobs)
    install(app, settings.observability, accounts, expected=(ACCOUNT,))
    built = House(settings, app, gatekeeper, jobs, account, simulator, source, accounts)
    for name, role in {"reader": Role.READ_ONLY, "ann": Role.USER, "bob": Role.USER, "admin": Role.ADMIN}.items():
        gatekeeper.users.add(name, role)
        built.keys[name] = gatekeeper.keys.add(name).text
    return built


@pytest.fixture(scope="package")
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
