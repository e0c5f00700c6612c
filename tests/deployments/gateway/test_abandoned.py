"""A caller who has gone takes along what was asked for him, and not what has to be done because he is gone."""

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import ray

from deployments.gateway.afterwards import see_to
from deployments.gateway.backend.accounts import AccountDoor
from deployments.gateway.backend.jobs import ask
from deployments.gateway.mcp.calling import Asker, Caller
from deployments.gateway.mcp.catalogue import TOOLS
from deployments.gateway.mcp.limits import CallLimits
from deployments.gateway.middleware.audit import Audit
from nt_ray.access.audit import ACTIVE, AuditLog
from nt_ray.access.gatekeeper import utc_now
from nt_ray.access.roles import Principal, Role
from nt_ray.trader.reports import OrderReport
from nt_ray.trading.orders import OrderStatus

WITHIN_S = 60.0


async def nothing(*_: Any) -> None:
    """Take a word that nobody hears."""


@ray.remote(num_cpus=0)
class Keeper:
    """Answers once it is let go on, and keeps what it was told."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.told: list[str] = []
        self.going = asyncio.Event()

    async def late(self) -> None:
        self.asked.append("late")
        await asyncio.Event().wait()

    async def tell(self, what: str) -> None:
        self.asked.append(what)
        await self.going.wait()
        self.told.append(what)

    async def go_on(self, *, goes: bool) -> None:
        (self.going.set if goes else self.going.clear)()

    async def heard(self) -> tuple[list[str], list[str]]:
        """What it was asked, and what of it is done."""
        return self.asked, self.told


@ray.remote(num_cpus=0)
class Replica:
    """Serves a request that waits for the keeper."""

    async def serve(self, keeper: Any) -> None:
        try:
            await ask(keeper, "late", what="The keeper")
        except asyncio.CancelledError:
            await see_to(ask(keeper, "tell", "gone", what="The keeper"), WITHIN_S)
            raise

    async def halt(self, keeper: Any) -> None:
        async def call(method: str, *arguments: object) -> Any:
            await keeper.tell.remote(f"{method} {arguments[1]} {arguments[2]}")
            return None, ()

        await AccountDoor("paper", call).call("halt", "account")

    async def delete(self, keeper: Any, folder: str) -> None:
        """Serve a change through the layer that writes it down."""

        async def app(_: Any, __: Any, send: Any) -> None:
            await self._account(keeper).call("cancel_all")
            await send({"type": "http.response.start", "status": 207})

        scope = {"type": "http", "method": "DELETE", "path": "/v2/orders", "state": {}}
        await Audit(app, AuditLog(Path(folder), utc_now))(scope, nothing, nothing)

    async def tool(self, keeper: Any, folder: str) -> None:
        """Serve a call of a tool that trades."""

        class Backend:
            settings = None

            def account(_, name: str) -> AccountDoor:  # noqa: N805  the replica is `self`
                return self._account(keeper)

            async def names(_) -> list[str]:  # noqa: N805
                return ["paper"]

            @property
            def accounts(self) -> Any:
                return self

        backend: Any = Backend()
        caller = Caller(backend, CallLimits(), AuditLog(Path(folder), utc_now))
        asker = Asker(Principal(id="ann", role=Role.ADMIN, credential="test"))
        await caller.call(asker, "execute_trade", TOOLS["execute_trade"].example, nothing)

    def _account(self, keeper: Any) -> AccountDoor:
        async def call(method: str, *arguments: Any) -> Any:
            await keeper.tell.remote(f"{method} {arguments[1]}")
            sent = arguments[2] if method == "order_within" else []
            return [OrderReport(order, OrderStatus.ACCEPTED) for order in sent], ()

        return AccountDoor("paper", call)

    async def ping(self) -> None:
        """Answer once it lives."""


@pytest.fixture(scope="module")
def actors(ray_cluster: None) -> tuple[Any, Any]:
    del ray_cluster
    keeper: Any = Keeper.remote()  # type: ignore[attr-defined]
    replica: Any = Replica.remote()  # type: ignore[attr-defined]
    ray.get([keeper.heard.remote(), replica.ping.remote()])
    return keeper, replica


@pytest.fixture
def parts(actors: tuple[Any, Any]) -> tuple[Any, Any]:
    """A keeper who answers nobody yet, and a replica."""
    ray.get(actors[0].go_on.remote(goes=False))
    return actors


def leave(request: Any, keeper: Any, asked: str) -> None:
    """Hang up once the keeper has been asked, who goes on after that."""
    until(lambda: asked in ray.get(keeper.heard.remote())[0])
    ray.cancel(request, recursive=True)
    with pytest.raises(ray.exceptions.TaskCancelledError):
        ray.get(request, timeout=WITHIN_S)
    assert asked not in ray.get(keeper.heard.remote())[1]
    ray.get(keeper.go_on.remote(goes=True))


def test_who_goes_cancels_what_he_waits_for_and_what_follows_is_done(parts: tuple[Any, Any]) -> None:
    keeper, replica = parts
    ray.get(keeper.go_on.remote(goes=True))
    leave(replica.serve.remote(keeper), keeper, "late")
    until_done(keeper, "gone")


def test_a_kill_switch_is_set_though_its_caller_hangs_up(parts: tuple[Any, Any]) -> None:
    keeper, replica = parts
    leave(replica.halt.remote(keeper), keeper, "within halt account")
    until_done(keeper, "within halt account")


@pytest.mark.parametrize(
    ("way", "asked", "target", "outcome"),
    [
        ("delete", "within cancel_all", "/v2/orders", "207"),
        ("tool", "order_within submit", "execute_trade", "ok"),
    ],
)
def test_what_a_route_or_a_tool_changes_is_done_and_written_down_though_its_caller_hangs_up(
    parts: tuple[Any, Any], tmp_path: Path, way: str, asked: str, target: str, outcome: str
) -> None:
    keeper, replica = parts
    leave(getattr(replica, way).remote(keeper, str(tmp_path)), keeper, asked)
    until_done(keeper, asked)
    [entry] = written(tmp_path / ACTIVE)
    assert (entry["what"]["target"], entry["what"]["outcome"]) == (target, outcome)


def written(log: Path) -> list[dict[str, Any]]:
    """Entries of the log, once its first has been written to its end."""
    until(lambda: log.is_file() and log.read_text(encoding="utf-8").endswith("\n"))
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]


def until_done(keeper: Any, what: str) -> None:
    until(lambda: what in ray.get(keeper.heard.remote())[1])


def until(is_so: Callable[[], bool]) -> None:
    ends = time.monotonic() + WITHIN_S
    while not is_so():
        assert time.monotonic() < ends
        time.sleep(0.05)
