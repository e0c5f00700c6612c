"""An application that is observed, over accounts and spans that a test sets."""

import logging
import math
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from fastapi import FastAPI, Request, WebSocket
from fastapi.responses import StreamingResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from deployments.gateway import problems
from deployments.gateway.backend.accounts import AccountDoor
from deployments.gateway.middleware.envelope import Envelope
from deployments.gateway.observability.install import install
from deployments.gateway.observability.tracing import open_tracing
from deployments.gateway.observability.work import Keepers
from nt_ray.access.roles import Principal, Role
from nt_ray.config.observability import Observability
from nt_ray.errors import ServiceError
from nt_ray.trader.health import Health, LiveStatus
from nt_ray.trader.live_session import Condition, SessionStatus
from nt_ray.trader.reports import AccountState
from nt_ray.trader.session_store import KeptSession, Phase, SessionPlan
from nt_ray.trader.tally import AccountTally, Traded
from nt_ray.trader.usage import Tail, Usage
from nt_ray.trading.steps import Step

BEGAN = datetime(2026, 1, 5, tzinfo=UTC)
LOGGERS = ("", "httpx", "uvicorn.access")
STATUS = LiveStatus("paper", Health(up=True, checks=3), is_fenced=False, open_orders=1, in_doubt=2, epoch=4, pid=7)
STEPS = (
    Step("check_risk_limits", 1000, 2000), Step("gate", 1100, 1500, 0), Step("submit_to_broker", 2000, 9000),
    Step("send", 2500, 8000, 2, {"order_id": "o1"}), Step("POST", 2600, 7000, 3, {}, asks=True, fault="ReadTimeout"),
)  # fmt: skip
log = logging.getLogger("somewhere.else")


def tally(name: str) -> AccountTally:
    state = AccountState(
        name=name, time=datetime(2026, 1, 5, tzinfo=UTC), cash=Decimal(400), equity=Decimal("1234.5"),
        capital=Decimal(1000), realised=Decimal(25), commission=Decimal(1), positions={"AAPL": Decimal(3)},
        open_orders=1, fills=(), order_count=5, fill_count=3, denials={"max_heat": 2}, breaker=("daily_loss",),
        halts={"all": "ann: news"}, day_start_equity=Decimal(1200), high_water=Decimal(1300),
    )  # fmt: skip
    traded = (
        Traded("momentum", "AAPL", 3, Decimal(9), Decimal("12.5")),
        Traded('odd"\n', "BRK.B", 1, Decimal(1), Decimal(-2)),
    )
    limits = (Usage("max_heat", 0.015, 0.02), Usage("max_var", math.nan, 0.1), Usage("max_drawdown", 0.05, None))
    return AccountTally(state, {"filled": 3, "denied": 2}, traded, limits, Tail(0.021, 0.034, 0.95))


def session(name: str, account: str, condition: Condition, looked_at: datetime | None) -> SessionStatus:
    plan = SessionPlan(account, "momentum", ("AAPL",))
    kept = KeptSession(name, plan, Phase.RUNNING, "ann", "trial", BEGAN, None)
    return SessionStatus(kept, condition, "", looked_at=looked_at)


class Sessions:
    """Live sessions as a test sets them."""

    def __init__(self) -> None:
        self.is_away = False

    async def statuses(self, account: str) -> list[SessionStatus]:
        assert not account
        if self.is_away:
            raise ServiceError("The keeper is away. Wait.")
        looked = BEGAN + timedelta(minutes=5)
        return [
            session("s-1", "paper", Condition.TRADED, looked), session("s-2", "paper", Condition.LATE, looked),
            session("s-3", "paper", Condition.BEGINNING, None), session("s-4", "east", Condition.TRADED, looked),
        ]  # fmt: skip


async def jobs() -> dict[str, int]:
    return {"queued": 2, "failed": 1}


class Platform:
    """Accounts as a test sets them."""

    def __init__(self) -> None:
        self.silent: set[str] = set()
        self.sessions = Sessions()
        self.asked = 0
        self.origins: list[object] = []
        self.now = 1.0

    async def names(self) -> list[str]:
        return ["paper", "east"]

    def account(self, name: str) -> AccountDoor:
        async def call(method: str, *arguments: object) -> Any:
            self.asked += 1
            if name in self.silent:
                raise ServiceError(f"{name} is away. Wait.")
            if method == "order_within":
                self.origins.append(arguments[0])
                return [], STEPS
            return STATUS if method == "status" else tally(name)

        return AccountDoor(name, call)


class Identity:
    """Whoever gives the name of a role as a bearer has it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        role = Headers(scope=scope).get("authorization", "").removeprefix("Bearer ")
        if role in set(Role):
            scope.setdefault("state", {})["principal"] = Principal(id=role, role=Role(role), credential=role)
        await self._app(scope, receive, send)


@pytest.fixture
def platform() -> Platform:
    return Platform()


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def build(platform: Platform, exporter: InMemorySpanExporter) -> Iterator[Callable[..., FastAPI]]:
    """Build the application, with settings and with or without traces."""
    root = logging.getLogger()
    before, levels = list(root.handlers), {name: logging.getLogger(name).level for name in LOGGERS}
    built = []

    def make(*, traced: bool = False, **settings: Any) -> FastAPI:
        app = FastAPI(middleware=[Middleware(Envelope), Middleware(Identity)])
        problems.install(app)
        told = Observability(**settings)
        tracing = open_tracing(told, exporter) if traced else None
        observation = install(app, told, platform, tracing, keepers=Keepers(jobs, platform.sessions))
        built.append(observation)

        @app.get("/things/{number}")
        async def thing(number: int) -> dict[str, int]:
            log.info("Looked at %d with token=abcdef123456", number, extra={"order_id": f"o-{number}"})
            return {"number": number}

        @app.post("/orders")
        async def order() -> None:
            await platform.account("paper").submit([])

        @app.get("/broken")
        async def broken() -> None:
            raise RuntimeError("by design")

        @app.get("/slow")
        async def slow() -> None:
            platform.now += 2.0

        @app.get("/long")
        async def long() -> StreamingResponse:
            async def drops() -> AsyncIterator[bytes]:
                platform.now += 2.0
                yield b"x"

            return StreamingResponse(drops())

        @app.post("/echo/{name}")
        async def echo(name: str, request: Request) -> None:
            log.warning(
                "Could not read %s: %s", name, (await request.body()).decode(), extra={"query": request.url.query}
            )

        @app.websocket("/socket")
        async def socket(socket: WebSocket, code: int = 1000) -> None:
            if code == 403:
                await socket.close()
                return
            await socket.accept()
            await socket.close(code)

        return app

    yield make
    for observation in built:
        observation.close()
    for handler in [h for h in root.handlers if h not in before]:
        root.removeHandler(handler)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@dataclass
class Collector:
    """Who takes traces over HTTP; `got` are path, body and kind of what came."""

    address: str
    got: list[tuple[str, bytes, str]] = field(default_factory=list)

    def spans(self) -> list[Span]:
        found = []
        for path, body, kind in self.got:
            assert (path, kind) == ("/v1/traces", "application/x-protobuf")
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                found += [span for scope in resource.scope_spans for span in scope.spans]
        return found


@pytest.fixture
def collector() -> Iterator[Collector]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            taken.got.append((self.path, body, self.headers["Content-Type"]))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    taken = Collector(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield taken
    server.shutdown()
    server.server_close()
    thread.join()
