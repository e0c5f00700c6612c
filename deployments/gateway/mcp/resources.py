"""What clients may read: runs, jobs, portfolios, models, strategies, and which tools there are."""

import functools
import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final

import anyio.to_thread
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    ReadResourceResult,
    Resource,
    ResourceTemplate,
    TextResourceContents,
)

from deployments.gateway.mcp import runs
from deployments.gateway.mcp.backend import Backend
from deployments.gateway.mcp.call import Call
from deployments.gateway.mcp.catalogue import TOOLS
from deployments.gateway.mcp.problems import problem_of
from deployments.gateway.mcp.schema import Nothing
from deployments.gateway.mcp.tools.accounts import portfolio
from deployments.gateway.mcp.tools.strategies import OneStrategy, get_strategy_info, list_strategies
from deployments.gateway.ownership import reached
from deployments.gateway.platform.jobs import view_of
from nt_ray.access.roles import Owned, Principal, Scope
from nt_ray.errors import BadInputError, NeuralTraderError

JSON: Final = "application/json"
ONE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")

MOST_JOBS: Final = 200

Read = Callable[[Call, str], Any]


@dataclass(frozen=True, slots=True)
class _Shelf:
    """Resources of one kind: what the list and, where there are single ones, what one of them answers; in threads."""

    description: str
    scope: Scope
    all: Read
    one: Read | None = None


def _tools(_: Call, __: str) -> Any:
    return {
        tool.name: {
            "available": not tool.area, "missing": tool.area or None, "category": tool.category.value,
            "scope": tool.scope.value,
        }
        for tool in TOOLS.values()
    }  # fmt: skip


def _runs(call: Call, _: str) -> Any:
    return {"runs": runs.names(call.backend.settings.runs, call.principal)}


def _run(call: Call, name: str) -> Any:
    return runs.summary(runs.folder(call.backend.settings.runs, name, call.principal))


def _jobs(call: Call, _: str) -> Any:
    found = call.ask(call.backend.jobs.page, None, MOST_JOBS, None, None, call.principal.only(Owned.JOBS))
    return {"jobs": [{"id": job.id, "state": job.state, "done": job.done, "total": job.total} for job in found]}


def _job(call: Call, name: str) -> Any:
    return view_of(reached(call.ask(call.backend.jobs.find, name), call.principal)).model_dump(mode="json")


def _portfolios(call: Call, _: str) -> Any:
    return {"accounts": [name for name in call.accounts() if call.principal.may(Scope.TRADING_READ, name)]}


def _portfolio(call: Call, name: str) -> Any:
    call.principal.require(Scope.TRADING_READ, name)
    return portfolio(call.backend.state(name)).model_dump(mode="json")


def _models(call: Call, _: str) -> Any:
    from nt_ray.neural.registry.registry import open_registry

    return {"models": [asdict(model) for model in open_registry(call.backend.settings.neural).list()]}


def _model(call: Call, name: str) -> Any:
    from nt_ray.neural.registry.registry import open_registry

    registry = open_registry(call.backend.settings.neural)
    events = [event.model_dump(mode="json") for event in registry.history(name)]
    return asdict(registry.model(name)) | {"history": events}


def _strategies(call: Call, _: str) -> Any:
    return list_strategies.run(call, Nothing()).model_dump(mode="json")


def _strategy(call: Call, name: str) -> Any:
    return get_strategy_info.run(call, OneStrategy(name=name)).model_dump(mode="json")


_SHELVES: Final = {
    "tools": _Shelf("Every tool: whether it is there, and what is missing where it is not.", Scope.SYSTEM_READ, _tools),
    "runs": _Shelf("Finished runs, newest first.", Scope.RUNS_READ, _runs, _run),
    "jobs": _Shelf("Jobs, newest first, and how far they are.", Scope.JOBS_READ, _jobs, _job),
    "portfolios": _Shelf("Accounts at venues.", Scope.TRADING_READ, _portfolios, _portfolio),
    "models": _Shelf("Registered models.", Scope.MODELS_READ, _models, _model),
    "strategies": _Shelf("Strategies of the platform.", Scope.STRATEGIES_READ, _strategies, _strategy),
}
_SINGULAR: Final = {"runs": "Everything that a run left.", "jobs": "One job: what was asked, how far, its result.",
                    "portfolios": "One account as it stands.",
                    "models": "One model: versions, aliases, history.",
                    "strategies": "One strategy: source and parameters."}  # fmt: skip


def listed(principal: Principal) -> list[Resource]:
    """List the resources that somebody may read."""
    return [
        Resource(uri=f"nt://{name}", name=name, description=shelf.description, mime_type=JSON)
        for name, shelf in _SHELVES.items()
        if principal.may(shelf.scope)
    ]


def templates(principal: Principal) -> list[ResourceTemplate]:
    """List the single resources of each kind."""
    return [
        ResourceTemplate(uri_template=f"nt://{name}/{{name}}", name=f"one of {name}", description=says, mime_type=JSON)
        for name, says in _SINGULAR.items()
        if principal.may(_SHELVES[name].scope)
    ]


async def read(backend: Backend, principal: Principal, uri: str) -> ReadResourceResult:
    """Read a resource; refusals are protocol errors that carry the problem."""
    try:
        work = functools.partial(_read, Call(backend, principal), uri)
        told = await anyio.to_thread.run_sync(work, abandon_on_cancel=True)
    except NeuralTraderError as error:
        code = INVALID_PARAMS if error.status < 500 else INTERNAL_ERROR
        problem = problem_of(error)
        raise MCPError(code=code, message=problem.message, data=problem.model_dump(mode="json")) from None
    return ReadResourceResult(
        contents=[TextResourceContents(uri=uri, text=json.dumps(told, default=str), mime_type=JSON)]
    )


def _read(call: Call, uri: str) -> Any:
    kind, _, name = uri.removeprefix("nt://").partition("/")
    shelf = _SHELVES.get(kind) if uri.startswith("nt://") else None
    reader = None if shelf is None else shelf.one if name else shelf.all
    if shelf is None or reader is None or (name and not ONE.fullmatch(name)):
        raise BadInputError(
            f"There is no resource {uri[:128]!r}. resources/list and resources/templates/list name them."
        )
    call.principal.require(shelf.scope)
    return reader(call, name)
