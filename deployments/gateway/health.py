"""Whether a replica lives, whether it is ready, and how its parts are.

Live: its process answers, so whoever does not is to be started anew. Ready: it reaches the platform, and can let people
in and write down what they change, so it is worth asking; one that is not waits for the cluster or for room on its
disk, and a new start would not help. Both are open to everybody and tell nothing else; the state of an account needs
`system:read` there. Nothing here waits longer than a few seconds.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Annotated, Any, Final, Protocol

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict
from starlette.responses import JSONResponse, PlainTextResponse, Response

from deployments.gateway.backend.accounts import AccountDoor, Accounts
from deployments.gateway.observability.health import Check, Condition, examine, overall
from deployments.gateway.observability.kept import Kept
from deployments.gateway.observability.own_parts import why_not
from deployments.gateway.security import needs
from nt_ray.access.roles import Principal, Scope
from nt_ray.errors import NeuralTraderError, ServiceError

ANSWER_S: Final = 2.0
LISTED_S: Final = 0.2
"""How old the list of accounts may be, so that probes that come together ask once."""


_log = logging.getLogger(__name__)


class NotReadyError(ServiceError):
    """The platform cannot be reached."""

    code = "not_ready"

    def __init__(self) -> None:
        super().__init__(f"The platform has not answered within {ANSWER_S:g} s. Ask again in a moment.")


class UnableError(ServiceError):
    """A replica that cannot serve changes."""

    code = "not_ready"

    def __init__(self) -> None:
        super().__init__("This replica can serve no change now. Ask another one; /health tells an operator why.")


class HasAccounts(Protocol):
    """A backend with accounts."""

    @property
    def accounts(self) -> Accounts:
        """Live accounts."""
        ...


class PartView(BaseModel):
    """How one part is."""

    model_config = ConfigDict(extra="forbid")

    condition: Condition
    detail: str


class AccountHealth(BaseModel):
    """How one account is: `error` where it does not answer, else what it says of itself."""

    model_config = ConfigDict(extra="allow")

    up: bool


class HealthView(BaseModel):
    """How all is: as bad as the worst part."""

    model_config = ConfigDict(extra="forbid")

    status: Condition
    accounts: dict[str, AccountHealth]
    components: dict[str, PartView]


def router(
    backend: HasAccounts,
    expected: Iterable[str],
    checks: Callable[[], Mapping[str, Check]],
    required: Mapping[str, Check],
) -> APIRouter:
    """Routes under /health.

    `expected` are accounts that should run, `checks` gives those of all other parts; `required` are those of what a
    replica cannot serve without.
    """
    routes = APIRouter(prefix="/health", tags=["health"])
    running, wanted = Kept(backend.accounts.names, LISTED_S), tuple(expected)

    async def listed() -> list[str]:
        try:
            async with asyncio.timeout(ANSWER_S):
                return await running.get()
        except TimeoutError as error:
            raise NotReadyError from error

    @routes.get(
        "/live",
        summary="Whether the process answers",
        openapi_extra={"security": []},
        response_class=PlainTextResponse,
        responses=_word("live"),
    )
    async def live() -> Response:
        """Answer."""
        return Response(b"live", media_type="text/plain")

    @routes.get(
        "/ready",
        summary="Whether requests can be served",
        openapi_extra={"security": []},
        response_class=PlainTextResponse,
        responses=_word("ready"),
    )
    async def ready() -> Response:
        """Answer where the accounts of the platform can be listed, and changes can be let in and written down."""
        _, found = await asyncio.gather(listed(), examine(required, ANSWER_S))
        if why := why_not(found):
            _log.warning("This replica is not ready, because of: %s", why)
            raise UnableError
        return Response(b"ready", media_type="text/plain")

    @routes.get("", summary="How each part is", responses={200: {"model": HealthView}})
    async def parts(principal: Annotated[Principal, needs(Scope.SYSTEM_READ)]) -> Response:
        """Ask every part, and every account of the caller's, how it is; the whole is as bad as its worst part."""
        names = [name for name in sorted({*await listed(), *wanted}) if principal.may(Scope.SYSTEM_READ, name)]
        components, *found = await asyncio.gather(
            examine(checks(), ANSWER_S), *(_state(backend.accounts.account(name)) for name in names)
        )
        status = overall(components)
        if status is Condition.UP and not all(part["up"] for part in found):
            status = Condition.DEGRADED
        told = {name: asdict(component) for name, component in components.items()}
        return JSONResponse(
            {"status": status, "accounts": dict(zip(names, found, strict=True)), "components": told}
        )  # fmt: skip

    return routes


def _word(word: str) -> dict[int | str, dict[str, Any]]:
    return {200: {"content": {"text/plain": {"schema": {"type": "string", "const": word}, "example": word}}}}


async def _state(door: AccountDoor) -> dict[str, Any]:
    try:
        async with asyncio.timeout(ANSWER_S):
            status = asdict(await door.glance("status"))
    except TimeoutError:
        return {"up": False, "error": f"The account has not answered within {ANSWER_S:g} s."}
    except NeuralTraderError as error:
        return {"up": False, "error": str(error)}
    health = status.pop("health")
    return {**health, **status, "up": health["up"] and not status["is_fenced"]}
