"""A gateway on loopback before a live account in this process, at the simulator of Alpaca."""

import asyncio
import json
import socket
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import connect

from deployments.gateway.application import Guards, application
from deployments.gateway.backend.accounts import AccountDoor
from deployments.gateway.stream.seats import Seats
from nt_ray.access.audit import AuditLog, open_audit
from nt_ray.access.gatekeeper import Gatekeeper, open_gatekeeper, utc_now
from nt_ray.access.limits import open_limits
from nt_ray.access.roles import Role
from nt_ray.brokers.alpaca.simulator.simulator import AlpacaSimulator
from nt_ray.config import Settings, load_settings
from nt_ray.errors import ServiceError
from nt_ray.trader.live_account import LiveAccount
from nt_ray.trader.live_plan import LivePlan, SettingsPlan
from nt_ray.trader.watcher import Pace

with warnings.catch_warnings():
    # What Alpaca's client imports is deprecated, and says so.
    warnings.simplefilter("ignore")
    from alpaca.trading.stream import TradingStream

PACE = Pace(sync_s=0.5, hear_s=0.01)


class LocalAccounts:
    """Live accounts of this process."""

    def __init__(self) -> None:
        self.live: dict[str, LiveAccount] = {}
        self.pool = ThreadPoolExecutor(64)

    async def names(self) -> list[str]:
        return sorted(self.live)

    def account(self, name: str) -> AccountDoor:
        async def call(method: str, *arguments: object) -> Any:
            if name not in self.live:
                raise ServiceError(f"{name} does not run. Start it.")
            work = partial(getattr(self.live[name], method), *arguments)
            return await asyncio.get_running_loop().run_in_executor(self.pool, work)

        return AccountDoor(name, call)


@dataclass
class Backend:
    accounts: Any = field(default_factory=LocalAccounts)


@dataclass
class Desk:
    """A running gateway; `key` and `secret` are those of the account `paper`."""

    url: str
    backend: Backend
    gatekeeper: Gatekeeper
    audit: AuditLog
    settings: Settings
    seats: Seats
    key: str = ""
    secret: str = ""

    def new_key(self, role: Role = Role.USER, accounts: frozenset[str] | None = None, **more: Any) -> tuple[str, str]:
        """Make a user with a key; give its id and its secret."""
        name = f"user-{len(self.gatekeeper.users.all())}"
        self.gatekeeper.users.add(name, role)
        made = self.gatekeeper.keys.add(name, label="test", accounts=accounts, **more)
        return made.key.id, made.secret

    def headers(self, pair: tuple[str, str] | None = None) -> dict[str, str]:
        key, secret = pair or (self.key, self.secret)
        return {"APCA-API-KEY-ID": key, "APCA-API-SECRET-KEY": secret}

    def client(self, pair: tuple[str, str] | None = None, **more: Any) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers=self.headers(pair) | more.pop("headers", {}), **more)


class Server(uvicorn.Server):
    """Serves in a thread."""

    def install_signal_handlers(self) -> None:
        pass


def serve(app: Any, stack: ExitStack) -> str:
    room = stack.enter_context(socket.socket())
    room.bind(("127.0.0.1", 0))
    server = Server(uvicorn.Config(app, log_level="error", ws="websockets-sansio", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([room])), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.005)

    def end() -> None:
        server.should_exit = True
        thread.join(60)

    stack.callback(end)
    return f"http://127.0.0.1:{room.getsockname()[1]}"


