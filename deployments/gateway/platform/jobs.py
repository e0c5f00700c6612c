"""`/jobs`: backtests, sweeps, swarm runs and trainings; their progress as server-sent events."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Path, Query, Request
from pydantic import Field
from starlette.responses import Response, StreamingResponse

from deployments.gateway.backend.platform import Platform
from deployments.gateway.platform.paging import Cursor, Limit, cursor_of, number_at
from deployments.gateway.platform.replies import Body, IdempotencyKey, done_once, problems, replied
from deployments.gateway.security import needs
from nt_ray.access.roles import ForbiddenError, Principal, Role, Scope
from nt_ray.trader.jobs.job import Job, State
from nt_ray.trader.jobs.spec import Spec

WAIT_S: Final = 10.0
"""Seconds of silence after which a stream of events says that it is alive."""

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
    next: str | None = Field(description="Cursor of the next page; null on the last.")


def view_of(job: Job) -> JobView:
    """Show a job."""
    return JobView(
        id=job.id,
        kind=job.kind,
        owner=job.owner,
        state=job.state,
        spec=dict(job.spec),
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
    async def submit(
        request: Request,
        principal: Annotated[Principal, needs(Scope.JOBS_WRITE)],
        spec: Spec,
        key: IdempotencyKey = None,
    ) -> Response:
        data = spec.model_dump(mode="json")

        async def work() -> JobView:
            return view_of(await platform.jobs.submit(data, principal.id, key or ""))

        return await done_once(platform.jobs, request, principal, key, work, 201)

    @routes.get("", response_model=JobPage, responses=problems(), summary="List jobs, newest first")
    async def listed(
        request: Request,
        _: Annotated[Principal, needs(Scope.JOBS_READ)],
        limit: Limit = 50,
        cursor: Cursor = None,
        state: Annotated[State | None, Query(description="Only those in this state.")] = None,
        kind: Annotated[str | None, Query(pattern="^(backtest|sweep|run|train)$")] = None,
    ) -> Response:
        found = await platform.jobs.page(number_at("jobs", cursor), limit, state, kind)
        more = cursor_of("jobs", found[-1].number) if len(found) == limit else None
        return replied(request, JobPage(jobs=[view_of(job) for job in found], next=more))

    @routes.get("/{job}", response_model=JobView, responses=problems(404), summary="Show a job, its result with it")
    async def show(request: Request, _: Annotated[Principal, needs(Scope.JOBS_READ)], job: JobId) -> Response:
        return replied(request, view_of(await platform.jobs.find(job)))

    @routes.post("/{job}/cancel", response_model=JobView, responses=problems(404, 409), summary="Cancel a job")
    async def cancel(
        request: Request,
        principal: Annotated[Principal, needs(Scope.JOBS_WRITE)],
        job: JobId,
        key: IdempotencyKey = None,
    ) -> Response:
        async def work() -> JobView:
            await check_owner(platform, job, principal, Scope.JOBS_WRITE)
            return view_of(await platform.jobs.cancel(job))

        return await done_once(platform.jobs, request, principal, key, work)

    @routes.get(
        "/{job}/events",
        response_class=StreamingResponse,
        responses={
            **problems(404),
            200: {"content": {"text/event-stream": {}}, "description": "Changes as they come."},
        },
        summary="Follow a job by server-sent events",
        description="Each event's `id` is its number: `Last-Event-ID` goes on after it. The stream ends with the job.",
    )
    async def follow(
        _: Annotated[Principal, needs(Scope.JOBS_READ)],
        job: JobId,
        last: Annotated[int, Header(alias="Last-Event-ID", ge=0, lt=2**63)] = 0,
    ) -> StreamingResponse:
        await platform.jobs.find(job)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(_told(platform, job, last), media_type="text/event-stream", headers=headers)

    return routes


async def check_owner(platform: Platform, job: str, principal: Principal, scope: Scope) -> None:
    """Refuse whoever neither submitted a job nor is an admin."""
    found = await platform.jobs.find(job)
    if principal.role is not Role.ADMIN and found.owner != principal.id:
        raise ForbiddenError(scope)


async def _told(platform: Platform, job: str, after: int) -> AsyncIterator[bytes]:
    while True:
        # Looked at before the events, so that none between the two is missed.
        found = await platform.jobs.find(job)
        events = await platform.jobs.events(after, job, 0.0 if found.has_ended else WAIT_S)
        for event in events:
            after = event.seq
            data = json.dumps({"job": job, "time": event.time, "kind": event.kind, **event.data})
            yield f"id: {event.seq}\nevent: {event.kind}\ndata: {data}\n\n".encode()
        if not events:
            if found.has_ended:
                return
            yield b": alive\n\n"
            await asyncio.sleep(0)
