"""Logging in and out: the password and refresh grants of OAuth 2 (RFC 6749), and revocation (RFC 7009).

Tokens are answered once and never cached; a password is checked in a thread, since that takes long on purpose.
"""

import asyncio
from typing import Annotated, Literal, Protocol

from fastapi import APIRouter, Form, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from deployments.gateway.problems import GatewayError
from nt_ray.access.gatekeeper import Tokens
from nt_ray.access.roles import Scope


class ScopeError(GatewayError):
    """A scope that does not exist."""

    code = "invalid_scope"
    status = 422


class GrantError(GatewayError):
    """A request for tokens without what its kind needs."""

    code = "invalid_grant"
    status = 422


class Doorkeeper(Protocol):
    """Gives and takes tokens; `nt_ray.access.gatekeeper` does."""

    def login(self, name: str, password: str, address: str, scopes: frozenset[Scope] | None = None) -> Tokens:
        """Begin a session with a password."""
        ...

    def refresh(self, token: str, address: str) -> Tokens:
        """Take a refresh token for new tokens."""
        ...

    def revoke(self, token: str) -> str | None:
        """End the session of a token and give its user; None where it is none of ours."""
        ...


class Counts(Protocol):
    """Counts logins; `nt_ray.access.limits` does."""

    def login(self, address: str) -> object:
        """Count a login of an address."""
        ...


class TokenRequest(BaseModel):
    """A form that asks for tokens."""

    model_config = ConfigDict(extra="forbid")

    grant_type: Literal["password", "refresh_token"]
    username: Annotated[str, Field(max_length=256)] = ""
    password: Annotated[str, Field(max_length=1024)] = ""
    refresh_token: Annotated[str, Field(max_length=4096)] = ""
    scope: Annotated[str, Field(max_length=1024)] = ""


class GivenToken(BaseModel):
    """A form that gives a token back."""

    model_config = ConfigDict(extra="forbid")

    token: Annotated[str, Field(max_length=4096)]
    token_type_hint: Annotated[str, Field(max_length=32)] = ""


class TokenAnswer(BaseModel):
    """Tokens, shown this once."""

    model_config = ConfigDict(extra="forbid")

    access_token: str
    refresh_token: str
    token_type: Literal["bearer"]
    expires_in: int = Field(description="Seconds for which the access token holds.")
    scope: str = Field(description="Scopes, one after the other.")


def router(doorkeeper: Doorkeeper, counts: Counts) -> APIRouter:
    """Routes under /api/v1/auth."""
    routes = APIRouter(prefix="/api/v1/auth", tags=["auth"])

    @routes.post("/token", summary="Log in, or go on", response_model=TokenAnswer, openapi_extra={"security": []})
    async def token(form: Annotated[TokenRequest, Form()], request: Request) -> Response:
        """Give tokens for a password, or for a refresh token, which holds no longer after that."""
        address = request.state.address
        # A thread, since counting may ask Redis.
        await asyncio.to_thread(counts.login, address)
        if form.grant_type == "refresh_token":
            if not form.refresh_token:
                raise GrantError("The grant refresh_token needs a refresh_token. Send it.")
            found = await asyncio.to_thread(doorkeeper.refresh, form.refresh_token, address)
        else:
            if not form.username or not form.password:
                raise GrantError("The grant password needs username and password. Send both.")
            scopes = _scopes(form.scope)
            found = await asyncio.to_thread(doorkeeper.login, form.username, form.password, address, scopes)
        request.state.acted = found.user
        body = {
            "access_token": found.access,
            "refresh_token": found.refresh,
            "token_type": "bearer",
            "expires_in": found.expires_in_s,
            "scope": " ".join(sorted(found.scopes)),
        }
        return JSONResponse(body)

    @routes.post("/revoke", summary="Log out", openapi_extra={"security": []}, response_class=Response)
    async def revoke(form: Annotated[GivenToken, Form()], request: Request) -> Response:
        """End the session of a token; one that is none of ours is none already."""
        request.state.acted = await asyncio.to_thread(doorkeeper.revoke, form.token)
        return Response()

    return routes


def _scopes(text: str) -> frozenset[Scope] | None:
    try:
        return frozenset(map(Scope, text.split())) or None
    except ValueError as error:
        raise ScopeError(f"A scope of {text[:80]!r} does not exist. Ask for those of /openapi.json.") from error
