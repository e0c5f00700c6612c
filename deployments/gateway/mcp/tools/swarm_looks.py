"""Tools that look at a swarm, at work by its job and finished by its run: who is in it, its cost, what is wrong."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias

import polars as pl
from pydantic import Field

from deployments.gateway.mcp import runs
from deployments.gateway.mcp.call import Call
from deployments.gateway.mcp.categories import Category
from deployments.gateway.mcp.schema import Figure, Input, Output
from deployments.gateway.mcp.tool import tool
from deployments.gateway.ownership import reached
from deployments.gateway.platform.swarms import KIND, topology_of
from deployments.gateway.problems import NotFoundError
from nt_ray.access.roles import Scope
from nt_ray.errors import BadInputError
from nt_ray.trader import files
from nt_ray.trader.jobs.job import Job, JobEvent, State

ABOVE: Final = 0.5
"""Share of rounds above which a silent agent is told of."""
QUIET_S: Final = 120.0
"""Seconds without a word of a swarm at work after which that is told of."""
_OF_JOBS: Final = f"{KIND}-"
"""What ids of swarms' jobs begin with; no run is named so."""

Phase: TypeAlias = Literal["queued", "running", "finished", "failed", "cancelled"]
_PHASES: Final[Mapping[State, Phase]] = {
    State.QUEUED: "queued",
    State.RUNNING: "running",
    State.SUCCEEDED: "finished",
    State.FAILED: "failed",
    State.CANCELLED: "cancelled",
}
SwarmName: TypeAlias = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$",
        description="Job of a swarm, as nt://jobs lists them, at work or not; run of one; or latest: the newest run.",
    ),
]


class WhichSwarm(Input):
    """Which swarm."""

    swarm_id: SwarmName = "latest"


class AgentStatus(Output):
    """One agent over the whole run."""

    name: str
    strategy: str
    symbols: int
    contribution: Figure = Field(description="What its opinions would have earned by themselves.")
    mean_weight: Figure
    silent_rounds: int


class SwarmStatus(Output):
    """A swarm as it stands; what only its end shows is empty or null before."""

    swarm_id: str
    state: Phase
    done: int | None = Field(description="Bars traded; null once it has finished.")
    total: int | None = Field(description="Bars in all; 0 while they are not known.")
    topology: str
    rule: str
    hosts: int | None
    agents: tuple[AgentStatus, ...]
    repairs: int | None = Field(description="Hosts that died and were replaced.")
    failovers: int | None


@tool(Category.SWARM, Scope.SWARMS_READ, {"swarm_id": "latest"})
def get_swarm_status(call: Call, asked: WhichSwarm) -> SwarmStatus:
    """Show a swarm: how far it is, its topology and rule, and, once finished, each agent's contribution and weight."""
    job = _job(call, asked.swarm_id)
    if job is not None and job.state is not State.SUCCEEDED:
        wired = topology_of(call.backend.settings, job)
        return SwarmStatus(
            swarm_id=job.id,
            state=_PHASES[job.state],
            done=job.done,
            total=job.total,
            topology=wired.topology,
            rule=wired.rule,
            hosts=wired.hosts,
            agents=(),
            repairs=None,
            failovers=None,
        )
    place, told, agents = _run(call, asked.swarm_id, job)
    used = told["swarm"][0]
    return SwarmStatus(
        swarm_id=place.name,
        state="finished",
        done=None,
        total=None,
        topology=used["topology"],
        rule=used["rule"],
        hosts=used["hosts"],
        agents=tuple(AgentStatus(**{n: row[n] for n in AgentStatus.model_fields}) for row in agents.to_dicts()),
        repairs=told["repairs"],
        failovers=told["failovers"],
    )


class SwarmTopology(Output):
    """What a topology cost; those the run did not use are measured over its last bars."""

    topology: str
    rule: str
    agents: int
    hosts: int
    bars: int
    messages: int
    rounds: int
    disagreement: Figure
    silent: int


class SwarmMetrics(Output):
    """What decisions cost, and who earned what; of a swarm at work its pace alone is known."""

    swarm_id: str
    state: Phase
    seconds: Figure = Field(description="Since its attempt began, or of the whole run.")
    bars_per_second: Figure
    order_latency_ms: dict[str, Figure]
    topologies: tuple[SwarmTopology, ...]
    by_strategy: tuple[dict[str, str | float | int | None], ...]


