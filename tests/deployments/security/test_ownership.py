"""What belongs to somebody, by every route and channel, for every role: his own alone, and all for an admin.

Like the matrix of routes it is written down from what the gateway is for; a route of jobs or runs that has no line here
fails the test.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from nt_ray.access.roles import Role
from nt_ray.trader.event_stream import Channel, news
from nt_ray.trader.files import SUMMARY
from nt_ray.trader.run_owners import claim, working_for

OWNED: Final = """
GET  /api/v1/jobs/{job}                      backtest
GET  /api/v1/jobs/{job}                      run
POST /api/v1/jobs/{job}/cancel               backtest
GET  /api/v1/jobs/{job}/events               backtest
GET  /api/v1/swarms/{job}                    run
GET  /api/v1/swarms/{job}/topology           run
POST /api/v1/swarms/{job}/topology           run
POST /api/v1/swarms/{job}/stop               run
POST /api/v1/swarms/{job}/scale              run
GET  /api/v1/runs/{run}                      swarm
GET  /api/v1/runs/{run}/files                swarm
GET  /api/v1/runs/{run}/files/{name}         swarm
GET  /api/v1/journals/{account}/entries      swarm
GET  /api/v1/journals/{account}/verification swarm
"""
"""Routes of what belongs to somebody, and the kind of job or run that is asked about."""

BODIES: Final = {"/api/v1/swarms/{job}/topology": {"topology": "star"}, "/api/v1/swarms/{job}/scale": {"hosts": 2}}
STRANGERS: Final = ("read_only", "user", "service")
"""Roles to whom what is somebody else's is not there."""
ROLES: Final = (*STRANGERS, "admin")
LACKS: Final = 403


def lines() -> list[tuple[str, str, str]]:
    return [(method, path, kind) for method, path, kind in (line.split() for line in OWNED.strip().splitlines())]


def keys_of(house: Any) -> dict[str, str]:
    """A key of each role, and one of bob's, whose all of it is."""
    return {role: house.key(Role(role)) for role in ROLES} | {"bob": house.key(Role.USER, name="bob")}


def test_every_route_of_what_belongs_to_somebody_has_a_line(house: Any) -> None:
    paths = house.app.openapi()["paths"].items()
    found = {(method.upper(), path) for path, methods in paths for method in methods}
    owned = re.compile(r"{job}|{run}|/journals/")
    assert {line[:2] for line in lines()} == {(method, path) for method, path in found if owned.search(path)}


async def told(http: httpx.AsyncClient, line: tuple[str, str, str], number: str, key: str) -> tuple[int, str]:
    """Status, and what is said, without the name that was asked with."""
    method, path, kind = line
    name = f"swarm-{number}" if kind == "swarm" else f"{kind}-{number:>016}"
    url = path
    for part, value in {"job": name, "run": name, "name": SUMMARY, "account": "paper"}.items():
        url = url.replace(f"{{{part}}}", value)
    params = {"run": name} if "journals" in path else {}
    body = BODIES.get(path) if method == "POST" else None
    answer = await http.request(method, url, params=params, json=body, headers={"X-API-Key": key})
    detail = answer.json()["detail"] if answer.status_code >= 400 else ""
    return answer.status_code, f"{answer.headers.get('content-type')} {detail.replace(name, 'IT')}"


def test_it_is_there_for_its_owner_and_admins_and_like_what_never_was_for_anybody_else(
    open_house: Callable[..., Any],
) -> None:
    house = open_house()
    keys = keys_of(house)
    for number, owner in (("1", "bob"), ("3", "")):
        with working_for(owner):
            folder = Path(house.settings.runs) / f"swarm-{number}"
            folder.mkdir(parents=True)
            claim(folder)
            (folder / SUMMARY).write_text("{}")

    async def ask(http: httpx.AsyncClient) -> tuple[list[str], set[str]]:
        wrong: list[str] = []
        compared: set[str] = set()
        for line in lines():
            for who, key in keys.items():
                there, unknown = await told(http, line, "1", key), await told(http, line, "2", key)
                if unknown[0] == LACKS:
                    # His role lacks the scope, which the matrix of routes looks at.
                    continue
                compared.add(f"{who} {line[:2]}")
                if unknown[0] != 404:
                    wrong.append(f"{line}: {who} gets {unknown} of what never was")
                if (there == unknown) is not (who in STRANGERS):
                    wrong.append(f"{line}: {who} gets {there}")
                if line[2] == "swarm" and await told(http, line, "3", key) == unknown:
                    wrong.append(f"{line}: {who} does not see what no job made")
        return wrong, compared

    wrong, compared = house.run(ask)
    assert wrong == []
    assert {f"{who} {line[:2]}" for who in ("user", "bob", "admin") for line in lines()} <= compared


@pytest.mark.parametrize(("path", "field"), [("/api/v1/jobs", "jobs"), ("/api/v1/swarms", "swarms")])
def test_lists_have_ones_own_jobs_and_those_of_all_for_an_admin(
    open_house: Callable[..., Any], path: str, field: str
) -> None:
    house = open_house()
    keys = keys_of(house)

    async def ask(http: httpx.AsyncClient) -> dict[str, bool]:
        found = {who: (await http.get(path, headers={"X-API-Key": key})).json() for who, key in keys.items()}
        return {who: bool(page[field]) for who, page in found.items()}

    assert house.run(ask) == dict.fromkeys(STRANGERS, False) | {"admin": True, "bob": True}


def test_the_stream_tells_of_jobs_and_their_runs_to_their_owners_and_admins_alone(
    open_house: Callable[..., Any], connect: Any
) -> None:
    house = open_house()
    keys = keys_of(house)
    of_jobs = (Channel.JOBS, Channel.DECISIONS, Channel.BARS)

    async def heard(key: str) -> list[tuple[str, str]]:
        async with connect(house.app, "/stream/v1", {"X-API-Key": key}) as socket:
            await socket.next()
            await socket.told()
            await socket.send(action="subscribe", channels={channel: {} for channel in (*of_jobs, "quotes")})
            assert (await socket.told())[0]["type"] == "subscribed"
            told = [(channel, owner) for channel in of_jobs for owner in ("bob", "")]
            house.source.stream.publish(
                [news(channel, datetime.now(UTC), {"of": owner}, symbol="AAPL", owner=owner) for channel, owner in told]
            )
            house.source.stream.publish([news(Channel.QUOTES, datetime.now(UTC), {"of": "all"}, symbol="AAPL")])
            seen: list[tuple[str, str]] = []
            while ("quotes", "all") not in seen:
                events = [event for event in await socket.told() if event["type"] == "event"]
                seen += [(event["channel"], event["data"]["of"]) for event in events]
            return sorted(seen)

    async def ask(_: httpx.AsyncClient) -> dict[str, list[tuple[str, str]]]:
        return {who: await heard(key) for who, key in keys.items()}

    free = [("bars", ""), ("decisions", ""), ("quotes", "all")]
    bobs = sorted([*free, ("bars", "bob"), ("decisions", "bob"), ("jobs", "bob")])
    found = house.run(ask)
    # What bears no name is nobody's; of jobs that is told to those alone who see all of them.
    assert found == dict.fromkeys(STRANGERS, free) | {"bob": bobs, "admin": sorted([*bobs, ("jobs", "")])}
