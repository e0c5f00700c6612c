"""The actor of jobs: takes them, has them worked on in tasks of the cluster, and tells of them.

The book (`nt_ray.trader.jobs.book`) is its only state, so a restarted actor is complete: jobs that were under way wait
again and are begun anew, since their tasks died with it. A job that is cancelled ends by itself where it reports
progress, and otherwise loses its process. Its one loop is never blocked: whoever waits for events costs no thread.
"""

import asyncio
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

import actors.cluster  # noqa: F401  prepares the environment Ray reads

import ray  # isort: skip  after actors.cluster, which prepares its environment

from ray.exceptions import ActorUnavailableError, RayError, RayTaskError, TaskCancelledError

from actors.calls import settle
from actors.cluster import NAMESPACE, held_here
from actors.job_line import JobLine
from actors.job_work import perform
from nt_ray.config import Settings
from nt_ray.errors import NeuralTraderError
from nt_ray.trader.jobs.answers import Answer, Claim
from nt_ray.trader.jobs.book import JobBook
from nt_ray.trader.jobs.job import Job, JobCancelledError, JobEvent, JobSpecError, State
from nt_ray.trader.jobs.reading import check_spec, read_spec
from nt_ray.trader.jobs.spec import AnySpec
from nt_ray.trader.jobs.swarm_changes import changes_of, reported, turned
from nt_ray.trader.steering import Course, Turn

NAME: Final = "jobs"
FILE: Final = "jobs.sqlite"
AT_ONCE: Final = 2
"""Jobs that are worked on at the same time unless told otherwise."""
CALLERS: Final = 2000
GRACE_S: Final = 3.0
"""Seconds that a cancelled job has to end by itself."""
LONGEST_WAIT_S: Final = 30.0
AGAIN_S: Final = 1.0
"""Seconds until the end of a job is written down again that the book did not take."""
KEEPER_AWAY_S: Final = 30.0
"""Seconds that a job's work waits for a keeper that is being started again."""

_log = logging.getLogger(__name__)


@ray.remote(num_cpus=1, max_retries=0)
def _work(keeper: Any, job: str, attempt: int, settings: Settings, spec: AnySpec, owner: str) -> dict[str, Any]:
    line = JobLine(
        lambda done, total: _asked(lambda: keeper.progress.remote(job, attempt, done, total)),
        lambda turn: ray.get(keeper.turned.remote(job, attempt, turn)),
    )
    return perform(settings, spec, line.tell, steering=line, source=job, owner=owner)


def _asked(ask: Callable[[], Any]) -> Any:
    """Ask the keeper what may be asked twice; one that is being started again is waited for."""
    deadline = time.monotonic() + KEEPER_AWAY_S
    while True:
        try:
            return ray.get(ask())
        except ActorUnavailableError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


@ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=0, max_concurrency=CALLERS)  # type: ignore[call-overload]
class JobsActor:
    """Mailbox of the book of jobs."""

    def __init__(self, settings: Settings, at_once: int = AT_ONCE) -> None:
        folder = Path(settings.state)
        folder.mkdir(parents=True, exist_ok=True)
        self._settings = settings
        self._at_once = at_once
        self._book = JobBook(folder / FILE)
        self._running: dict[str, Any] = {}
        self._news = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._self = ray.get_runtime_context().current_actor
        # The work itself may go anywhere; whoever leads it writes the run's folder, which is this node's.
        self._held = held_here()
        self._book.recover()
        self._dispatch()

    async def submit(self, data: Mapping[str, Any], owner: str, key: str = "") -> Job:
        """Take a job, once under a key of the owner's; raises before anything is written where it cannot be done."""
        spec = read_spec(data)
        # Names are looked up in a thread: the first look imports and may compile.
        await asyncio.to_thread(check_spec, self._settings, spec)
        job = self._book.submit(spec.kind, spec.model_dump(mode="json"), owner, key)
        self._dispatch()
        return self._book.find(job.id)

    async def find(self, job: str) -> Job:
        """Return one job."""
        return self._book.find(job)

    async def page(
        self, before: int | None, limit: int, state: str | None, kind: str | None, owner: str | None = None
    ) -> list[Job]:
        """Return jobs, newest first; of all owners, or of one."""
        wanted = None if state is None else State(state)
        return self._book.page(before=before, limit=limit, state=wanted, kind=kind, owner=owner)

    async def cancel(self, job: str) -> Job:
        """Cancel a job; one that has ended stays as it is."""
        found = self._book.cancel(job)
        if found.state is State.RUNNING:
            self._spawn(self._kill_later(job, found.attempt))
        self._tell()
        return found

    async def adjust(self, job: str, course: Course) -> Job:
        """Ask a swarm for other hosts or another topology, from its next block of bars on."""
        found = self._book.adjust(job, changes_of(self._book.find(job), course))
        self._tell()
        return found

    async def turned(self, job: str, attempt: int, turn: Turn) -> None:
        """Hear what became of a change of a swarm."""
        turned(self._book, job, attempt, turn)
        self._tell()

    async def progress(self, job: str, attempt: int, done: int, total: int) -> Course | None:
        """Take a report of progress; None where the work is to stop, else what a swarm is to be like."""
        course = reported(self._book, job, attempt, done, total)
        self._tell()
        return course

    async def events(self, after: int, job: str | None = None, wait_s: float = 0.0) -> list[JobEvent]:
        """Return events after a number, of one job or of all; waits for the first one, up to `wait_s` seconds."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + min(wait_s, LONGEST_WAIT_S)
        while True:
            found, left = self._book.events(after, job), deadline - loop.time()
            if found or left <= 0:
                return found
            news = self._news
            try:
                # Not `wait_for`, which may take a cancellation for the news that came with it.
                async with asyncio.timeout(left):
                    await news.wait()
            except TimeoutError:
                continue

    async def last_event(self) -> int:
        """Return the number of the newest event."""
        return self._book.last_event()

    async def counts(self) -> dict[str, int]:
        """Return how many jobs there are in each state."""
        return self._book.counts()

    async def claim(self, owner: str, operation: str, key: str, digest: str) -> Answer | Claim:
        """Claim an idempotency key; the answer it has, if it has one."""
        return self._book.answers.claim(owner, operation, key, digest)

    async def keep(self, owner: str, operation: str, key: str, claim: Claim, answer: Answer) -> None:
        """Keep the answer under a claimed key."""
        self._book.answers.keep(owner, operation, key, claim, answer)

    async def release(self, owner: str, operation: str, key: str, claim: Claim) -> None:
        """Give up a claim."""
        self._book.answers.release(owner, operation, key, claim)

    async def ping(self) -> None:
        """Answer once the book is open."""

    async def pid(self) -> int:
        """Process that holds the actor now."""
        return os.getpid()

    async def close(self) -> None:
        """End what is under way, as a restart would, and close the book."""
        for ref in self._running.values():
            ray.cancel(ref, force=True)
        for task in self._tasks:
            task.cancel()
        self._book.close()

    def _dispatch(self) -> None:
        for job in self._book.waiting():
            if len(self._running) >= self._at_once:
                break
            if job in self._running:
                continue
            found, attempt = self._book.find(job), self._book.begin(job)
            try:
                spec = read_spec({**found.spec, **found.wanted})
            except JobSpecError as error:
                # Written down by another version of the program; the others do not wait for it.
                self._book.fail(job, attempt, error.code, str(error))
                continue
            ref = _work.options(resources=self._held).remote(
                self._self, job, attempt, self._settings, spec, found.owner
            )
            self._running[job] = ref
            self._spawn(self._follow(job, attempt, ref))
        self._tell()

    async def _follow(self, job: str, attempt: int, ref: Any) -> None:
        """Wait for the end of a task, whatever it is, and write it down."""
        end: Callable[[], object]
        try:
            end = partial(self._succeeded, job, attempt, await ref)
        except RayTaskError as error:
            end = partial(self._failed, job, attempt, error)
        except TaskCancelledError:
            end = partial(self._book.interrupt, job, attempt, "its task was cancelled")
        except RayError as error:
            end = partial(self._book.interrupt, job, attempt, f"its process died ({type(error).__name__})")
        finally:
            self._running.pop(job, None)
        await _written(end)
        await _written(self._dispatch)

    def _succeeded(self, job: str, attempt: int, result: dict[str, Any]) -> None:
        try:
            self._book.succeed(job, attempt, result)
        except (TypeError, ValueError):
            _log.exception("The result of %s is no JSON.", job)
            self._book.fail(job, attempt, "internal", "The work was done, but its result is no JSON. See its run.")

    def _failed(self, job: str, attempt: int, error: RayTaskError) -> None:
        cause = error.cause
        if isinstance(cause, JobCancelledError):
            self._book.stopped(job, attempt)
        elif isinstance(cause, NeuralTraderError):
            self._book.fail(job, attempt, cause.code, str(cause))
        elif isinstance(cause, RayError):
            self._book.interrupt(job, attempt, f"it lost what it worked with ({type(cause).__name__})")
        else:
            # Its text may hold anything; the traceback is in the log of the worker.
            self._book.fail(job, attempt, "internal", f"The work failed with {type(cause).__name__}. The log says why.")

    async def _kill_later(self, job: str, attempt: int) -> None:
        await asyncio.sleep(GRACE_S)
        ref = self._running.get(job)
        if ref is not None and self._book.find(job).attempt == attempt:
            ray.cancel(ref, force=True)

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _tell(self) -> None:
        """Wake everybody who waits for events."""
        news, self._news = self._news, asyncio.Event()
        news.set()


async def _written(write: Callable[[], object]) -> None:
    """Write to the book, again where its disk does not take it: an end that is lost is a job that never ends."""
    while True:
        try:
            write()
        except sqlite3.Error as error:
            _log.warning("The book of jobs cannot be written now: %s", error)
            await asyncio.sleep(AGAIN_S)
        else:
            return


def start(settings: Settings, at_once: int = AT_ONCE) -> Any:
    """Start the actor of jobs or find it; it outlives its starter, and its folders are those of this process."""
    here = settings.model_copy(
        update={"runs": Path(settings.runs).absolute(), "state": Path(settings.state).absolute()}
    )
    handle: Any = JobsActor.options(  # type: ignore[attr-defined]
        name=NAME, namespace=NAMESPACE, lifetime="detached", get_if_exists=True, resources=held_here()
    ).remote(here, at_once)
    settle(handle.ping.remote(), handle.ping.remote, "The keeper of jobs")
    return handle


def find() -> Any:
    """Find the actor of jobs; raises ValueError where there is none."""
    return ray.get_actor(NAME, NAMESPACE)


def stop() -> None:
    """End the actor of jobs; those under way are begun again when it is started again."""
    handle = find()
    settle(handle.close.remote(), handle.close.remote, "The keeper of jobs")
    ray.kill(handle)
