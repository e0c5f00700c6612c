"""Live sessions as the routes ask for them: the actor that keeps them, started where somebody begins one."""

import asyncio
from pathlib import Path
from typing import Any, Protocol

from ray.exceptions import ActorUnavailableError

from actors import live_sessions
from deployments.gateway.backend.jobs import ask
from nt_ray.config import Settings
from nt_ray.errors import ServiceError
from nt_ray.trader.live_session import SessionStatus
from nt_ray.trader.session_keeper import SessionRequest


class Sessions(Protocol):
    """Live sessions of the platform."""

    async def check(self, asked: SessionRequest, *, instead_of: str = "") -> None:
        """Raise where a session could not begin, in the place of those of a strategy where one is named."""
        ...

    async def start(self, asked: SessionRequest, who: str, reason: str) -> SessionStatus:
        """Begin a session."""
        ...

    async def stop(self, session: str, *, flatten: bool) -> SessionStatus:
        """End a session."""
        ...

    async def switch(self, asked: SessionRequest, instead_of: str, who: str, reason: str) -> SessionStatus | None:
        """Let a session take the place of those of another strategy; None where none is begun here."""
        ...

    async def statuses(self, account: str) -> list[SessionStatus]:
        """Say how the sessions of an account are; of all where it is empty."""
        ...


class ActorSessions:
    """Sessions by their actor."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._actor: Any = None

    async def check(self, asked: SessionRequest, *, instead_of: str = "") -> None:
        """Raise where a session could not begin."""
        await self._ask("check", asked, instead_of)

    async def start(self, asked: SessionRequest, who: str, reason: str) -> SessionStatus:
        """Begin a session."""
        found: SessionStatus = await self._ask("start", asked, who, reason)
        return found

    async def stop(self, session: str, *, flatten: bool) -> SessionStatus:
        """End a session."""
        found: SessionStatus = await self._ask("stop", session, flatten)
        return found

    async def switch(self, asked: SessionRequest, instead_of: str, who: str, reason: str) -> SessionStatus:
        """Let a session take the place of others."""
        found: SessionStatus = await self._ask("switch", asked, instead_of, who, reason)
        return found

    async def statuses(self, account: str) -> list[SessionStatus]:
        """Say how the sessions are; where none was ever begun nothing is started to be asked."""
        if self._actor is None and not await asyncio.to_thread(
            (Path(self._settings.state) / live_sessions.FILE).exists
        ):
            return []
        found: list[SessionStatus] = await self._ask("statuses", account)
        return found

    async def _ask(self, method: str, *arguments: object) -> Any:
        if self._actor is None:
            self._actor = await asyncio.to_thread(live_sessions.start, self._settings)
        try:
            return await ask(self._actor, method, *arguments, what="The keeper of live sessions")
        except ServiceError as error:
            if error.__cause__ is not None and not isinstance(error.__cause__, ActorUnavailableError):
                # It does not come back by itself: the next question starts it, or finds the one that was started.
                self._actor = None
            raise
