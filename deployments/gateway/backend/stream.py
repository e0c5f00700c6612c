"""The stream as the gateway follows it: the actor of the stream, or an event stream of this process."""

import asyncio
from collections.abc import Mapping
from typing import Any, Protocol

from actors import stream
from deployments.gateway.backend.jobs import ask
from nt_ray.config import Settings
from nt_ray.errors import ServiceError
from nt_ray.trader.event_stream import Channel, Followed


class Source(Protocol):
    """Has the events of all channels."""

    async def follow(self, after: Mapping[Channel, int], epoch: str = "", wait_s: float = 0.0) -> Followed:
        """Return events after a number in each channel; waits for the first one."""
        ...


class ActorSource:
    """The actor of the stream, started where it does not run."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._actor: Any = None

    async def follow(self, after: Mapping[Channel, int], epoch: str = "", wait_s: float = 0.0) -> Followed:
        """Return events."""
        if self._actor is None:
            self._actor = await asyncio.to_thread(stream.start, self._settings)
        try:
            found: Followed = await ask(self._actor, "follow", dict(after), epoch, wait_s, what="The stream")
        except ServiceError:
            # One that was ended for good is not the one that bears the name next.
            self._actor = None
            raise
        return found
