"""`/swarms`: swarms of agents that paper-trade the platform's data on the cluster.

A swarm lives as long as its run, a job of kind `run`: creating one submits the job, stopping one cancels it, and what
it was like stands in the run's summary. The number of its hosts is fixed when it starts.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import Response

from deployments.gateway.backend.platform import Platform
from deployments.gateway.platform.jobs import JobId, JobView, check_owner, view_of
from deployments.gateway.platform.paging import Cursor, Limit, cursor_of, number_at
from deployments.gateway.platform.replies import (
    Body,
    IdempotencyKey,
    NotAvailableError,
    done_once,
    problems,
    replied,
)
from deployments.gateway.problems import NotFoundError
from deployments.gateway.security import needs
from nt_ray.access.roles import Principal, Scope
from nt_ray.trader.jobs.job import Job
from nt_ray.trader.jobs.spec import SwarmRun

KIND = "run"


class SwarmPage(Body):
    """Swarms, newest first."""

    swarms: list[JobView]
    next: str | None


class TopologyView(Body):
    """How a swarm was put together, and what each topology costs on its data."""

    swarm: str
    topology: str
    rule: str
    hosts: int
    agents: int | None = Field(description="Known once the run has ended.")
    measured: list[dict[str, Any]] = Field(description="Messages, rounds and disagreement by topology.")


class Scale(Body):
    """How many hosts a swarm is to have."""

    hosts: int = Field(ge=1, le=16)


def router(platform: Platform) -> APIRouter:
    """Build the routes."""
    routes = APIRouter(prefix="/swarms", tags=["swarms"])

    @routes.post("", status_code=201, response_model=JobView, responses=problems(409), summary="Create a swarm")
    async def create(
        request: Request,
        principal: Annotated[Principal, needs(Scope.SWARMS_WRITE)],
        spec: SwarmRun,
        key: IdempotencyKey = None,
    ) -> Response:
        async def work() -> JobView:
            return view_of(await platform.jobs.submit(spec.model_dump(mode="json"), principal.id, key or ""))

        return await done_once(platform.jobs, request, principal, key, work, 201)

    @routes.get("", response_model=SwarmPage, responses=problems(), summary="List swarms, newest first")
    async def listed(
        request: Request, _: Annotated[Principal, needs(Scope.SWARMS_READ)], limit: Limit = 50, cursor: Cursor = None
    ) -> Response:
        found = await platform.jobs.page(number_at("swarms", cursor), limit, None, KIND)
        more = cursor_of("swarms", found[-1].number) if len(found) == limit else None
        return replied(request, SwarmPage(swarms=[view_of(job) for job in found], next=more))

    @routes.get("/{job}", response_model=JobView, responses=problems(404), summary="Show a swarm")
    async def show(request: Request, _: Annotated[Principal, needs(Scope.SWARMS_READ)], job: JobId) -> Response:
        return replied(request, view_of(await _swarm(platform, job)))

    @routes.get("/{job}/topology", response_model=TopologyView, responses=problems(404), summary="How it is connected")
    async def topology(request: Request, _: Annotated[Principal, needs(Scope.SWARMS_READ)], job: JobId) -> Response:
        return replied(request, _topology(platform, await _swarm(platform, job)))

    @routes.post("/{job}/stop", response_model=JobView, responses=problems(404, 409), summary="Stop a swarm")
    async def stop(
        request: Request,
        principal: Annotated[Principal, needs(Scope.SWARMS_WRITE)],
        job: JobId,
        key: IdempotencyKey = None,
    ) -> Response:
        async def work() -> JobView:
            await _swarm(platform, job)
            await check_owner(platform, job, principal, Scope.SWARMS_WRITE)
            return view_of(await platform.jobs.cancel(job))

        return await done_once(platform.jobs, request, principal, key, work)

    @routes.post(
        "/{job}/scale",
        response_model=JobView,
        responses=problems(404, 409, 501),
        summary="Change the number of hosts (not available)",
    )
    async def scale(
        request: Request,
        principal: Annotated[Principal, needs(Scope.SWARMS_WRITE)],
        job: JobId,
        body: Scale,
        key: IdempotencyKey = None,
    ) -> Response:
        await _swarm(platform, job)
        raise NotAvailableError(
            "Changing the hosts of a swarm that runs", f"Create one with hosts = {body.hosts}; it decides the same."
        )

    return routes


async def _swarm(platform: Platform, job: str) -> Job:
    found = await platform.jobs.find(job)
    if found.kind != KIND:
        raise NotFoundError(f"{job} is no swarm, but a {found.kind}. List the swarms to see which there are.")
    return found


def _topology(platform: Platform, job: Job) -> TopologyView:
    swarm = platform.settings.swarm
    summary = dict(job.result or {}).get("summary", {})
    rows = [row for row in summary.get("swarm", []) if isinstance(row, dict)]
    topology = job.spec.get("topology") or swarm.topology
    own = next((row for row in rows if row.get("topology") == topology), {})
    return TopologyView(
        swarm=job.id,
        topology=topology,
        rule=job.spec.get("rule") or swarm.rule,
        hosts=job.spec.get("hosts") or swarm.hosts,
        agents=own.get("agents"),
        measured=rows,
    )
