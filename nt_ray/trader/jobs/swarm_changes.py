"""What the book of jobs knows of a swarm that is changed while it runs: the course asked for, and each turn."""

from dataclasses import asdict
from typing import Any, Final

from nt_ray.trader.jobs.book import JobBook
from nt_ray.trader.jobs.job import Job, JobSpecError
from nt_ray.trader.steering import Course, Turn

SWARM: Final = "run"
"""Kind of job that is a swarm."""


def changes_of(job: Job, course: Course) -> dict[str, Any]:
    """Changes of a job's spec that a course asks for; `JobSpecError` where the job is no swarm."""
    if job.kind != SWARM:
        raise JobSpecError(f"{job.id} is a {job.kind}, and only a swarm is changed while it runs. Name a swarm.")
    return {name: value for name, value in asdict(course).items() if value is not None}


def reported(book: JobBook, job: str, attempt: int, done: int, total: int) -> Course | None:
    """Write down how far an attempt is; what its swarm is to be like, None where the work is to stop."""
    goes_on = book.progress(job, attempt, done, total)
    return Course(**book.find(job).wanted) if goes_on else None


def turned(book: JobBook, job: str, attempt: int, turn: Turn) -> None:
    """Write down what became of a change."""
    book.adjusted(job, attempt, asdict(turn))
