"""Tokens and keys that do not hold, at each of the gateway's doors: HTTP, WebSocket and MCP."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from nt_ray.access.roles import Role

PASSWORD = "correct horse battery"
LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
SPEAKS = {"accept": "application/json, text/event-stream"}

Door = Callable[[Any, httpx.AsyncClient, Any, dict[str, str]], Awaitable[str]]


async def by_http(_: Any, http: httpx.AsyncClient, __: Any, headers: dict[str, str]) -> str:
    told = await http.get("/api/v1/me", headers=headers)
    return "in" if told.status_code == 200 else str(told.json()["code"])


async def by_mcp(_: Any, http: httpx.AsyncClient, __: Any, headers: dict[str, str]) -> str:
    told = await http.post("/mcp", json=LIST, headers=SPEAKS | headers)
    return "in" if told.status_code == 200 else str(told.json()["code"])


async def by_socket(house: Any, _: httpx.AsyncClient, connect: Any, headers: dict[str, str]) -> str:
    async with connect(house.app, "/stream/v1", headers) as socket:
        assert (await socket.next())["type"] == "websocket.accept"
        told = await socket.next()
        return "in" if told["type"] == "websocket.send" else str(told["reason"])


async def by_message(house: Any, _: httpx.AsyncClient, connect: Any, headers: dict[str, str]) -> str:
    async with connect(house.app, "/stream/v1") as socket:
        await socket.next()
        token = headers.get("Authorization", "").removeprefix("Bearer ") or headers["X-API-Key"]
        await socket.send(action="authenticate", token=token)
        told = await socket.next()
        return "in" if told["type"] == "websocket.send" else str(told["reason"])


DOORS: list[Door] = [by_http, by_mcp, by_socket, by_message]


def encoded(part: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def signed(header: dict[str, Any], claims: dict[str, Any], key: bytes) -> str:
    """A token with HMAC-SHA256 over whatever header and claims, as no library would write it."""
    text = f"{encoded(header)}.{encoded(claims)}"
    mac = hmac.digest(key, text.encode(), hashlib.sha256)
    return f"{text}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


def forgeries(house: Any, token: str, algorithm: str) -> dict[str, str]:
    """Tokens with the claims of one that holds, signed otherwise."""
    claims = jwt.decode(token, options={"verify_signature": False})
    raised = claims | {"sub": "root"}
    head, body, signature = token.split(".")
    secret = (house.settings.access.folder / f"token-{algorithm.lower()}.secret").read_bytes()
    own = {"typ": "at+jwt", "alg": algorithm}
    rsa = generate_private_key(65537, 2048)
    found = {
        "no algorithm": f"{encoded(own | {'alg': 'none'})}.{body}.",
        "no algorithm, in other letters": f"{encoded(own | {'alg': 'nOnE'})}.{body}.",
        "no algorithm, with a signature": f"{encoded(own | {'alg': 'none'})}.{body}.{signature}",
        "no signature": f"{head}.{body}.",
        "another body": f"{head}.{encoded(raised)}.{signature}",
        "another key": signed(own | {"alg": "HS256"}, raised, b"k" * 64),
        "an empty key": signed(own | {"alg": "HS256"}, raised, b""),
        "a file as the key": signed(own | {"alg": "HS256", "kid": "../../../../dev/null"}, raised, b""),
        "a key of its own": jwt.encode(raised, rsa, "RS256", {"typ": "at+jwt", "jwk": {"kty": "RSA"}}),
        "a key from elsewhere": jwt.encode(raised, rsa, "RS256", {"typ": "at+jwt", "jku": "http://192.0.2.1/keys"}),
        "what nobody understands": signed(own | {"alg": "HS256", "crit": ["x"], "x": 1}, raised, b"k" * 64),
    }
    if algorithm == "HS256":
        # Signed with the right key, but for another use, server, reader, or time.
        found |= {
            "another type": signed(own | {"typ": "JWT"}, claims, secret),
            "another issuer": signed(own, claims | {"iss": "elsewhere"}, secret),
            "another reader": signed(own, claims | {"aud": "elsewhere"}, secret),
            "several readers": signed(own, claims | {"aud": ["nt-ray", "elsewhere"]}, secret),
            "no session": signed(own, {name: claims[name] for name in claims if name != "sid"}, secret),
            "a role of its own": signed(own, claims | {"sid": "none", "role": "admin"}, secret),
            "the name of another": signed(own, raised, secret),
            "a stronger hash": jwt.encode(claims, secret, "HS512", {"typ": "at+jwt"}),
        }
    else:
        public = load_pem_private_key(secret, None).public_key()
        for name, form in (("PEM", PublicFormat.SubjectPublicKeyInfo), ("raw", PublicFormat.Raw)):
            known = public.public_bytes(Encoding.PEM if name == "PEM" else Encoding.Raw, form)
            found[f"the public key as a secret, {name}"] = signed(own | {"alg": "HS256"}, raised, known)
        found["another key of the same kind"] = jwt.encode(raised, Ed25519PrivateKey.generate(), "EdDSA", own)
    return found


@pytest.mark.parametrize("algorithm", ["HS256", "EdDSA"])
def test_no_door_takes_a_forged_token(open_house: Callable[..., Any], connect: Any, algorithm: str) -> None:
    house = open_house(access__token_algorithm=algorithm)
    house.gatekeeper.users.add("root", Role.ADMIN)
    house.gatekeeper.users.add("ada", Role.ADMIN, password=PASSWORD)
    tokens = house.gatekeeper.login("ada", PASSWORD, "192.0.2.1")
    false = forgeries(house, tokens.access, algorithm) | {"a token to refresh with": tokens.refresh}

    async def ask(http: httpx.AsyncClient) -> None:
        for door in DOORS:
            assert await door(house, http, connect, bearer(tokens.access)) == "in"
            for what, token in false.items():
                code = await door(house, http, connect, bearer(token))
                assert code in ("token_invalid", "token_revoked"), (door.__name__, what, code)

    house.run(ask, serves=True)


def test_no_door_takes_what_has_expired_or_was_withdrawn(open_house: Callable[..., Any], connect: Any) -> None:
    house = open_house(access__access_minutes="0.02", access__leeway_s="0")
    house.gatekeeper.users.add("ada", Role.ADMIN, password=PASSWORD)
    old = house.gatekeeper.login("ada", PASSWORD, "192.0.2.1").access
    key, gone = house.gatekeeper.keys.add("ada"), house.key(Role.USER, name="bob")
    house.gatekeeper.keys.revoke(key.key.id)
    house.gatekeeper.users.activate("bob", active=False)
    time.sleep(2.1)

    async def ask(http: httpx.AsyncClient) -> list[list[str]]:
        shown = (bearer(old), {"X-API-Key": key.text}, bearer(gone))
        return [[await door(house, http, connect, headers) for headers in shown] for door in DOORS]

    assert house.run(ask, serves=True) == [["token_expired", "key_revoked", "key_revoked"]] * len(DOORS)


def test_no_door_takes_a_token_of_a_session_that_was_replayed_or_ended(
    open_house: Callable[..., Any], connect: Any
) -> None:
    house = open_house()
    house.gatekeeper.users.add("ada", Role.ADMIN, password=PASSWORD)

    async def log_in(http: httpx.AsyncClient, **form: str) -> httpx.Response:
        return await http.post("/api/v1/auth/token", data=form)

    async def ask(http: httpx.AsyncClient) -> None:
        password = {"grant_type": "password", "username": "ada", "password": PASSWORD}
        first, other = [(await log_in(http, **password)).json() for _ in range(2)]
        again = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
        second = (await log_in(http, **again)).json()
        stolen = await log_in(http, **again)
        assert (stolen.status_code, stolen.json()["code"]) == (401, "token_replayed")
        await http.post("/api/v1/auth/revoke", data={"token": other["access_token"]})
        for door in DOORS:
            for tokens in (first, second, other):
                assert await door(house, http, connect, bearer(tokens["access_token"])) == "token_revoked"
        text = (house.settings.access.folder / "audit" / "audit.jsonl").read_text()
        entries = [json.loads(line) for line in text.splitlines() if "/auth/" in line]
        assert [(entry["who"], entry["what"]["outcome"]) for entry in entries] == [
            ("ada", "200"), ("ada", "200"), ("ada", "200"), ("nobody", "401"), ("ada", "200"),
        ]  # fmt: skip
        assert PASSWORD not in text
        assert all(token not in text for token in (*first.values(), *second.values()) if len(str(token)) > 40)

    house.run(ask, serves=True)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
