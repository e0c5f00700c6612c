"""Tools that let a swarm trade the past, change it meanwhile, and end it.

A swarm lives as long as its run, which is a job; afterwards it is known by the run's name.
"""

from datetime import datetime
from typing import Literal

from pydantic import Field

from deployments.gateway.mcp.call import Call, Done
from deployments.gateway.mcp.categories import Category
from deployments.gateway.mcp.schema import Figure, Input, Output
from deployments.gateway.mcp.tool import job, tool
from deployments.gateway.mcp.twin import KEY, KIND, OfJob, Settled, Twin, part_of
from deployments.gateway.ownership import reached
from deployments.gateway.platform.jobs import JobId, JobView, view_of
from deployments.gateway.platform.swarms import KIND as KIND_OF_SWARMS
from deployments.gateway.platform.swarms import Hosts
from deployments.gateway.problems import NotFoundError
from nt_ray.access.roles import Scope
from nt_ray.strategies.registry import find
from nt_ray.trader.jobs import spec as jobs
from nt_ray.trader.steering import Course

_SWARMS = "POST /api/v1/swarms"


class SwarmRun(OfJob, jobs.SwarmRun):
    """A swarm as the platform's API takes it."""

    kind: Settled[Literal["run"]] = "run"


class SwarmResult(Output):
    """What a swarm did."""

    job: str
    swarm_id: str = Field(description="Name of its run.")
    start: datetime
    end: datetime
    agents: int
    orders: int
    fills: int
    denials: dict[str, int]
    total_return: Figure
    sharpe: Figure
    max_drawdown: Figure
    digest: str


def _traded(_: Call, __: SwarmRun, done: Done) -> SwarmResult:
    told = done.summary
    same = ("start", "end", "agents", "orders", "fills", "denials", "digest")
    did = told["strategy"]
    return SwarmResult(
        job=done.job,
        swarm_id=done.run,
        total_return=did["total_return"],
        sharpe=did["sharpe"],
        max_drawdown=did["max_drawdown"],
        **{name: told[name] for name in same},
    )


@job(
    _traded,
    Category.SWARM,
    Scope.SWARMS_WRITE,
    {"strategies": ["momentum", "mean_reversion"], "symbols": ["KO", "PEP"], "start": "2022-09-01"},
    Twin(_SWARMS, more=KEY, settled=KIND),
    changes=True,
    repeatable=False,
)
def execute_swarm_strategy(_: Call, asked: SwarmRun) -> jobs.SwarmRun:
    """Let a swarm of agents paper-trade past bars, one by one, through the whole order path, and keep the run."""
    return _named(asked)


class BegunSwarm(OfJob, jobs.SwarmRun):
    """A swarm as the platform's API takes it."""

    kind: Settled[Literal["run"]] = "run"


@tool(
    Category.SWARM,
    Scope.SWARMS_WRITE,
    {"strategies": ["momentum"], "symbols": ["KO"], "start": "2022-09-01", "topology": "star", "job_key": "a-swarm"},
    Twin(_SWARMS, more=KEY, settled=KIND, answers=True),
    changes=True,
    repeatable=False,
)
def init_e2b_swarm(call: Call, asked: BegunSwarm) -> JobView:
    """Begin a swarm that paper-trades past bars, and answer at once with its job; it lives in no sandbox."""
    spec = _named(asked).model_dump(mode="json")
    return view_of(call.ask(call.backend.jobs.submit, spec, call.principal.id, asked.job_key))


def _named(asked: SwarmRun | BegunSwarm) -> jobs.SwarmRun:
    return part_of(asked, jobs.SwarmRun, strategies=[find(name).name for name in asked.strategies])


class SwarmEnd(Input):
    """Which swarm is meant."""

    job: JobId = Field(description="Its job, as progress and nt://jobs tell it.")


class SwarmScale(Hosts):
    """How many hosts it is to have."""

    job: JobId = Field(description="Its job, as progress and nt://jobs tell it.")


@tool(
    Category.SWARM,
    Scope.SWARMS_WRITE,
    {"job": "run-0123456789abcdef", "hosts": 2},
    Twin("POST /api/v1/swarms/{job}/scale", answers=True),
    changes=True,
)
def scale_swarm(call: Call, asked: SwarmScale) -> JobView:
    """Spread a swarm that is paper-trading over more hosts or fewer; its agents decide as before."""
    _check_own(call, asked.job)
    return view_of(call.ask(call.backend.jobs.adjust, asked.job, Course(hosts=asked.hosts)))


@tool(
    Category.SWARM,
    Scope.SWARMS_WRITE,
    {"job": "run-0123456789abcdef"},
    Twin("POST /api/v1/swarms/{job}/stop", answers=True),
    changes=True,
    destructive=True,
)
def shutdown_swarm(call: Call, asked: SwarmEnd) -> JobView:
    """End a swarm that is paper-trading, which is a job; what it did so far is not kept."""
    _check_own(call, asked.job)
    return view_of(call.ask(call.backend.jobs.cancel, asked.job))


def _check_own(call: Call, job: str) -> None:
    """Raise where a job is no swarm, or is not there for who asks."""
    found = reached(call.ask(call.backend.jobs.find, job), call.principal)
    if found.kind != KIND_OF_SWARMS:
        raise NotFoundError(f"{job} is no swarm, but a {found.kind}. nt://jobs lists the swarms there are.")


TOOLS = (
    execute_swarm_strategy,
    init_e2b_swarm,
    scale_swarm,
    shutdown_swarm,
)
