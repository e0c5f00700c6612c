"""Jobs as the routes ask for them: the actor of jobs, or whatever keeps a book of jobs the same way.

A keeper that is restarted is waited for by whoever asks again; one that was ended for good is started anew.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Protocol

from ray.exceptions import ActorUnavailableError, RayActorError, RayTaskError, TaskCancelledError

from actors import jobs
from nt_ray.config import Settings
from nt_ray.errors import NeuralTraderError, ServiceError
from nt_ray.trader.jobs.answers import Answer, Claim
from nt_ray.trader.jobs.job import Job, JobEvent
from nt_ray.trader.steering import Course


class Answers(Protocol):
    """The answers that were given under idempotency keys."""

    async def claim(self, owner: str, operation: str, key: str, digest: str) -> Answer | Claim:
        """Claim an idempotency key; the answer it has, if it has one."""
        ...

    async def keep(self, owner: str, operation: str, key: str, claim: Claim, answer: Answer) -> None:
        """Keep the answer under a claimed key."""
        ...

    async def release(self, owner: str, operation: str, key: str, claim: Claim) -> None:
        """Give up a claim."""
        ...


class Jobs(Protocol):
    """Jobs of the platform."""

    async def submit(self, data: Mapping[str, Any], owner: str, key: str = "") -> Job:
        """Take a job, once under a key of the owner's."""
        ...

    async def find(self, job: str) -> Job:
        """Return one job."""
        ...

    async def page(
        self, before: int | None, limit: int, state: str | None, kind: str | None, owner: str | None = None
    ) -> list[Job]:
        """Return jobs that came before a number, newest first; of all owners, or of one."""
        ...

    async def cancel(self, job: str) -> Job:
        """Cancel a job."""
        ...

    async def adjust(self, job: str, course: Course) -> Job:
        """Ask a swarm for other hosts or another topology."""
        ...

    async def events(self, after: int, job: str | None = None, wait_s: float = 0.0) -> list[JobEvent]:
        """Return events after a number, waiting for one."""
        ...

    async def counts(self) -> dict[str, int]:
        """Return how many jobs there are in each state."""
        ...


class KeptJobs(Jobs, Answers, Protocol):
    """Jobs, and the answers, in one book."""


class ActorJobs:
    """Jobs by their actor, started where it does not run."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._actor: Any = None

    async def submit(self, data: Mapping[str, Any], owner: str, key: str = "") -> Job:
        """Take a job."""
        found: Job = await self._ask("submit", data, owner, key)
        return found

    async def find(self, job: str) -> Job:
        """Return one job."""
        found: Job = await self._ask("find", job)
        return found

    async def page(
        self, before: int | None, limit: int, state: str | None, kind: str | None, owner: str | None = None
    ) -> list[Job]:
        """Return jobs."""
        found: list[Job] = await self._ask("page", before, limit, state, kind, owner)
        return found

    async def cancel(self, job: str) -> Job:
        """Cancel a job."""
        found: Job = await self._ask("cancel", job)
        return found

    async def adjust(self, job: str, course: Course) -> Job:
        """Ask a swarm for other hosts or another topology."""
        found: Job = await self._ask("adjust", job, course)
        return found

    async def events(self, after: int, job: str | None = None, wait_s: float = 0.0) -> list[JobEvent]:
        """Return events."""
        found: list[JobEvent] = await self._ask("events", after, job, wait_s)
        return found

    async def counts(self) -> dict[str, int]:
        """Return how many jobs there are in each state."""
        found: dict[str, int] = await self._ask("counts")
        return found

    async def claim(self, owner: str, operation: str, key: str, digest: str) -> Answer | Claim:
        """Claim an idempotency key."""
        found: Answer | Claim = await self._ask("claim", owner, operation, key, digest)
        return found

    async def keep(self, owner: str, operation: str, key: str, claim: Claim, answer: Answer) -> None:
        """Keep the answer under a claimed key."""
        await self._ask("keep", owner, operation, key, claim, answer)

    async def release(self, owner: str, operation: str, key: str, claim: Claim) -> None:
        """Give up a claim."""
        await self._ask("release", owner, operation, key, claim)

    async def _ask(self, method: str, *arguments: object) -> Any:
        actor = await self._handle()
        try:
            return await ask(actor, method, *arguments, what="The keeper of jobs")
        except ServiceError as error:
            if not isinstance(error.__cause__, ActorUnavailableError):
                # It does not come back by itself: the next question starts it, or finds the one that was started.
                self._actor = None
            raise

    async def _handle(self) -> Any:
        if self._actor is None:
            self._actor = await asyncio.to_thread(jobs.start, self._settings)
        return self._actor


async def ask(actor: Any, method: str, *arguments: object, what: str) -> Any:
    """Call an actor; its errors arrive as themselves, and one that is not there as `ServiceError`."""
    try:
        return await getattr(actor, method).remote(*arguments)
    except TaskCancelledError:
        # Serve cancels what it was asked by somebody who is gone, and Ray what that is waiting for.
        raise asyncio.CancelledError from None
    except RayTaskError as error:
        if isinstance(error.cause, NeuralTraderError):
            raise error.cause from None
        raise
    except RayActorError as error:
        raise ServiceError(f"{what} is being restarted. Ask again in a moment, under the same key.") from error
