"""Jobs in threads of this process: the book and the work are those of the cluster, without Ray.

The book lies in a folder of its own that goes with the process: over standard input and output jobs live as long as
their server. A cancelled job ends at its next word about progress.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, TypeVar

import anyio
import anyio.to_thread

from actors.job_work import Tell, perform
from nt_ray.config import Settings
from nt_ray.errors import NeuralTraderError
from nt_ray.trader.jobs.book import JobBook
from nt_ray.trader.jobs.job import Job, JobCancelledError, JobEvent, JobSpecError, State
from nt_ray.trader.jobs.reading import check_spec, read_spec
from nt_ray.trader.steering import Course, Turn

SWARM: Final = "run-"
"""What ids of swarms begin with."""
AT_ONCE: Final = 2
LOOK_S: Final = 0.02
"""Seconds between two looks for events."""

T = TypeVar("T")

_log = logging.getLogger(__name__)


class LocalJobs:
    """Jobs of one process; all methods but `close` are asked in an event loop, whichever."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder = TemporaryDirectory(prefix="nt-ray-jobs-")
        self._book = JobBook(Path(self._folder.name) / "jobs.sqlite")
        self._lock = threading.Lock()
        self._workers = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="job")

    async def submit(self, data: Mapping[str, Any], owner: str, key: str = "") -> Job:
        """Take a job, once under a key of the owner's."""
        spec = read_spec(data)
        await anyio.to_thread.run_sync(check_spec, self._settings, spec)
        made = self.in_book(lambda book: book.submit(spec.kind, spec.model_dump(mode="json"), owner, key))
        if made.state is State.QUEUED and not made.attempt:
            self._workers.submit(self._work, made.id)
        return made

    async def find(self, job: str) -> Job:
        """Return one job."""
        return self.in_book(lambda book: book.find(job))

    async def page(
        self, before: int | None, limit: int, state: str | None, kind: str | None, owner: str | None = None
    ) -> list[Job]:
        """Return jobs that came before a number, newest first; of all owners, or of one."""
        wanted = None if state is None else State(state)
        return self.in_book(lambda book: book.page(before=before, limit=limit, state=wanted, kind=kind, owner=owner))

    async def counts(self) -> dict[str, int]:
        """Return how many jobs there are in each state."""
        return self.in_book(lambda book: book.counts())

    async def cancel(self, job: str) -> Job:
        """Cancel a job; one that has ended stays as it is."""
        return self.in_book(lambda book: book.cancel(job))

    async def events(self, after: int, job: str | None = None, wait_s: float = 0.0) -> list[JobEvent]:
        """Return events after a number, waiting for one."""
        deadline = anyio.current_time() + wait_s
        while not (found := self.in_book(lambda book: book.events(after, job))):
            if anyio.current_time() >= deadline:
                break
            await anyio.sleep(LOOK_S)
        return found

    async def adjust(self, job: str, course: Course) -> Job:
        """Ask a swarm for other hosts, from its next block of bars on."""
        if not job.startswith(SWARM):
            raise JobSpecError(f"{job} is no swarm, and only those are changed while they run. Name a swarm.")
        changes = {name: value for name, value in asdict(course).items() if value is not None}
        return self.in_book(lambda book: book.adjust(job, changes))

    def close(self) -> None:
        """Cancel what has not ended, wait for it, and forget all."""
        with self._lock:
            for state in (State.QUEUED, State.RUNNING):
                for job in self._book.page(state=state):
                    self._book.cancel(job.id)
        self._workers.shutdown(cancel_futures=True)
        self._book.close()
        self._folder.cleanup()

    def _work(self, job: str) -> None:
        attempt = self.in_book(lambda book: book.begin(job))
        if not attempt:
            return
        asked = self.in_book(lambda book: book.find(job))
        spec = read_spec(asked.spec)
        line = _Line(self, job, attempt)
        try:
            found = perform(self._settings, spec, Tell(line.progress), on_ray=False, steering=line, owner=asked.owner)
        except JobCancelledError:
            self.in_book(lambda book: book.stopped(job, attempt))
        except NeuralTraderError as error:
            self._failed(job, attempt, error.code, str(error))
        except Exception as error:  # noqa: BLE001 whatever the work does, its job ends and the log says why
            _log.exception("Job %s failed.", job)
            self._failed(job, attempt, "internal", f"The work failed with {type(error).__name__}. The log says why.")
        else:
            self.in_book(lambda book: book.succeed(job, attempt, found))

    def _failed(self, job: str, attempt: int, code: str, message: str) -> None:
        self.in_book(lambda book: book.fail(job, attempt, code, message))

    def in_book(self, ask: Callable[[JobBook], T]) -> T:
        """Ask the book; it has one owner at a time, so threads take turns."""
        with self._lock:
            return ask(self._book)


@dataclass(frozen=True, slots=True)
class _Line:
    """What work tells of itself, and hears."""

    jobs: LocalJobs
    job: str
    attempt: int

    def progress(self, done: int, total: int) -> bool:
        return self.jobs.in_book(lambda book: book.progress(self.job, self.attempt, done, total))

    def course(self) -> Course:
        return Course(**self.jobs.in_book(lambda book: book.find(self.job)).wanted)

    def turned(self, turn: Turn) -> None:
        self.jobs.in_book(lambda book: book.adjusted(self.job, self.attempt, asdict(turn)))
