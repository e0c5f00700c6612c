"""The whole is as well as its worst component, and no component can keep the answer back."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from deployments.gateway import health, problems
from deployments.gateway.backend.accounts import AccountDoor
from deployments.gateway.health import router
from deployments.gateway.observability.components import trading
from deployments.gateway.observability.health import Component, Condition, examine, overall
from deployments.gateway.observability.kept import Kept
from nt_ray.access.roles import Principal, Role
from nt_ray.errors import ServiceError
from nt_ray.trader.health import Health, LiveStatus
from nt_ray.trader.live_session import Condition as SessionCondition
from nt_ray.trader.live_session import SessionStatus
from nt_ray.trader.session_store import KeptSession, Phase, SessionPlan

NOW = datetime(2026, 1, 5, tzinfo=UTC)
STATUS = LiveStatus("paper", Health(up=True, checks=3), is_fenced=False, open_orders=1, in_doubt=2, epoch=4, pid=7)


class Identity:
    """Lets everybody in as an admin."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {})["principal"] = Principal(id="ann", role=Role.ADMIN, credential="ann")
        await self._app(scope, receive, send)


async def well() -> Component:
    return Component(Condition.UP)


async def slow() -> Component:
    return Component(Condition.DEGRADED, "The venue is slow.")


async def away() -> Component:
    raise ServiceError("It is away. Wait.")


async def broken() -> Component:
    raise ZeroDivisionError


async def silent() -> Component:
    await asyncio.sleep(60)
    return Component(Condition.UP)


def test_the_whole_is_as_bad_as_its_worst_component() -> None:
    found = asyncio.run(examine({"a": well, "b": slow}))
    assert found == {"a": Component(Condition.UP), "b": Component(Condition.DEGRADED, "The venue is slow.")}
    assert overall(found) is Condition.DEGRADED
    assert overall({**found, "c": Component(Condition.DOWN)}) is Condition.DOWN
    assert overall({}) is Condition.UP


@pytest.mark.parametrize(("check", "why"), [(away, "It is away. Wait."), (broken, "the log"), (silent, "0.01 s")])
def test_a_component_that_fails_or_is_silent_is_down_and_says_why(check: object, why: str) -> None:
    found = asyncio.run(examine({"a": well, "b": check}, 0.01))  # type: ignore[dict-item]
    assert found["a"].condition is Condition.UP
    assert found["b"].condition is Condition.DOWN
    assert why in found["b"].detail


class Away:
    """Accounts of which one hangs, and a list of them that may hang too."""

    def __init__(self) -> None:
        self.listed = 0
        self.hangs = False

    async def names(self) -> list[str]:
        self.listed += 1
        if self.hangs:
            await asyncio.sleep(60)
        return ["east", "paper"]

    def account(self, name: str) -> AccountDoor:
        async def glance(method: str, *_: object) -> Any:
            assert method == "status"
            if name == "east":
                await asyncio.sleep(60)
            if name == "gone":
                raise ServiceError("It is away. Wait.")
            return STATUS

        async def call(*_: object) -> Any:
            raise AssertionError("Health waits for nobody.")

        return AccountDoor(name, call, glance)


class Backend:
    def __init__(self) -> None:
        self.accounts = Away()


def asked(
    backend: Backend,
    *paths: str,
    checks: dict[str, Any] | None = None,
    expected: tuple[str, ...] = (),
    required: dict[str, Any] | None = None,
) -> list[httpx.Response]:
    app = FastAPI(middleware=[Middleware(Identity)])
    problems.install(app)
    app.include_router(router(backend, expected, lambda: checks or {}, required or {}))

    async def run() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as session:
            return await asyncio.gather(*(session.get(path) for path in paths))

    return asyncio.run(run())


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "ANSWER_S", 0.05)


def test_an_account_that_hangs_and_one_that_should_run_and_does_not_are_told_without_waiting_for_them() -> None:
    (found,) = asked(Backend(), "/health", expected=("paper", "gone"), checks={"cluster": well})
    told = found.json()
    ups = {name: part["up"] for name, part in told["accounts"].items()}
    assert ups == {"paper": True, "gone": False, "east": False}
    assert told["accounts"]["gone"]["error"] == "It is away. Wait."
    assert told["status"] == "degraded"
    assert told["components"] == {"cluster": {"condition": "up", "detail": ""}}


@pytest.mark.parametrize(("check", "status"), [(well, "degraded"), (slow, "degraded"), (silent, "down")])
def test_the_whole_is_down_where_what_it_stands_on_is(check: object, status: str) -> None:
    (found,) = asked(Backend(), "/health", checks={"cluster": check})
    assert found.json()["status"] == status


def test_where_the_platform_is_out_of_reach_a_replica_lives_but_is_not_ready_and_asks_only_once() -> None:
    backend = Backend()
    backend.accounts.hangs = True
    live, *rest = asked(backend, "/health/live", *["/health/ready"] * 20, "/health")
    assert live.text == "live"
    assert {(told.status_code, told.json()["code"]) for told in rest} == {(503, "not_ready")}
    assert backend.accounts.listed == 1


@pytest.mark.parametrize(
    ("conditions", "told"),
    [
        ([], Component(Condition.UP)),
        (["traded", "halted", "beginning", "closing"], Component(Condition.UP)),
        (["late", "failed", "traded"], Component(Condition.DEGRADED, "2 of 3 sessions do not trade: failed, late.")),
        (["in_doubt"], Component(Condition.DEGRADED, "1 of 1 sessions do not trade: in_doubt.")),
    ],
)
def test_sessions_that_nobody_stopped_and_that_do_not_trade_are_told(conditions: list[str], told: Component) -> None:
    kept = KeptSession("s-1", SessionPlan("paper", "momentum", ("AAPL",)), Phase.RUNNING, "ann", "trial", NOW, None)
    assert trading([SessionStatus(kept, SessionCondition(found), "") for found in conditions]) == told


@pytest.mark.parametrize(("check", "status"), [(well, 200), (slow, 200), (away, 503), (silent, 503)])
def test_a_replica_is_ready_only_with_what_it_cannot_serve_without(check: object, status: int) -> None:
    live, ready = asked(Backend(), "/health/live", "/health/ready", required={"audit": check})
    assert (live.status_code, ready.status_code) == (200, status)
    if status == 503:
        assert ready.json()["code"] == "not_ready"
        assert "away" not in ready.text


def test_a_value_is_asked_for_again_once_it_is_old_or_the_question_has_failed() -> None:
    answers = iter([1, ServiceError("It is away. Wait."), 2])

    async def ask() -> int:
        found = next(answers)
        if isinstance(found, Exception):
            raise found
        return found

    async def run() -> list[object]:
        kept = Kept(ask, 0.0)
        return [
            *(await asyncio.gather(kept.get(), kept.get())),
            *(await asyncio.gather(kept.get(), return_exceptions=True)),
            await kept.get(),
        ]

    first, same, failed, last = asyncio.run(run())
    assert (first, same, last) == (1, 1, 2)
    assert isinstance(failed, ServiceError)
