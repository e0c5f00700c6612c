"""An entry in the audit log for each request that may change something, written before its answer goes out.

Where the entry cannot be written the answer is an error, though what was asked for has happened: it is found under
its id, and asking again under the same one does nothing twice. Bodies are not written down; they may hold secrets.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final, Protocol

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nt_ray.access.roles import Principal

_CHANGES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_LONGEST_PATH: Final = 512


class AuditLog(Protocol):
    """Writes entries down, for good; `nt_ray.access.audit` is one."""

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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] not in _CHANGES:
            await self._app(scope, receive, send)
            return

        async def written(message: Message) -> None:
            if message["type"] == "http.response.start":
                await asyncio.to_thread(self._write, scope, message["status"])
            await send(message)

        await self._app(scope, receive, written)

    def _write(self, scope: Scope, status: int) -> None:
        state = scope.get("state", {})
        principal: Principal | None = state.get("principal")
        self._log.append(
            f"http.{scope['method'].lower()}",
            "nobody" if principal is None else principal.id,
            outcome=str(status),
            target=scope["path"][:_LONGEST_PATH],
            address=state.get("address", ""),
            request=state.get("request_id", ""),
            details={} if principal is None else {"key_id": principal.credential},
        )
