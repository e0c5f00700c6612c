"""Logging in over HTTP: tokens for a password, a refresh that holds once, logging out, and what is refused."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.middleware import Middleware

from deployments.gateway import problems, sessions
from deployments.gateway.middleware.envelope import Envelope
from deployments.gateway.middleware.identity import Identity
from deployments.gateway.security import needs
from nt_ray.access.gatekeeper import open_gatekeeper
from nt_ray.access.limits import open_limits
from nt_ray.access.roles import Role, Scope
from nt_ray.config.access import Access

PASSWORD = "correct horse battery staple"


@pytest.fixture
def client(tmp_path: Any) -> Any:
    access = Access(folder=tmp_path / "access", password_memory_mb=1, logins_per_minute=60)
    gatekeeper, limits = open_gatekeeper(access), open_limits(access)
    gatekeeper.users.add("ann", Role.USER, password=PASSWORD)
    app = FastAPI(middleware=[Middleware(Envelope), Middleware(Identity, gatekeeper=gatekeeper, limits=limits)])
    problems.install(app)
    app.include_router(sessions.router(gatekeeper, limits))

    @app.get("/mine", dependencies=[needs(Scope.TRADING_READ)])
    async def mine() -> None:
        """Is there for those who may trade."""

    return lambda: httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://desk")


async def ask(client: Any, *calls: tuple[str, str, Any]) -> list[httpx.Response]:
    async with client() as http:
        found = []
        for method, path, more in calls:
            given = more(found) if callable(more) else more
            found.append(await http.request(method, path, **given))
        return found


def run(client: Any, *calls: tuple[str, str, Any]) -> list[httpx.Response]:
    import asyncio

    return asyncio.run(ask(client, *calls))


TOKEN, LOGIN = "/api/v1/auth/token", {"grant_type": "password", "username": "ann", "password": PASSWORD}


def bearer(answer: httpx.Response) -> dict[str, Any]:
    return {"headers": {"Authorization": f"Bearer {answer.json()['access_token']}"}}


def again(answer: httpx.Response) -> dict[str, Any]:
    return {"data": {"grant_type": "refresh_token", "refresh_token": answer.json()["refresh_token"]}}


def test_a_password_gives_a_token_that_opens_and_a_refresh_that_holds_once(client: Any) -> None:
    answers = run(
        client,
        ("POST", TOKEN, {"data": LOGIN}),
        ("GET", "/mine", lambda found: bearer(found[0])),
        ("POST", TOKEN, lambda found: again(found[0])),
        ("GET", "/mine", lambda found: bearer(found[2])),
        ("POST", TOKEN, lambda found: again(found[0])),
        ("GET", "/mine", lambda found: bearer(found[2])),
    )
    assert [a.status_code for a in answers] == [200, 200, 200, 200, 401, 401]
    assert answers[0].json()["token_type"] == "bearer"
    assert answers[0].headers["cache-control"] == "no-store"
    assert answers[4].json()["code"] == "token_replayed"


def test_logging_out_ends_the_session(client: Any) -> None:
    answers = run(
        client,
        ("POST", TOKEN, {"data": LOGIN}),
        ("POST", "/api/v1/auth/revoke", lambda found: {"data": {"token": found[0].json()["access_token"]}}),
        ("GET", "/mine", lambda found: bearer(found[0])),
        ("POST", "/api/v1/auth/revoke", {"data": {"token": "none of ours"}}),
    )
    assert [a.status_code for a in answers] == [200, 200, 401, 200]


def test_less_than_the_role_grants_can_be_asked_for(client: Any) -> None:
    answers = run(
        client,
        ("POST", TOKEN, {"data": LOGIN | {"scope": "runs:read"}}),
        ("GET", "/mine", lambda found: bearer(found[0])),
        ("POST", TOKEN, {"data": LOGIN | {"scope": "moon:write"}}),
        ("POST", TOKEN, {"data": LOGIN | {"scope": "access:admin"}}),
    )
    assert [a.status_code for a in answers] == [200, 403, 422, 403]
    assert answers[0].json()["scope"] == "runs:read"


@pytest.mark.parametrize(
    ("form", "status"),
    [
        (LOGIN | {"password": "wrong"}, 401), (LOGIN | {"username": "nobody"}, 401), (LOGIN | {"extra": "1"}, 422),
        ({"grant_type": "password"}, 422), ({"grant_type": "refresh_token"}, 422), ({"grant_type": "magic"}, 422),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, 401), ({}, 422),
        (LOGIN | {"password": "p" * 2000}, 422),
    ],
)  # fmt: skip
def test_what_does_not_hold_is_refused_and_not_repeated(client: Any, form: dict[str, str], status: int) -> None:
    (told,) = run(client, ("POST", TOKEN, {"data": form}))
    assert told.status_code == status
    assert PASSWORD not in told.text
