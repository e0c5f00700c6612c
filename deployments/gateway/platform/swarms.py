"""`/swarms`: swarms of agents that paper-trade the platform's data on the cluster.

A swarm lives as long as its run, a job of kind `run`: creating one submits the job, stopping one cancels it, and what
it was like stands in the run's summary. Hosts and topology may be changed meanwhile: the change is an event of the job
when it is asked for (`adjust`) and when it is made or refused (`adjusted`).
"""

from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import Field
from starlette.responses import Response

from deployments.gateway.backend.platform import Platform
from deployments.gateway.platform.jobs import JobId, JobView, own_job, submitted, view_of
from deployments.gateway.platform.paging import Cursor, Limit, Next, cursor_of, number_at
from deployments.gateway.platform.replies import Body, answered, problems, replied
from deployments.gateway.problems import NotFoundError
from deployments.gateway.security import needs
from nt_ray.access.roles import Owned, Principal, Scope
from nt_ray.config import Settings
from nt_ray.trader.jobs.job import Job
from nt_ray.trader.jobs.spec import SwarmRun
from nt_ray.trader.steering import Course

KIND = "run"


class SwarmPage(Body):
    """Swarms, newest first."""

    swarms: list[JobView]
    next: Next


class TopologyView(Body):
    """How a swarm is put together as asked for last, and what each topology costs on its data."""

    swarm: str
    topology: str
    rule: str
    hosts: int
    agents: int | None = Field(description="Known once the run has ended.")
    measured: list[dict[str, Any]] = Field(description="Messages, rounds and disagreement by topology.")


class Hosts(Body):
    """How many hosts a swarm is to have."""

    hosts: int = Field(ge=1, le=16, examples=[4], description="No more than it has agents are started.")


class Wiring(Body):
    """How opinions of a swarm are to travel."""

    topology: Literal["star", "hierarchical", "ring", "mesh"] = Field(examples=["ring"])


def router(platform: Platform) -> APIRouter:
    """Build the routes."""
    routes = APIRouter(prefix="/swarms", tags=["swarms"])

    @routes.post("", status_code=201, response_model=JobView, responses=problems(409), summary="Create a swarm")
    async def create(principal: Annotated[Principal, needs(Scope.SWARMS_WRITE)], spec: SwarmRun) -> Response:
        return answered(await submitted(platform, principal, spec), 201)

    @routes.get("", response_model=SwarmPage, responses=problems(), summary="List your swarms, newest first")
    async def listed(
        principal: Annotated[Principal, needs(Scope.SWARMS_READ)],
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Response:
        place = number_at("swarms", cursor)
        found = await platform.jobs.page(place, limit + 1, None, KIND, principal.only(Owned.JOBS))
        more = cursor_of("swarms", found[limit - 1].number) if len(found) > limit else None
        return replied(SwarmPage(swarms=[view_of(job) for job in found[:limit]], next=more))

    @routes.get("/{job}", response_model=JobView, responses=problems(404), summary="Show a swarm")
    async def show(principal: Annotated[Principal, needs(Scope.SWARMS_READ)], job: JobId) -> Response:
        return replied(view_of(await _swarm(platform, job, principal)))

    @routes.get("/{job}/topology", response_model=TopologyView, responses=problems(404), summary="How it is connected")
    async def topology(principal: Annotated[Principal, needs(Scope.SWARMS_READ)], job: JobId) -> Response:
        return replied(topology_of(platform.settings, await _swarm(platform, job, principal)))

    @routes.post(
        "/{job}/topology",
        response_model=JobView,
        responses=problems(404, 409),
        summary="Connect it otherwise",
        description="From its next block of bars on; rules that are linear decide the same in each topology.",
    )
    async def rewire(principal: Annotated[Principal, needs(Scope.SWARMS_WRITE)], job: JobId, body: Wiring) -> Response:
        return await steered(principal, job, Course(topology=body.topology))

    @routes.post("/{job}/stop", response_model=JobView, responses=problems(404, 409), summary="Stop a swarm")
    async def stop(principal: Annotated[Principal, needs(Scope.SWARMS_WRITE)], job: JobId) -> Response:
        await _swarm(platform, job, principal)
        return answered(view_of(await platform.jobs.cancel(job)))

    @routes.post(
        "/{job}/scale",
        response_model=JobView,
        responses=problems(404, 409),
        summary="Change the number of its hosts",
        description="From its next block of bars on; agents move with all they remember, and decide as before.",
    )
    async def scale(principal: Annotated[Principal, needs(Scope.SWARMS_WRITE)], job: JobId, body: Hosts) -> Response:
        return await steered(principal, job, Course(hosts=body.hosts))

    async def steered(principal: Principal, job: str, course: Course) -> Response:
        await _swarm(platform, job, principal)
        return answered(view_of(await platform.jobs.adjust(job, course)))

    return routes


async def _swarm(platform: Platform, job: str, principal: Principal) -> Job:
    found = await own_job(platform, job, principal)
    if found.kind != KIND:
        raise NotFoundError(f"{job} is no swarm, but a {found.kind}. List the swarms to see which there are.")
    return found


def topology_of(settings: Settings, job: Job) -> TopologyView:
    """Say how a swarm is put together, as asked for last, and what each topology has cost where that is known."""
    swarm = settings.swarm
    summary = dict(job.result or {}).get("summary", {})
    rows = [row for row in summary.get("swarm", []) if isinstance(row, dict)]
    asked = {**job.spec, **job.wanted}
    topology = asked.get("topology") or swarm.topology
    own = next((row for row in rows if row.get("topology") == topology), {})
    return TopologyView(
        swarm=job.id,
        topology=topology,
        rule=asked.get("rule") or swarm.rule,
        hosts=asked.get("hosts") or swarm.hosts,
        agents=own.get("agents"),
        measured=rows,
    )
