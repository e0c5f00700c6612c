"""Whether a replica lives, whether it is ready, and how its parts are.

Liveness and readiness are open to everybody and tell nothing else; the state of each account needs `system:read`.
"""

import asyncio
from dataclasses import asdict
from typing import Any, Protocol

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from deployments.gateway.backend.accounts import AccountDoor, Accounts
from deployments.gateway.security import needs
from nt_ray.access.roles import Scope
from nt_ray.errors import NeuralTraderError

ANSWER_S = 2.0


class HasAccounts(Protocol):
    """A backend with accounts."""

    @property
    def accounts(self) -> Accounts:
        """Live accounts."""
        ...


def router(backend: HasAccounts) -> APIRouter:
    """Routes under /health."""
    routes = APIRouter(prefix="/health", tags=["health"])

    @routes.get("/live", summary="Whether the process answers", openapi_extra={"security": []})
    async def live() -> Response:
        """Answer."""
        return Response(b"live", media_type="text/plain")

    @routes.get("/ready", summary="Whether requests can be served", openapi_extra={"security": []})
    async def ready() -> Response:
        """Answer where the accounts of the platform can be listed."""
        await backend.accounts.names()
        return Response(b"ready", media_type="text/plain")

    @routes.get("", summary="How each part is", dependencies=[needs(Scope.SYSTEM_READ)])
    async def parts() -> Response:
        """Ask every account how it is."""
        names = await backend.accounts.names()
        found = await asyncio.gather(*(_state(backend.accounts.account(name)) for name in names))
        accounts = dict(zip(names, found, strict=True))
        status = "up" if all(part["up"] for part in found) else "degraded"
        return JSONResponse({"status": status, "accounts": accounts})

    return routes


async def _state(door: AccountDoor) -> dict[str, Any]:
    try:
        async with asyncio.timeout(ANSWER_S):
            status = asdict(await door.call("status"))
    except TimeoutError:
        return {"up": False, "error": f"The account has not answered within {ANSWER_S:g} s."}
    except NeuralTraderError as error:
        return {"up": False, "error": str(error)}
    health = status.pop("health")
    return {**health, **status, "up": health["up"] and not status["is_fenced"]}
