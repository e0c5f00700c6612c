"""A server over a backend in this process: few bars, its own folders, and an account at the simulator of Alpaca."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp_types import CallToolResult

from deployments.gateway.mcp.backend import Backend
from deployments.gateway.mcp.categories import Category
from deployments.gateway.mcp.limits import CallLimits
from deployments.gateway.mcp.local_backend import LocalBackend
from deployments.gateway.mcp.server import build_server
from nt_ray.access.audit import AuditLog
from nt_ray.access.roles import Principal, Role
from nt_ray.brokers.alpaca.simulator.simulator import AlpacaSimulator
from nt_ray.config import Settings, load_settings

ANN = Principal(id="ann", role=Role.ADMIN, credential="test")
UNLIMITED = dict.fromkeys(Category, 10**7)


@dataclass(frozen=True)
class Desk:
    """The official client, in memory, as somebody."""

    backend: Backend
    who: Principal = ANN
    limits: CallLimits | None = None
    audit: AuditLog | None = None

    def problems(self, asked: Iterable[tuple[str, Mapping[str, Any]]]) -> list[dict[str, Any]]:
        """Problems of calls that are refused."""
        return [problem_in(result) for result in self.calls(asked)]

    def acting(self, role: Role, **changes: Any) -> "Desk":
        return replace(self, who=replace(self.who, role=role, **changes))

    def server(self) -> Any:
        limits = self.limits or CallLimits(per_minute=UNLIMITED)
        return build_server(self.backend, lambda _: self.who, limits, self.audit)

    def calls(self, asked: Iterable[tuple[str, Mapping[str, Any]]]) -> list[CallToolResult]:
        """Call tools; the client checks structured answers against the schemas that were listed."""

        async def run() -> list[CallToolResult]:
            async with Client(self.server()) as client:
                await client.list_tools()
                return [await client.call_tool(name, dict(arguments)) for name, arguments in asked]

        return anyio.run(run)

    def call(self, name: str, arguments: Mapping[str, Any] | None = None) -> CallToolResult:
        return self.calls([(name, arguments or {})])[0]

    def answer(self, name: str, arguments: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Structured answer of a call that is not refused."""
        result = self.call(name, arguments)
        assert not result.is_error, result.content
        assert result.structured_content is not None
        return dict(result.structured_content)

    def problem(self, name: str, arguments: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Problem of a call that is refused."""
        return problem_in(self.call(name, arguments))


def problem_in(result: CallToolResult) -> dict[str, Any]:
    assert result.is_error
    assert result.structured_content is not None
    found: dict[str, Any] = result.structured_content["error"]
    assert set(found) == {"code", "message", "status"}
    return found


@pytest.fixture(scope="session")
def venue() -> Iterator[AlpacaSimulator]:
    with AlpacaSimulator(requests_per_minute=10**6) as simulator:
        yield simulator


@pytest.fixture(scope="session")
def settings(venue: AlpacaSimulator, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder, access = tmp_path_factory.mktemp("mcp"), venue.access()
    values = {
        "runs": str(folder / "runs"),
        "state": str(folder / "state"),
        "neural.registry": str(folder / "models"),
        "neural.cache": str(folder / "cache"),
        "data.start": "2019-01-02",
        "data.symbols": '["KO", "PEP", "XOM"]',
        "brokers.enabled": '["sim-east", "paper"]',
        "brokers.paper.kind": "alpaca",
        "brokers.paper.url": venue.url,
        "brokers.paper.key": access.key.get_secret_value(),
        "brokers.paper.secret": access.secret.get_secret_value(),
    }
    return load_settings(None, values, environ={})


@pytest.fixture(scope="session")
def backend(settings: Settings) -> Iterator[LocalBackend]:
    backend = LocalBackend(settings)
    yield backend
    backend.close()


@pytest.fixture
def desk(backend: LocalBackend) -> Desk:
    return Desk(backend)


@pytest.fixture(scope="session")
def made(backend: LocalBackend) -> dict[str, dict[str, Any]]:
    """One backtest, one swarm and one model, by the examples of their tools."""
    from deployments.gateway.mcp.catalogue import TOOLS

    desk = Desk(backend)
    names = ("neural_train", "run_backtest", "execute_swarm_strategy", "execute_trade")
    return {name: desk.answer(name, TOOLS[name].example) for name in names}
