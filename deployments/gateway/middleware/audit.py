"""An entry in the audit log for each request that may change something, written before its answer goes out.

What was asked for is done, and its entry says what came of it, though the caller hangs up or the time of the request
ends. Only a call of a tool ends with its caller (`deployments.gateway.mcp.calling` says which): its entry says that it
was abandoned. A refusal that an outer layer words has its entry too.

Where the entry cannot be written the answer is an error, though what was asked for has happened: it is found under
its id, and asking again under the same one does nothing twice. From then on nothing is changed before the log takes an
entry again. Bodies are not written down; they may hold secrets. Who logs in is named by the route, in `state.acted`.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final, Protocol

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deployments.gateway.afterwards import finish, see_to
from nt_ray.access.roles import Principal
from nt_ray.errors import NeuralTraderError, StorageError

_CHANGES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_LONGEST_PATH: Final = 512
_WITH_ITS_CALLER: Final = "/mcp"
"""Path below which a request ends when its caller does: a call of a tool is cancelled so."""
_BROKEN: Final = "500"
_ABANDONED: Final = "abandoned"
WRITTEN_S: Final = 5.0
"""Seconds that the entry of a request may take that ended without an answer."""


class AuditLog(Protocol):
    """Writes entries down, for good; `nt_ray.access.audit` is one."""

    def check(self) -> None:
        """Raise where no entry could be written now."""
        ...

    def append(
        self,
        action: str,
        who: str,
        *,
        outcome: str = "ok",
        target: str = "",
        address: str = "",
        request: str = "",
        details: Mapping[str, Any] = ...,
    ) -> object:
        """Write one entry."""
        ...


class Audit:
    """Wraps an application."""

    def __init__(self, app: ASGIApp, log: AuditLog) -> None:
        self._app = app
        self._log = log
        self._is_broken = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] not in _CHANGES:
            await self._app(scope, receive, send)
            return

        if self._is_broken:
            # Raises while the log takes nothing.
            await asyncio.to_thread(self._log.append, "audit.resumed", "gateway")
            self._is_broken = False

        served = self._served(scope, receive, send)
        await (served if scope["path"].startswith(_WITH_ITS_CALLER) else finish(served))

    async def _served(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_told = False

        async def written(message: Message) -> None:
            nonlocal is_told
            if message["type"] == "http.response.start":
                is_told = True
                await self._tell(scope, str(message["status"]))
            await send(message)

        outcome = _BROKEN
        try:
            await self._app(scope, receive, written)
        except NeuralTraderError as error:
            outcome = str(error.status)
            raise
        except asyncio.CancelledError:
            outcome = _ABANDONED
            raise
        finally:
            if not is_told:
                await see_to(self._tell(scope, outcome), WRITTEN_S)

    async def _tell(self, scope: Scope, outcome: str) -> None:
        try:
            await asyncio.to_thread(self._write, scope, outcome)
        except StorageError:
            self._is_broken = True
            raise

    def _write(self, scope: Scope, outcome: str) -> None:
        state = scope.get("state", {})
        principal: Principal | None = state.get("principal")
        self._log.append(
            f"http.{scope['method'].lower()}",
            (state.get("acted") or "nobody") if principal is None else principal.id,
            outcome=outcome,
            target=scope["path"][:_LONGEST_PATH],
            address=state.get("address", ""),
            request=state.get("request_id", ""),
            details={} if principal is None else {"key_id": principal.credential},
        )
