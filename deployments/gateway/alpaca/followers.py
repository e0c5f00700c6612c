"""Changes of orders for those who listen: one question to each account at a time, however many listen to it.

A listener has a queue of its own, which is bounded: one that does not keep up is dropped with a reason, and holds up
nobody. After an account was away the changes go on where they had stopped.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final

from deployments.gateway.alpaca import render
from deployments.gateway.backend.accounts import AccountDoor, Accounts
from nt_ray.brokers.alpaca.wire import Json
from nt_ray.errors import NeuralTraderError
from nt_ray.trader.history import Changes

WAIT_S: Final = 20.0
PAUSE_S: Final = 1.0
ROOM: Final = 1000
"""Messages that wait for one listener."""

log = logging.getLogger(__name__)


class TooSlowError(NeuralTraderError):
    """A listener that does not read what it is sent."""

    code = "too_slow"
    status = 408

    def __init__(self) -> None:
        super().__init__(f"More than {ROOM} messages wait for this listener. Read faster, then connect again.")


@dataclass(eq=False, slots=True)
class Listener:
    """Messages for one who listens; None says that it was too slow."""

    queue: "asyncio.Queue[Json | None]" = field(default_factory=lambda: asyncio.Queue(ROOM + 1))

    def tell(self, message: Json) -> bool:
        """Put a message into the queue; False where there was no room, and it ends."""
        if self.queue.qsize() >= ROOM:
            self.queue.put_nowait(None)
            return False
        self.queue.put_nowait(message)
        return True

    async def next(self) -> Json:
        """Wait for the next message; `TooSlowError` after the last that had room."""
        message = await self.queue.get()
        if message is None:
            raise TooSlowError
        return message


class Followers:
    """Accounts that somebody listens to; an instance belongs to one event loop."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._listeners: dict[str, set[Listener]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    @contextlib.asynccontextmanager
    async def listening(self, account: str) -> AsyncIterator[Listener]:
        """Listen to an account from now on."""
        listener = Listener()
        door = self._accounts.account(account)
        if account not in self._tasks:
            self._listeners[account] = set()
            start = (await door.changes(-1, 0.0)).last
            # Somebody else may have come while this one asked.
            if account not in self._tasks:
                self._tasks[account] = asyncio.create_task(self._follow(door, start))
        listeners = self._listeners[account]
        listeners.add(listener)
        try:
            yield listener
        finally:
            listeners.discard(listener)
            if not listeners and account in self._tasks:
                self._tasks.pop(account).cancel()

    async def _follow(self, door: AccountDoor, number: int) -> None:
        while True:
            try:
                found = await door.changes(number, WAIT_S)
            except NeuralTraderError as error:
                log.warning("The orders of %s cannot be followed: %s", door.name, error)
                await asyncio.sleep(PAUSE_S)
                continue
            if found.lost:
                log.warning("%d changes of %s were too many to be kept.", found.lost, door.name)
            number = found.last
            self._tell(door.name, found)

    def _tell(self, account: str, found: Changes) -> None:
        for change in found.changes:
            message = render.update(account, change)
            if message is not None:
                slow = [listener for listener in self._listeners[account] if not listener.tell(message)]
                self._listeners[account].difference_update(slow)
