"""A value that is asked for at most every so often, by one question at a time, however many want it.

Who gives up waiting leaves the question to the others: one that hangs is never asked twice at once.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """A value that is asked for anew once it is older than `kept_s`."""

    def __init__(self, ask: Callable[[], Awaitable[T]], kept_s: float) -> None:
        self._ask, self._kept_s = ask, kept_s
        self._known: tuple[float, T] | None = None
        self._asking: asyncio.Task[T] | None = None

    async def get(self) -> T:
        """Return the value, not older than it may be; raises what the question raised."""
        if self._known is not None and time.monotonic() - self._known[0] < self._kept_s:
            return self._known[1]
        loop = asyncio.get_running_loop()
        if self._asking is None or self._asking.done() or self._asking.get_loop() is not loop:
            self._asking = loop.create_task(self._anew())
        return await asyncio.shield(self._asking)

    async def _anew(self) -> T:
        asked = time.monotonic()
        found = await self._ask()
        self._known = asked, found
        return found
