"""Changes of orders for those who listen: one question to each account at a time, however many listen to it.

A listener has a queue of its own, which is bounded: one that does not keep up is dropped with a reason, and holds up
nobody. After an account was away the changes go on where they had stopped. Where some are lost, or nobody can tell
them any more, every listener is told so, and looks its orders up anew.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial
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

_log = logging.getLogger(__name__)


class TooSlowError(NeuralTraderError):
    """A listener that does not read what it is sent."""

    code = "too_slow"
    status = 408

    def __init__(self) -> None:
        super().__init__(f"More than {ROOM} messages wait for this listener. Read faster, then connect again.")


class GapError(NeuralTraderError):
    """Changes that cannot be told."""

    code = "gap"
    status = 503

    def __init__(self, account: str) -> None:
        super().__init__(f"Changes of {account} are missing. Connect again, then look the orders up.")


@dataclass(eq=False, slots=True)
class Listener:
    """Messages for one who listens; an error is the last of them."""

    queue: "asyncio.Queue[Json | NeuralTraderError]" = field(default_factory=lambda: asyncio.Queue(ROOM + 1))

    def tell(self, message: Json) -> bool:
        """Put a message into the queue; False where there was no room, and it ends."""
        if self.queue.qsize() >= ROOM:
            self.end(TooSlowError())
            return False
        self.queue.put_nowait(message)
        return True

    def end(self, why: NeuralTraderError) -> None:
        """Let this be the last."""
        with contextlib.suppress(asyncio.QueueFull):
            self.queue.put_nowait(why)

    async def next(self) -> Json:
        """Wait for the next message; raise what ends them after the last."""
        message = await self.queue.get()
        if isinstance(message, NeuralTraderError):
            raise message
        return message


@dataclass(eq=False, slots=True)
class _Following:
    """Those who listen to an account, and the task that tells them."""

    listeners: set[Listener] = field(default_factory=set)
    task: "asyncio.Task[None] | None" = None


class Followers:
    """Accounts that somebody listens to; an instance belongs to one event loop."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._following: dict[str, _Following] = {}

    @property
    def count(self) -> int:
        """How many accounts are followed."""
        return len(self._following)

    @contextlib.asynccontextmanager
    async def listening(self, account: str) -> AsyncIterator[Listener]:
        """Listen to an account from now on."""
        listener = Listener()
        door = self._accounts.account(account)
        start = (await door.changes(-1, 0.0)).last if account not in self._following else 0
        # Somebody else may have come, or gone, while this one asked.
        following = self._following.get(account)
        if following is None:
            following = self._following[account] = _Following()
            following.task = asyncio.create_task(self._follow(door, start, following.listeners))
            following.task.add_done_callback(partial(self._ended, account, following))
        following.listeners.add(listener)
        try:
            yield listener
        finally:
            following.listeners.discard(listener)
            if not following.listeners:
                self._give_up(account, following)

    def _give_up(self, account: str, following: _Following) -> None:
        if self._following.get(account) is following:
            del self._following[account]
        if following.task is not None:
            following.task.cancel()

    def _ended(self, account: str, following: _Following, task: "asyncio.Task[None]") -> None:
        """Tell those who still listen that they would hear no more."""
        if not task.cancelled() and task.exception() is not None:
            _log.error("The orders of %s are followed no more.", account, exc_info=task.exception())
        if self._following.get(account) is following:
            del self._following[account]
        for listener in following.listeners:
            listener.end(GapError(account))

    async def _follow(self, door: AccountDoor, number: int, listeners: set[Listener]) -> None:
        """Tell changes until some are lost."""
        while True:
            try:
                found = await door.changes(number, WAIT_S)
            except NeuralTraderError as error:
                _log.warning("The orders of %s cannot be followed: %s", door.name, error)
                await asyncio.sleep(PAUSE_S)
                continue
            if found.lost:
                _log.warning("%d changes of %s were too many to be kept.", found.lost, door.name)
                return
            number = found.last
            _tell(door.name, found, listeners)


def _tell(account: str, found: Changes, listeners: set[Listener]) -> None:
    for change in found.changes:
        message = render.update(account, change)
        if message is not None:
            slow = [listener for listener in listeners if not listener.tell(message)]
            listeners.difference_update(slow)