@dataclass(eq=False)
class Follower(threading.Thread):
    """Follows a channel until what it has heard is whole, and comes back wherever it is cut off."""

    url: str
    key: str
    channel: str
    is_whole: Callable[[list[dict[str, Any]]], bool]
    patience_s: float = 90.0
    ready: threading.Event = field(default_factory=threading.Event)
    heard: list[dict[str, Any]] = field(default_factory=list)
    gaps: list[Any] = field(default_factory=list)
    ends: list[tuple[int, str]] = field(default_factory=list)
    """Code and reason of each end; 0 where there was none."""

    def __post_init__(self) -> None:
        super().__init__(daemon=True)
        self._epoch = ""
        self._wanted: dict[str, Any] = {}

    def run(self) -> None:
        deadline = time.monotonic() + self.patience_s
        while not self.is_whole(self.heard) and time.monotonic() < deadline:
            try:
                with connect(self.url, additional_headers={"X-API-Key": self.key}, open_timeout=20) as door:
                    self._follow(door, deadline)
            except ConnectionClosed as closed:
                self.ends.append((closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else (0, ""))
            except (InvalidHandshake, OSError):
                time.sleep(0.05)

    def _follow(self, door: Any, deadline: float) -> None:
        door.send(json.dumps({"action": "subscribe", "channels": {self.channel: self._wanted}, "epoch": self._epoch}))
        while not self.is_whole(self.heard):
            for message in json.loads(door.recv(timeout=deadline - time.monotonic())):
                if message["type"] == "subscribed":
                    self._epoch = message["epoch"]
                    self._wanted = {"after": message["channels"][self.channel]}
                    self.ready.set()
                elif message["type"] == "event":
                    self.heard.append(message)
                    self._wanted = {"after": message["seq"]}
                elif message["type"] == "gap":
                    self.gaps.append(message)
                elif message["type"] == "ping":
                    door.send(json.dumps({"action": "pong", "number": message["number"]}))


@pytest.fixture(scope="session")
def new_follower() -> type[Follower]:
    """Make a client of the stream that comes back where it was cut off."""
    return Follower


@contextmanager
def trades_heard(url: str, key: str, secret: str) -> Iterator[list[Any]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stream = TradingStream(key, secret, url_override="ws" + url.removeprefix("http") + "/stream")
    heard: list[Any] = []

    async def hear(update: Any) -> None:
        heard.append(update)

    def run() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            asyncio.run(stream._run_forever())

    stream.subscribe_trade_updates(hear)
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 60
    while not stream._running:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    yield heard
    asyncio.run_coroutine_threadsafe(stream.stop_ws(), stream._loop).result()
    # It looks whether it should stop after the next message, or once the connection is over.
    asyncio.run_coroutine_threadsafe(stream.close(), stream._loop).result()
    thread.join(60)
    assert not thread.is_alive()


@pytest.fixture(scope="session")
def hear_trades() -> Callable[..., AbstractContextManager[list[Any]]]:
    """Let Alpaca's own client listen to the trades of an account, by the address of a gateway and a key."""
    return trades_heard


Open = Callable[..., Desk]


@contextmanager
def opening(folder: Path) -> Iterator[Open]:
    with ExitStack() as stack:

        def opened(
            *plans: LivePlan,
            complete: Callable[..., None] | None = None,
            accounts: Any = None,
            pace: Pace = PACE,
            **changes: Any,
        ) -> Desk:
            values = {"access.folder": str(folder / "access"), "access.password_memory_mb": "1", "state": str(folder)}
            values |= {"access.per_minute": "1000000", "access.address_per_minute": "1000000"}
            values |= {key.replace("__", "."): str(value) for key, value in changes.items()}
            settings = load_settings(None, values, environ={})
            backend = Backend(accounts or LocalAccounts())
            if accounts is None:
                stack.callback(backend.accounts.pool.shutdown)
            for plan in plans:
                live = backend.accounts.live[plan.name] = LiveAccount(plan, pace)
                stack.callback(live.close)
            gatekeeper = open_gatekeeper(settings.access)
            audit = open_audit(settings.access, utc_now)
            guards = Guards(gatekeeper, open_limits(settings.access), audit)
            app = application(settings, backend, guards)
            if complete is not None:
                complete(app, settings, backend, guards)
            desk = Desk(serve(app, stack), backend, gatekeeper, audit, settings, app.state.seats)
            desk.key, desk.secret = desk.new_key(accounts=frozenset({"paper"}))
            return desk

        yield opened


def plan_at(simulator: AlpacaSimulator, folder: Path, name: str = "paper") -> SettingsPlan:
    table = {"kind": "alpaca", "url": simulator.url, "data_url": simulator.url}
    table |= {"key": "PKSIMULATED", "secret": "simulated-secret"}
    values = {f"brokers.{name}.{key}": value for key, value in table.items()}
    # Orders of tests are alike, come at once and rest far from the market.
    values |= {"risk.price_collar": "0.5", "risk.duplicate_window_s": "0"}
    settings = load_settings(None, {"brokers.enabled": name, "state": str(folder), **values}, environ={})
    return SettingsPlan(settings, name, ("AAPL", "MSFT"))


@pytest.fixture
def open_desk(tmp_path: Path) -> Iterator[Open]:
    """Open a gateway before the accounts of plans; settings by their keys."""
    with opening(tmp_path) as opened:
        yield opened


@pytest.fixture
def simulator() -> Iterator[AlpacaSimulator]:
    with AlpacaSimulator(requests_per_minute=100_000) as running:
        yield running


@pytest.fixture
def plan(simulator: AlpacaSimulator, tmp_path: Path) -> SettingsPlan:
    """An account named paper at the simulator of Alpaca."""
    return plan_at(simulator, tmp_path)


@pytest.fixture
def desk(open_desk: Open, plan: SettingsPlan) -> Desk:
    return open_desk(plan)


@pytest.fixture(scope="module")
def shared_desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A gateway for all tests of a module, none of which leaves an order behind."""
    folder = tmp_path_factory.mktemp("gateway")
    with AlpacaSimulator(requests_per_minute=100_000) as running, opening(folder) as opened:
        yield opened(plan_at(running, folder))


@pytest.fixture(scope="module")
def open_shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Open]:
    """Open a gateway for all tests of a module, before accounts of these names, each at a simulator of its own."""
    folder = tmp_path_factory.mktemp("gateway")
    with ExitStack() as running, opening(folder) as opened:

        def shared(*names: str, **more: Any) -> Desk:
            venues = [running.enter_context(AlpacaSimulator(requests_per_minute=100_000)) for _ in names]
            plans = [plan_at(venue, folder, name) for venue, name in zip(venues, names, strict=True)]
            # Slow enough for the venue's requests of a minute, however long the module's tests take.
            return opened(*plans, pace=Pace(sync_s=3.0, hear_s=0.01), **more)

        yield shared
