"""An application that is observed, over accounts and spans that a test sets."""

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from fastapi import FastAPI, WebSocket
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from deployments.gateway import problems
from deployments.gateway.backend.accounts import AccountDoor
from deployments.gateway.middleware.envelope import Envelope
from deployments.gateway.observability.install import install
from deployments.gateway.observability.tracing import open_tracing
from nt_ray.access.roles import Principal, Role
from nt_ray.config.observability import Observability
from nt_ray.errors import ServiceError
from nt_ray.trader.reports import AccountState
from nt_ray.trader.steps import Step
from nt_ray.trader.tally import AccountTally, Traded

LOGGERS = ("", "httpx", "uvicorn.access")
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
    return AccountTally(state, {"filled": 3, "denied": 2}, traded)


class Platform:
    """Accounts as a test sets them."""

    def __init__(self) -> None:
        self.silent: set[str] = set()
        self.asked = 0

    async def names(self) -> list[str]:
        return ["paper", "east"]

    def account(self, name: str) -> AccountDoor:
        async def call(method: str, *arguments: object) -> Any:
            self.asked += 1
            if name in self.silent:
                raise ServiceError(f"{name} is away. Wait.")
            if method == "submit_timed":
                return [], (Step("check_risk_limits", 1000, 2000), Step("submit_to_broker", 2000, 9000))
            return tally(name)

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
        observation = install(app, told, platform, tracing)
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

        @app.websocket("/socket")
        async def socket(socket: WebSocket) -> None:
            await socket.accept()
            await socket.close()

        return app

    yield make
    for observation in built:
        observation.close()
    for handler in [h for h in root.handlers if h not in before]:
        root.removeHandler(handler)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
