"""`/api/v1/access`: users and keys, over the same calls as `nt-ray access`, for who may let others in.

A key's secret is in the one answer that makes it, and nowhere else: such answers are never kept under an idempotency
key. Whoever came with a narrower credential than his role gives makes and renews no wider one. Each change has an entry
of its own in the audit log.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Protocol, TypeAlias

from fastapi import APIRouter, Path, Query
from pydantic import Field, StringConstraints
from starlette.responses import Response

from deployments.gateway.platform.accounts import AccountName
from deployments.gateway.platform.paging import Cursor, Limit, Next, page_of
from deployments.gateway.platform.replies import Body, answered, problems, replied
from deployments.gateway.security import needs
from nt_ray.access.api_keys import ApiKey, ApiKeys, NewKey
from nt_ray.access.roles import ForbiddenError, Principal, Role, Scope
from nt_ray.access.users import User, Users

KeyId: TypeAlias = Annotated[str, Path(pattern=r"^[A-Z2-7]{16}$", examples=["ABCDEFGH23456723"])]
UserName: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._@-]+$")]


class Doorkeeper(Protocol):
    """Knows users and keys; `nt_ray.access.gatekeeper` does."""

    users: Users
    keys: ApiKeys


class AuditLog(Protocol):
    """Writes entries down; `nt_ray.access.audit` does."""

    def append(self, action: str, who: str, *, target: str = "", details: Mapping[str, Any] = ...) -> object:
        """Write one entry."""
        ...


class UserView(Body):
    """Somebody who may come in; without accounts of his own he has all."""

    name: str
    role: Role
    has_password: bool
    accounts: list[str] | None
    active: bool
    created: datetime


class UserPage(Body):
    """Users by name."""

    users: list[UserView]
    next: Next


class KeyView(Body):
    """A key without its secret; null: all that its user may, without an end or a limit of its own."""

    id: str
    user: str
    label: str
    scopes: list[Scope] | None
    accounts: list[str] | None
    per_minute: int | None
    created: datetime
    expires: datetime | None
    revoked: datetime | None
    replaced_by: str | None
    last_used: datetime | None = Field(description="To about a minute.")


class KeyPage(Body):
    """Keys, oldest first."""

    keys: list[KeyView]
    next: Next


class NewKeyView(KeyView):
    """A key with its secret, shown this once."""

    secret: str
    key: str = Field(description="Id and secret in one, as X-API-Key takes them.")


class KeyRequest(Body):
    """What a key is to be: what is left out is what its user may."""

    user: UserName
    label: Annotated[str, Field(max_length=200)] = ""
    scopes: Annotated[list[Scope], Field(max_length=len(Scope))] | None = None
    accounts: Annotated[list[AccountName], Field(max_length=100)] | None = None
    per_minute: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    days: Annotated[float, Field(gt=0, le=36_500)] | None = Field(None, description="Days for which it holds.")


class Rotation(Body):
    """For how long the old key holds beside the new one."""

    overlap_hours: Annotated[float, Field(ge=0, le=8784)] = 24.0


def router(doorkeeper: Doorkeeper, audit: AuditLog) -> APIRouter:
    """Build the routes."""
    routes = APIRouter(prefix="/api/v1/access", tags=["access"])

    def told(action: str, principal: Principal, target: str, **details: Any) -> None:
        audit.append(action, principal.id, target=target, details=details)

    @routes.get("/users", response_model=UserPage, responses=problems(), summary="List users")
    async def users(
        principal: Annotated[Principal, needs(Scope.ACCESS_ADMIN)], limit: Limit = 50, cursor: Cursor = None
    ) -> Response:
        principal.require_everywhere(Scope.ACCESS_ADMIN)
        found = await asyncio.to_thread(doorkeeper.users.all)
        page, more = page_of("users", found, lambda user: user.name, cursor, limit)
        return replied(UserPage(users=[_user(user) for user in page], next=more))

    @routes.get("/keys", response_model=KeyPage, responses=problems(), summary="List keys")
    async def keys(
        principal: Annotated[Principal, needs(Scope.ACCESS_ADMIN)],
        user: Annotated[UserName | None, Query(description="Only those of a user.")] = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Response:
        principal.require_everywhere(Scope.ACCESS_ADMIN)
        found = await asyncio.to_thread(doorkeeper.keys.all, user)
        page, more = page_of("keys", found, lambda key: f"{key.created.isoformat()} {key.id}", cursor, limit)
        return replied(KeyPage(keys=[KeyView(**key.facts()) for key in page], next=more))

    @routes.post("/keys", status_code=201, response_model=NewKeyView, responses=problems(404), summary="Make a key")
    async def add(principal: Annotated[Principal, needs(Scope.ACCESS_ADMIN)], body: KeyRequest) -> Response:
        scopes = None if body.scopes is None else frozenset(body.scopes)
        _check(principal, scopes)

        def made() -> NewKey:
            lifetime = None if body.days is None else timedelta(days=body.days)
            given: dict[str, Any] = {"label": body.label, "scopes": scopes, "accounts": body.accounts}
            new = doorkeeper.keys.add(body.user, **given, per_minute=body.per_minute, lifetime=lifetime)
            told("keys.add", principal, new.key.id, **body.model_dump(mode="json", exclude_none=True))
            return new

        return _shown_once(await asyncio.to_thread(made))

    @routes.post(
        "/keys/{key_}/rotate",
        status_code=201,
        response_model=NewKeyView,
        responses=problems(404),
        summary="Make a key like another, which then ends",
    )
    async def rotate(
        principal: Annotated[Principal, needs(Scope.ACCESS_ADMIN)], key_: KeyId, body: Rotation
    ) -> Response:
        principal.require_everywhere(Scope.ACCESS_ADMIN)

        def made() -> NewKey:
            _check(principal, doorkeeper.keys.get(key_).scopes)
            new = doorkeeper.keys.rotate(key_, timedelta(hours=body.overlap_hours))
            told("keys.rotate", principal, key_, to=new.key.id, overlap_hours=body.overlap_hours)
            return new

        return _shown_once(await asyncio.to_thread(made))

    @routes.post(
        "/keys/{key_}/revoke", response_model=KeyView, responses=problems(404), summary="Withdraw a key, at once"
    )
    async def revoke(principal: Annotated[Principal, needs(Scope.ACCESS_ADMIN)], key_: KeyId) -> Response:
        principal.require_everywhere(Scope.ACCESS_ADMIN)

        def done() -> ApiKey:
            doorkeeper.keys.revoke(key_)
            told("keys.revoke", principal, key_)
            return doorkeeper.keys.get(key_)

        return answered(KeyView(**(await asyncio.to_thread(done)).facts()))

    return routes


def _check(principal: Principal, scopes: frozenset[Scope] | None) -> None:
    """Refuse a key that may more than the credential by which it is made."""
    principal.require_everywhere(Scope.ACCESS_ADMIN)
    if principal.scopes is not None:
        beyond = sorted((frozenset(Scope) if scopes is None else scopes) - principal.scopes)
        if beyond:
            raise ForbiddenError(beyond[0])


def _shown_once(new: NewKey) -> Response:
    return answered(NewKeyView(**new.key.facts(), secret=new.secret, key=new.text), 201)


def _user(user: User) -> UserView:
    return UserView(
        name=user.name,
        role=user.role,
        has_password=user.has_password,
        accounts=None if user.accounts is None else sorted(user.accounts),
        active=user.active,
        created=user.created,
    )
