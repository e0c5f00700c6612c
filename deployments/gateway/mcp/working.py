"""A job from its submission to its end, for one who waits: his progress, his cancellation, its answer.

Nobody is blocked while it is waited for. Whoever goes away cancels his job, unless he has named it by a key of his own:
then it goes on, and the same call finds it again, at work or done.
"""

import asyncio
import math
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final

import anyio
import anyio.to_thread

from deployments.gateway.afterwards import begin, see_to
from deployments.gateway.backend.jobs import Jobs
from deployments.gateway.mcp import runs
from deployments.gateway.mcp.backend import Backend
from deployments.gateway.mcp.call import Done
from deployments.gateway.mcp.problems import Problem, ProblemError, StoppedError
from nt_ray.access.roles import Principal
from nt_ray.trader.jobs.job import Job, JobEvent, State
from nt_ray.trader.jobs.spec import AnySpec

WAIT_S: Final = 10.0
"""Seconds that events are waited for in one question."""
CANCEL_S: Final = 5.0
"""Seconds that a cancellation may take once its caller is gone."""
LEFT_OUT: Final = "left_out"
_SERVERS_FAULTS: Final = frozenset({"internal", "interrupted"})

Report = Callable[[float, float | None, str | None], Coroutine[Any, Any, None]]


async def work(backend: Backend, spec: AnySpec, principal: Principal, key: str, report: Report) -> Done:
    """Submit a job and wait for its end; raises what it failed with."""
    jobs = backend.jobs
    taken = begin(jobs.submit(spec.model_dump(mode="json"), principal.id, key))
    try:
        job = await asyncio.shield(taken)
        await _follow(jobs, job.id, report)
        job = await jobs.find(job.id)
        return await anyio.to_thread.run_sync(_done, job, backend.settings.runs, principal)
    except anyio.get_cancelled_exc_class():
        if not key:
            await see_to(_cancel(jobs, taken), CANCEL_S)
        raise


async def _cancel(jobs: Jobs, taken: asyncio.Task[Job]) -> None:
    """Cancel a job, also one that was being taken when its caller went."""
    await jobs.cancel((await taken).id)


async def _follow(jobs: Jobs, job: str, report: Report) -> None:
    """Pass progress on until the job ends; it never goes back, though each phase of a job counts anew."""
    after, share = 0, 0.0
    await report(share, 1.0, job)
    while True:
        for event in await jobs.events(after, job, WAIT_S):
            after = event.seq
            if event.kind in (State.SUCCEEDED, State.FAILED, State.CANCELLED):
                return
            found = _share(event)
            if found > share:
                share = found
                await report(share, 1.0, f"{job}: {event.data['done']} of {event.data['total']}")


def _share(event: JobEvent) -> float:
    total = event.data.get("total", 0)
    return math.floor(100 * event.data["done"] / total) / 100 if total else 0.0


def _done(job: Job, folder: Path, principal: Principal) -> Done:
    if job.state is State.CANCELLED:
        raise StoppedError
    if job.result is None:
        error = job.error or {"code": "internal", "message": "The job has ended without a result."}
        status = 500 if error["code"] in _SERVERS_FAULTS else 422
        raise ProblemError(Problem(code=error["code"], message=error["message"], status=status))
    run, told = str(job.result["run"]), dict(job.result["summary"])
    # The book leaves out a summary that is too long for it; the run's folder has it.
    return Done(job.id, run, runs.summary(runs.folder(folder, run, principal)) if set(told) == {LEFT_OUT} else told)
