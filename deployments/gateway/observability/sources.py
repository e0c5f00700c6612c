"""What observability asks of the rest of the platform: at most once a second, however often it is asked itself."""

import asyncio
import logging
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass
from typing import Final, TypeVar

from deployments.gateway.backend.accounts import Accounts
from deployments.gateway.observability.gpu import Gpu, gpus
from deployments.gateway.observability.kept import Kept
from deployments.gateway.observability.metrics import Watched
from deployments.gateway.observability.work import Keepers, Work
from nt_ray.errors import NeuralTraderError

KEPT_S: Final = 1.0
GPU_KEPT_S: Final = 15.0
PATIENCE_S: Final = 3.0

T = TypeVar("T")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answers:
    """Accounts that answered, and whether all did."""

    found: tuple[Watched, ...]
    complete: bool


class Asked:
    """What the platform said lately."""

    def __init__(self, accounts: Accounts, expected: Iterable[str] = (), keepers: Keepers | None = None) -> None:
        """Ask these accounts and keepers; `expected` should run."""
        self._accounts = accounts
        self._expected = frozenset(expected)
        self._names: Kept[list[str]] = Kept(accounts.names, 0.0)
        self.accounts: Kept[Answers] = Kept(self._all, KEPT_S)
        self._keepers = keepers
        self.work: Kept[Work] = Kept(self._work, KEPT_S)
        self.gpus: Kept[list[Gpu]] = Kept(gpus, GPU_KEPT_S)

    async def _work(self) -> Work:
        if self._keepers is None:
            return Work()
        jobs, sessions = await asyncio.gather(
            _answer("The keeper of jobs", self._keepers.jobs()),
            _answer("The keeper of live sessions", self._keepers.sessions.statuses("")),
        )
        return Work(jobs, sessions)

    async def _all(self) -> Answers:
        try:
            async with asyncio.timeout(PATIENCE_S):
                names = sorted(self._expected.union(await self._names.get()))
        except (NeuralTraderError, TimeoutError) as error:
            _log.warning("Accounts cannot be listed for /metrics: %s", error or "no answer in time")
            return Answers((), complete=False)
        found = await asyncio.gather(*map(self._one, names))
        there = tuple(watched for watched in found if watched is not None)
        return Answers(there, len(there) == len(found))

    async def _one(self, account: str) -> Watched | None:
        door = self._accounts.account(account)
        found = await _answer(f"Account {account}", asyncio.gather(door.glance("tally"), door.glance("status")))
        return None if found is None else Watched(*found)


async def _answer(who: str, question: Awaitable[T]) -> T | None:
    """Wait for an answer, not for long; None where there is none, and the log says why."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await question
    except (NeuralTraderError, TimeoutError) as error:
        _log.warning("%s told nothing for /metrics: %s", who, error or "no answer in time")
        return None
