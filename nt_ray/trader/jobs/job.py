"""A job as data: what was asked, by whom, how far it is, how it ended. It knows neither store nor cluster."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, NamedTuple

from nt_ray.errors import BadInputError, NeuralTraderError


class State(StrEnum):
    """Where a job is on its way."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED: Final = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED})
"""States that a job does not leave."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job as it stands; times are UTC in ISO 8601, empty where there is none."""

    number: int
    """Order of arrival."""
    id: str
    kind: str
    owner: str
    state: State
    spec: Mapping[str, Any]
    created: str
    started: str
    ended: str
    done: int
    total: int
    """Steps in all, 0 where they are not known."""
    attempt: int
    """How often it was begun."""
    cancel_asked: bool
    result: Mapping[str, Any] | None
    error: Mapping[str, str] | None
    """Code and sentence of what it failed with."""
    wanted: Mapping[str, Any] = field(default_factory=dict)
    """What was asked of it since: fields of its spec, as they are to be from now on."""

    @property
    def has_ended(self) -> bool:
        """Whether nothing more happens to it."""
        return self.state in ENDED


class JobEvent(NamedTuple):
    """One change of a job; numbers grow over all jobs together, without a gap."""

    seq: int
    job: str
    time: str
    kind: str
    """The state that it came into, `progress`, `adjust` (a change is asked of it), `adjusted` (what became of that)."""
    data: Mapping[str, Any]
    owner: str = ""
    """Of the job."""


class NoJobError(NeuralTraderError):
    """A job that is not there."""

    code = "no_job"
    status = 404
    exit_code = 2

    def __init__(self, job: str) -> None:
        super().__init__(f"There is no job {job}. List the jobs to see which there are.")


class JobCancelledError(NeuralTraderError):
    """What work raises inside a job that was cancelled."""

    code = "cancelled"
    status = 409


class JobEndedError(NeuralTraderError):
    """A job that has ended, of which something is asked."""

    code = "job_ended"
    status = 409

    def __init__(self, job: str, state: State) -> None:
        super().__init__(f"{job} has {state.value}, so nothing of it can be changed. Submit a new one.")


class TooManyJobsError(NeuralTraderError):
    """A queue that is full."""

    code = "too_many_jobs"
    status = 429

    def __init__(self, most: int) -> None:
        super().__init__(f"{most} jobs wait already, and no more may. Cancel one, or submit again later.")


class KeyConflictError(NeuralTraderError):
    """An idempotency key that was given with another request."""

    code = "idempotency_conflict"
    status = 409

    def __init__(self, key: str) -> None:
        super().__init__(f"Idempotency-Key {key} was given with another request before. Use a new key for this one.")


class KeyBusyError(NeuralTraderError):
    """An idempotency key whose first request is not answered yet."""

    code = "idempotency_busy"
    status = 409

    def __init__(self, key: str) -> None:
        super().__init__(f"The first request with Idempotency-Key {key} is not answered yet. Ask again later.")


class JobSpecError(BadInputError):
    """A job that cannot be worked on."""

    code = "job"
