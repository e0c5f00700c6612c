"""The line from a job's work to its keeper: progress goes there, and what is wanted of the job comes back."""

from collections.abc import Callable
from typing import TypeAlias

from actors.job_work import Tell
from nt_ray.trader.steering import Course, Turn

Answering: TypeAlias = Callable[[int, int], Course | None]
"""Takes steps done and steps in all; answers what a swarm is to be like, None where the work is to stop."""


class JobLine:
    """Of one attempt at a job; it steers a swarm as the last answer of the keeper says."""

    def __init__(self, report: Answering, turned: Callable[[Turn], None]) -> None:
        """Take how progress is reported, and how it is told what became of a change."""
        self._answering = report
        self._course = Course()
        self.turned = turned
        self.tell = Tell(self._report)

    def course(self) -> Course:
        """What a swarm is to be like now."""
        return self._course

    def _report(self, done: int, total: int) -> bool:
        found = self._answering(done, total)
        if found is not None:
            self._course = found
        return found is not None
