"""What observability asks of the rest of the platform: at most once a second, however often it is asked itself."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from deployments.gateway.backend.accounts import Accounts
from deployments.gateway.observability.gpu import Gpu, gpus
from nt_ray.errors import NeuralTraderError
from nt_ray.trader.tally import AccountTally

KEPT_S: Final = 1.0
GPU_KEPT_S: Final = 5.0
PATIENCE_S: Final = 3.0

T = TypeVar("T")

_log = logging.getLogger(__name__)


class Kept(Generic[T]):
    """A value that is asked for anew once it is old; callers meanwhile wait for the one question."""

    def __init__(self, ask: Callable[[], Awaitable[T]], kept_s: float) -> None:
        self._ask, self._kept_s = ask, kept_s
        self._guard = asyncio.Lock()
        self._known: tuple[float, T] | None = None

    async def get(self) -> T:
        """Return the value, not older than it may be."""
        async with self._guard:
            now = time.monotonic()
            if self._known is None or now - self._known[0] >= self._kept_s:
                self._known = now, await self._ask()
            return self._known[1]


@dataclass(frozen=True, slots=True)
class Tallies:
    """Accounts that answered, and whether all did."""

    found: tuple[AccountTally, ...]
    complete: bool


class Asked:
    """What the platform said lately."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self.tallies: Kept[Tallies] = Kept(self._tallies, KEPT_S)
        self.gpus: Kept[list[Gpu]] = Kept(gpus, GPU_KEPT_S)

    async def _tallies(self) -> Tallies:
        found = await asyncio.gather(*(self._tally(name) for name in await self._accounts.names()))
        there = tuple(tally for tally in found if tally is not None)
        return Tallies(there, len(there) == len(found))

    async def _tally(self, account: str) -> AccountTally | None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                found: AccountTally = await self._accounts.account(account).call("tally")
        except (NeuralTraderError, TimeoutError) as error:
            _log.warning("Account %s told nothing for /metrics: %s", account, error or "no answer in time")
            return None
        return found
