"""Whether this replica is being stopped: those who are connected for long are told then, and come back elsewhere.

Serve tells a replica's application that it ends only after the last connection has, so its own mark is looked at.
Outside of Serve nothing is ever stopped so.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from ray._private.worker import global_worker

EVERY_S: Final = 0.5
RESTART: Final = 1012
"""WebSocket's code for a service that restarts (RFC 6455's registry)."""
REASON: Final = "replica_ends"


def is_stopping() -> bool:
    """Whether Serve has begun to stop the replica that this process is."""
    held = (getattr(actor, "_replica_impl", None) for actor in list(global_worker.actors.values()))
    return any(getattr(replica, "_shutting_down", False) for replica in held)


class Drain:
    """One look at a time, however many wait; an instance belongs to one event loop."""

    def __init__(self, is_begun: Callable[[], bool] = is_stopping, every_s: float = EVERY_S) -> None:
        self._is_begun = is_begun
        self._every_s = every_s
        self._waiting = 0
        self._looking: asyncio.Task[None] | None = None

    async def begun(self) -> None:
        """Wait until the replica is being stopped."""
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())
        self._waiting += 1
        try:
            await asyncio.shield(self._looking)
        finally:
            self._waiting -= 1
            if not self._waiting:
                # Whoever comes next looks anew: a task that is being cancelled would end him too.
                self._looking.cancel()
                self._looking = None

    async def _look(self) -> None:
        while not self._is_begun():
            await asyncio.sleep(self._every_s)
