"""`/jobs`: backtests, sweeps, swarm runs and trainings; their progress as server-sent events."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Path, Query
from pydantic import BaseModel, Field
from starlette.responses import Response, StreamingResponse

from deployments.gateway.backend.platform import Platform
from deployments.gateway.names import name_of_key
from deployments.gateway.ownership import reached
from deployments.gateway.platform.following import Followed
from deployments.gateway.platform.paging import Cursor, Limit, Next, cursor_of, number_at
from deployments.gateway.platform.replies import Body, answered, problems, replied
from deployments.gateway.security import needs
from nt_ray.access.roles import Owned, Principal, Scope
from nt_ray.errors import ServiceError
from nt_ray.trader.jobs.job import Job, State
from nt_ray.trader.jobs.spec import SPEC, Spec, SwarmRun, Train

KINDS: Final = tuple(SPEC.json_schema()["discriminator"]["mapping"])
"""Kinds of jobs."""
WAIT_S: Final = 10.0
"""Seconds of silence after which a stream of events says that it is alive."""

PAUSE_S: Final = 0.5
PATIENCE: Final = 60
"""How often a keeper that is away is asked again, with this pause."""

_STREAM: Final = {
    "schema": {"type": "string"},
    "example": 'id: 41\nevent: state\ndata: {"job": "backtest-0123456789abcdef", "kind": "state"}\n\n',
}

JobId = Annotated[str, Path(pattern=r"^[a-z]+-[0-9a-f]{16}$", examples=["backtest-0123456789abcdef"])]


class JobError(Body):
    """Why a job failed."""

    code: str
    message: str


class JobView(Body):
    """A job as it stands."""

    id: str
    kind: str
    owner: str
    state: State
    spec: dict[str, Any] = Field(description="What was asked for, defaults filled in.")
    wanted: dict[str, Any] = Field(description="What was asked of it since: a swarm's hosts and topology.")
    created: str
    started: str | None
    ended: str | None
    done: int = Field(description="Steps done: bars, combinations or steps of training.")
    total: int = Field(description="Steps in all; 0 while they are not known.")
    attempt: int = Field(description="How often it was begun; more than once where its process died.")
    cancel_asked: bool
    result: dict[str, Any] | None = Field(description="Run's name, files of its folder, summary.")
    error: JobError | None


class JobPage(Body):
    """Jobs, newest first."""

    jobs: list[JobView]
    next: Next


def view_of(job: Job) -> JobView:
    """Show a job."""
    return JobView(
        id=job.id,
        kind=job.kind,
        owner=job.owner,
        state=job.state,
        spec=dict(job.spec),
        wanted=dict(job.wanted),
        created=job.created,
        started=job.started or None,
        ended=job.ended or None,
        done=job.done,
        total=job.total,
        attempt=job.attempt,
        cancel_asked=job.cancel_asked,
        result=None if job.result is None else dict(job.result),
        error=None if job.error is None else JobError(**job.error),
    )


def router(platform: Platform) -> APIRouter:
    """Build the routes."""
    routes = APIRouter(prefix="/jobs", tags=["jobs"])

    @routes.post("", status_code=201, response_model=JobView, responses=problems(409), summary="Submit a job")
    async def submit(principal: Annotated[Principal, needs(Scope.JOBS_WRITE)], spec: Spec) -> Response:
        return answered(await submitted(platform, principal, spec), 201)

    @routes.get("", response_model=JobPage, responses=problems(), summary="List your jobs, newest first")
    async def listed(
        principal: Annotated[Principal, needs(Scope.JOBS_READ)],
        limit: Limit = 50,
        cursor: Cursor = None,
        state: Annotated[State | None, Query(description="Only those in this state.")] = None,
        kind: Annotated[str | None, Query(pattern=f"^({'|'.join(KINDS)})$")] = None,
    ) -> Response:
        place = number_at("jobs", cursor)
        found = await platform.jobs.page(place, limit + 1, state, kind, principal.only(Owned.JOBS))
        more = cursor_of("jobs", found[limit - 1].number) if len(found) > limit else None
        return replied(JobPage(jobs=[view_of(job) for job in found[:limit]], next=more))

    @routes.get("/{job}", response_model=JobView, responses=problems(404), summary="Show a job, its result with it")
    async def show(principal: Annotated[Principal, needs(Scope.JOBS_READ)], job: JobId) -> Response:
        return replied(view_of(await own_job(platform, job, principal)))

    @routes.post("/{job}/cancel", response_model=JobView, responses=problems(404, 409), summary="Cancel a job")
    async def cancel(principal: Annotated[Principal, needs(Scope.JOBS_WRITE)], job: JobId) -> Response:
        await own_job(platform, job, principal)
        return answered(view_of(await platform.jobs.cancel(job)))

    @routes.get(
        "/{job}/events",
        response_class=StreamingResponse,
        responses={
            **problems(404, 429),
            200: {"content": {"text/event-stream": _STREAM}, "description": "Changes as they come."},
        },
        summary="Follow a job by server-sent events",
        description="Each event's `id` is its number: `Last-Event-ID` goes on after it. The stream ends with the job, "
        "and outlives a restart of the keeper of jobs. It ends with an event `end` and its `code` soon after the "
        "credential does.",
    )
    async def follow(
        principal: Annotated[Principal, needs(Scope.JOBS_READ)],
        job: JobId,
        last: Annotated[int, Header(alias="Last-Event-ID", ge=0, lt=2**63)] = 0,
    ) -> StreamingResponse:
        await own_job(platform, job, principal)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        told = _told(platform, job, last)
        return Followed(principal.id, told, media_type="text/event-stream", headers=headers)

    return routes


async def submitted(platform: Platform, principal: Principal, spec: BaseModel) -> JobView:
    """Submit a job, the same one where the request is made again under its key."""
    if isinstance(spec, SwarmRun):
        principal.require(Scope.SWARMS_WRITE)
    if isinstance(spec, Train) and spec.register_as is not None:
        # It leaves a model behind, by whichever door it came.
        principal.require(Scope.MODELS_WRITE)
    return view_of(await platform.jobs.submit(spec.model_dump(mode="json"), principal.id, name_of_key()))


async def own_job(platform: Platform, job: str, principal: Principal) -> Job:
    """Find a job; `NoJobError` where there is none for him."""
    return reached(await platform.jobs.find(job), principal)


async def _told(platform: Platform, job: str, after: int) -> AsyncIterator[bytes]:
    lost = 0
    while True:
        try:
            # Looked at before the events, so that none between the two is missed.
            found = await platform.jobs.find(job)
            events = await platform.jobs.events(after, job, 0.0 if found.has_ended else WAIT_S)
        except ServiceError:
            # The keeper is being restarted. What it has told stands in its book, and the numbers go on.
            lost += 1
            if lost > PATIENCE:
                raise
            yield b": waiting for the keeper of jobs\n\n"
            await asyncio.sleep(PAUSE_S)
            continue
        lost = 0
        for event in events:
            after = event.seq
            data = json.dumps({"job": job, "time": event.time, "kind": event.kind, **event.data})
            yield f"id: {event.seq}\nevent: {event.kind}\ndata: {data}\n\n".encode()
        if not events:
            if found.has_ended:
                return
            yield b": alive\n\n"
            await asyncio.sleep(0)