@tool(Category.SWARM, Scope.SWARMS_READ, {"swarm_id": "latest"})
def get_swarm_metrics(call: Call, asked: WhichSwarm) -> SwarmMetrics:
    """Show a swarm's pace and, once finished, its messages by topology, its latency, contributions by strategy."""
    job = _job(call, asked.swarm_id)
    if job is not None and job.state is not State.SUCCEEDED:
        seconds = _seconds(job.started, job.ended)
        return SwarmMetrics(
            swarm_id=job.id,
            state=_PHASES[job.state],
            seconds=seconds,
            bars_per_second=job.done / seconds if seconds else None,
            order_latency_ms={},
            topologies=(),
            by_strategy=(),
        )
    place, told, _ = _run(call, asked.swarm_id, job)
    return SwarmMetrics(
        swarm_id=place.name,
        state="finished",
        seconds=told["seconds"],
        bars_per_second=told["bars_per_second"],
        order_latency_ms=told["latency_ms"],
        topologies=tuple(SwarmTopology(**row) for row in told["swarm"]),
        by_strategy=tuple(told["by_strategy"]),
    )


class SwarmHealth(Output):
    """Whether everything goes, or went, well in a swarm."""

    swarm_id: str
    state: Phase
    healthy: bool
    alerts: tuple[str, ...]


@tool(Category.SWARM, Scope.SWARMS_READ, {"swarm_id": "latest"})
def monitor_swarm_health(call: Call, asked: WhichSwarm) -> SwarmHealth:
    """Tell what is wrong in a swarm: silence, lost attempts, refused changes; once finished agents, hosts, denials."""
    job = _job(call, asked.swarm_id)
    if job is not None and job.state is not State.SUCCEEDED:
        alerts, name, state = _alerts_of_job(job, _events(call, job.id)), job.id, _PHASES[job.state]
    else:
        place, told, agents = _run(call, asked.swarm_id, job)
        alerts, name, state = _alerts_of_run(told, agents), place.name, "finished"
    return SwarmHealth(swarm_id=name, state=state, healthy=not alerts, alerts=tuple(alerts))


def _alerts_of_job(job: Job, events: Sequence[JobEvent]) -> list[str]:
    alerts = [f"it was begun {job.attempt} times, since its process died"] if job.attempt > 1 else []
    alerts += [
        f"a change was refused: {event.data['refused']}"
        for event in events
        if event.kind == "adjusted" and event.data.get("refused")
    ]
    if job.error is not None:
        alerts.append(job.error["message"])
    quiet = _seconds(events[-1].time, "") if events else None
    if job.state is State.RUNNING and quiet is not None and quiet > QUIET_S:
        alerts.append(f"nothing has been heard of it for {quiet:.0f} s")
    return alerts


def _alerts_of_run(told: dict[str, Any], agents: pl.DataFrame) -> list[str]:
    alerts = [f"{row['name']}: {row['sentence']}" for row in told["faults"]]
    rounds = told["swarm"][0]["rounds"]
    alerts += [
        f"{row['name']} was silent in {row['silent_rounds']} of {rounds} rounds"
        for row in agents.to_dicts()
        if rounds and row["silent_rounds"] > ABOVE * rounds
    ]
    for what, count in (("hosts were replaced", told["repairs"]), ("failovers of a broker", told["failovers"])):
        if count:
            alerts.append(f"{count} {what}")
    return alerts + [f"{count} orders denied by {rule}" for rule, count in told["denials"].items()]


def _job(call: Call, name: str) -> Job | None:
    """Swarm of a job's id; None where the name is that of a run."""
    if not name.startswith(_OF_JOBS):
        return None
    found = reached(call.ask(call.backend.jobs.find, name), call.principal)
    if found.kind != KIND:
        raise NotFoundError(f"{name} is no swarm, but a {found.kind}. nt://jobs lists the swarms there are.")
    return found


def _run(call: Call, name: str, job: Job | None) -> tuple[Path, dict[str, Any], pl.DataFrame]:
    """Folder, summary and agents of a swarm's run, by its name or that of the job which has made it."""
    run = name if job is None or job.result is None else str(job.result["run"])
    place = runs.folder(call.backend.settings.runs, run, call.principal, files.AGENTS)
    told = runs.summary(place)
    if not told.get("swarm") or not (place / files.AGENTS).is_file():
        raise BadInputError(f"Run {run} is not of a swarm. execute_swarm_strategy or `nt-ray run` makes one.")
    return place, told, pl.read_parquet(place / files.AGENTS)


def _events(call: Call, job: str) -> list[JobEvent]:
    found: list[JobEvent] = []
    while more := call.ask(call.backend.jobs.events, found[-1].seq if found else 0, job, 0.0):
        found += more
    return found


def _seconds(since: str, until: str) -> float | None:
    """Seconds between two times of a job, up to now where the later one has not come."""
    if not since:
        return None
    end = datetime.fromisoformat(until) if until else datetime.now(UTC)
    return (end - datetime.fromisoformat(since)).total_seconds()


TOOLS = (get_swarm_status, get_swarm_metrics, monitor_swarm_health)
