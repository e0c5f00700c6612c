"""Where a replica's counts go, so that whichever is asked tells those of all (`actors.counts`).

A process that is no replica of Serve is alone, and tells its own.
"""

import asyncio
import logging
import platform
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, Protocol

from ray import serve
from ray.exceptions import RayError
from ray.serve.exceptions import RayServeException

from actors import counts
from actors.counts import All, CountBoard, Told
from nt_ray.errors import ServiceError

TELL_EVERY_S: Final = 2.0
"""How often a replica tells its counts: those of a killed one are lost since it last did."""
PATIENCE_S: Final = 2.0
ALONE: Final = "alone"

_log = logging.getLogger(__name__)


class Board(Protocol):
    """Knows what all replicas have counted."""

    async def exchange(self, replica: str, number: int, told: Told) -> All | None:
        """Take counts of a replica, and give those of all; None where the board does not answer."""
        ...


class OwnBoard:
    """The board of a process that is alone."""

    def __init__(self) -> None:
        self._board = CountBoard()

    async def exchange(self, replica: str, number: int, told: Told) -> All | None:
        """Take counts, and give them."""
        self._board.tell(replica, number, told)
        return self._board.read()


class ActorBoard:
    """The cluster's board, started where it does not run."""

    def __init__(self) -> None:
        self._actor: Any = None

    async def exchange(self, replica: str, number: int, told: Told) -> All | None:
        """Take counts, and give those of all."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                if self._actor is None:
                    self._actor = await asyncio.to_thread(counts.start)
                found: All = await self._actor.exchange.remote(replica, number, told)
        except (RayError, ServiceError, ValueError, TimeoutError) as error:
            # It may also be that it cannot be started, or that it was ended as it was found.
            _log.warning("The board of counts does not answer: %s", type(error).__name__)
            self._actor = None
            return None
        return found


class Sharing:
    """Tells what this process counts and gives what all have; `counted` reads the counts."""

    def __init__(self, counted: Callable[[str, str], Awaitable[Told]]) -> None:
        self._counted = counted
        self._number = 0
        self._replica = ""
        self._board: Board = OwnBoard()

    async def all(self) -> All | None:
        """Tell what this process counts, and give what all have."""
        if not self._replica:
            self._replica, self._board = place()
        self._number += 1
        number = self._number
        return await self._board.exchange(self._replica, number, await self._counted(self._replica, platform.node()))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Tell every now and then while the block runs, and once more at its end."""
        telling = asyncio.get_running_loop().create_task(self._tell())
        try:
            yield
        finally:
            telling.cancel()
            with suppress(asyncio.CancelledError):
                await telling
            await self._once()

    async def _tell(self) -> None:
        while True:
            await self._once()
            await asyncio.sleep(TELL_EVERY_S)

    async def _once(self) -> None:
        try:
            await self.all()
        except Exception:  # noqa: BLE001 counts that cannot be told now are told next time, as long as somebody tells
            _log.exception("What this replica counts could not be told.")


def place() -> tuple[str, Board]:
    """Name of this process among those that serve the gateway, and their board."""
    try:
        context = serve.get_replica_context()
    except RayServeException:
        return ALONE, OwnBoard()
    return context.replica_id.unique_id, ActorBoard()
