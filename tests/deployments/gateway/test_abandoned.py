"""A caller who has gone takes along what was asked for him, and not what has to be done because he is gone."""

import asyncio
import json
import time
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


async def nothing(*_: Any) -> None:
    """Take a word that nobody hears."""


@ray.remote(num_cpus=0)
class Keeper:
    """Answers late, and keeps what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    async def late(self) -> None:
        await asyncio.sleep(60)

    async def tell(self, what: str) -> None:
        await asyncio.sleep(0.5)
        self.told.append(what)

    async def heard(self) -> list[str]:
        return self.told


@ray.remote(num_cpus=0)
class Replica:
    """Serves a request that waits for the keeper."""

    async def serve(self, keeper: Any) -> None:
        try:
            await ask(keeper, "late", what="The keeper")
        except asyncio.CancelledError:
            await see_to(ask(keeper, "tell", "gone", what="The keeper"), 10.0)
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
def parts(ray_cluster: None) -> tuple[Any, Any]:
    del ray_cluster
    keeper: Any = Keeper.remote()  # type: ignore[attr-defined]
    replica: Any = Replica.remote()  # type: ignore[attr-defined]
    ray.get([keeper.heard.remote(), replica.ping.remote()])
    return keeper, replica


def test_who_goes_cancels_what_he_waits_for_and_what_follows_is_done(parts: tuple[Any, Any]) -> None:
    keeper, replica = parts
    request = replica.serve.remote(keeper)
    time.sleep(0.3)
    ray.cancel(request, recursive=True)
    until_heard(keeper, "gone")


def test_a_kill_switch_is_set_though_its_caller_hangs_up(parts: tuple[Any, Any]) -> None:
    keeper, replica = parts
    request = replica.halt.remote(keeper)
    time.sleep(0.2)
    ray.cancel(request, recursive=True)
    until_heard(keeper, "within halt account")


@pytest.mark.parametrize(
    ("way", "heard", "target", "outcome"),
    [
        ("delete", "within cancel_all", "/v2/orders", "207"),
        ("tool", "order_within submit", "execute_trade", "ok"),
    ],
)
def test_what_a_route_or_a_tool_changes_is_done_and_written_down_though_its_caller_hangs_up(
    parts: tuple[Any, Any], tmp_path: Path, way: str, heard: str, target: str, outcome: str
) -> None:
    keeper, replica = parts
    request = getattr(replica, way).remote(keeper, str(tmp_path))
    time.sleep(0.3)
    ray.cancel(request, recursive=True)
    with pytest.raises(ray.exceptions.TaskCancelledError):
        ray.get(request, timeout=20)
    until_heard(keeper, heard)
    [entry] = written(tmp_path / ACTIVE)
    assert (entry["what"]["target"], entry["what"]["outcome"]) == (target, outcome)


def written(log: Path) -> list[dict[str, Any]]:
    """Entries of the log, once its first has been written to its end."""
    ends = time.monotonic() + 20
    while not (log.is_file() and log.read_text(encoding="utf-8").endswith("\n")):
        assert time.monotonic() < ends
        time.sleep(0.05)
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]


def until_heard(keeper: Any, what: str) -> None:
    ends = time.monotonic() + 20
    while what not in ray.get(keeper.heard.remote()):
        assert time.monotonic() < ends
        time.sleep(0.05)
