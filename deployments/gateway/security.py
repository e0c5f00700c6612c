"""Who asks, and whether he may: what a route declares, and the one account that is meant.

`middleware.identity` has found out who it is. A route declares what it needs; an application with one that declares
nothing and is not named in `PUBLIC` does not start (`check_closed`).
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Annotated, Any, Final, TypeAlias

from fastapi import Depends
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.requests import HTTPConnection
from starlette.routing import BaseRoute

from deployments.gateway.problems import GatewayError
from nt_ray.access.roles import Principal, Scope, UnauthenticatedError

ACCOUNT_HEADER: Final = "nt-account"
"""Header that names the account, for somebody who has several."""


PUBLIC: Final = frozenset(
    {
        "/health/live", "/health/ready", "/metrics", "/", "/assets/{name}", "/api/v1/auth/token", "/api/v1/auth/revoke",
        "/api/v1/me",
    }
)  # fmt: skip
"""Routes that need no scope: they tell nothing of accounts, or ask for a credential themselves."""


ASKS_ITSELF: Final = frozenset({"/stream", "/stream/v1", "/mcp", "/mcp/", "/openapi.json"})
"""Routes beside FastAPI's: they ask for a credential themselves, but for the document, which tells of routes alone."""


class OpenRouteError(GatewayError):
    """A route that would be open to everybody."""

    code = "open_route"
    status = 500


class AccountError(GatewayError):
    """It is not clear which account is meant."""

    code = "account_unclear"
    status = 403

    def __init__(self, found: str) -> None:
        super().__init__(
            f"This credential stands for {found}. Use a key for one account, or name it in the header NT-Account."
        )


def principal_of(connection: HTTPConnection) -> Principal:
    """Who asks; `UnauthenticatedError` where that was not shown."""
    found: Principal | None = connection.scope.get("state", {}).get("principal")
    if found is None:
        raise UnauthenticatedError("The request shows no credential. Send a bearer token or an API key.")
    return found


def needs(*scopes: Scope) -> Any:
    """Dependency of a route: lets those pass who have all scopes, and gives who they are."""

    async def check(connection: HTTPConnection) -> Principal:
        principal = principal_of(connection)
        for scope in scopes:
            principal.require(scope)
        return principal

    check.scopes = frozenset(scopes)  # type: ignore[attr-defined]
    return Depends(check)


def account_of(principal: Principal, connection: HTTPConnection, scope: Scope) -> str:
    """Name the account that a request is about, where its sender may do this there."""
    named = connection.headers.get(ACCOUNT_HEADER)
    own = principal.accounts
    if named is None:
        if own is None or len(own) != 1:
            raise AccountError("all accounts" if own is None else f"{len(own)} accounts")
        (named,) = own
    principal.require(scope, named)
    return named


def account_with(scope: Scope) -> Callable[[HTTPConnection], Awaitable[str]]:
    """Dependency: the account that a request is about, for who may do this there."""

    async def check(connection: HTTPConnection) -> str:
        principal = principal_of(connection)
        principal.require(scope)
        return account_of(principal, connection, scope)

    check.scopes = frozenset({scope})  # type: ignore[attr-defined]
    return check


ReadAccount: TypeAlias = Annotated[str, Depends(account_with(Scope.TRADING_READ))]
WriteAccount: TypeAlias = Annotated[str, Depends(account_with(Scope.TRADING_WRITE))]
KillAccount: TypeAlias = Annotated[str, Depends(account_with(Scope.KILL))]


def check_closed(routes: Iterable[BaseRoute]) -> None:
    """Raise `OpenRouteError` where a route asks for no scope and is neither public nor one that asks by itself.

    What is no route of FastAPI's, as a WebSocket or another application, shows no scopes: it has to be named.
    """
    for route in _each(routes):
        path = getattr(route, "path", type(route).__name__)
        asks = isinstance(route, APIRoute) and any(map(_scopes, _calls(route.dependant)))
        if not asks and path not in (PUBLIC if isinstance(route, APIRoute) else ASKS_ITSELF):
            raise OpenRouteError(f"{path} needs no scope. Give it needs(...), or name it beside PUBLIC.")


def _each(routes: Iterable[BaseRoute]) -> Iterator[BaseRoute]:
    """Every route, those of included routers too."""
    for route in routes:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from _each(inner.routes)
        else:
            yield route


def _calls(dependant: Dependant) -> Iterator[object]:
    yield dependant.call
    for inner in dependant.dependencies:
        yield from _calls(inner)


def _scopes(call: object) -> frozenset[Scope]:
    found: frozenset[Scope] = getattr(call, "scopes", frozenset())
    return found
