"""Group commit: callers that wait for one writer are served together, in one piece of work.

Invariant of the queue: whoever holds the lock and finds jobs waiting does all of them, in the order of their coming, so
a caller waits for at most the work under way and the one that takes its own job. Where a piece of work is refused as
a whole, its jobs are done one by one, so that no caller answers for another. It knows neither journal nor venue.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from nt_ray.errors import BadInputError, NeuralTraderError, ServiceError, TradingError

J = TypeVar("J")
R = TypeVar("R")


class _Call(Generic[J, R]):
    """A job on its way, and what became of it."""

    __slots__ = ("error", "is_done", "job", "result")

    def __init__(self, job: J) -> None:
        self.job = job
        self.result: list[R] = []
        self.error: BaseException | None = None
        self.is_done = False


class GroupCommit(Generic[J, R]):
    """Jobs of many threads, done by whichever of them has the lock; `work` returns one result for each job."""

    def __init__(self, lock: "threading.Condition", work: Callable[[Sequence[J]], Sequence[R]]) -> None:
        self._lock = lock
        self._work = work
        self._waiting: deque[_Call[J, R]] = deque()

    def run(self, job: J) -> R:
        """Have a job done, and return its result or raise what it raised."""
        mine: _Call[J, R] = _Call(job)
        self._waiting.append(mine)
        with self._lock:
            if not mine.is_done:
                self._serve(self._taken())
        if mine.error is not None:
            raise mine.error
        return mine.result[0]

    def _taken(self) -> list[_Call[J, R]]:
        calls = []
        while self._waiting:
            calls.append(self._waiting.popleft())
        return calls

    def _serve(self, calls: Sequence[_Call[J, R]]) -> None:
        try:
            for call, result in zip(calls, self._work([call.job for call in calls]), strict=True):
                call.result.append(result)
        except NeuralTraderError as error:
            # These two say that nothing has changed and that some caller is wrong.
            if len(calls) > 1 and isinstance(error, (BadInputError, TradingError)):
                for call in calls:
                    self._serve([call])
                return
            for call in calls:
                call.error = error
        finally:
            for call in calls:
                if not call.result and call.error is None:
                    call.error = ServiceError(
                        "The writer broke off. Look at what another caller was told, and ask again."
                    )
                call.is_done = True
