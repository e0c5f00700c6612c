"""Whoever is looked up may wait; nobody else does."""

import asyncio
import threading
from collections.abc import Mapping
from typing import Any

from deployments.gateway.middleware.identity import Identity
from nt_ray.access.buckets import Verdict
from nt_ray.access.roles import Principal, Role


class Doorkeeper:
    """Knows the key `known` at once, and looks all others up until it is let go on."""

    def __init__(self) -> None:
        self.asked, self.go_on = threading.Event(), threading.Event()

    def recall(self, headers: Mapping[str, str]) -> Principal | None:
        return someone("known") if headers["x-api-key"] == "known" else None

    def authenticate(self, headers: Mapping[str, str], address: str) -> Principal:
        del address
        self.asked.set()
        self.go_on.wait(10)
        return someone(headers["x-api-key"])

    def authenticate_pair(self, key_id: str, secret: str, address: str) -> Principal:
        raise NotImplementedError


class NoLimits:
    def address(self, address: str) -> Verdict:
        del address
        return Verdict(True, 1, 0.0, 0.0)

    def principal(self, principal: Principal, cost: int = 1) -> Verdict:
        del principal, cost
        return Verdict(True, 1, 0.0, 0.0)


def someone(name: str) -> Principal:
    return Principal(id=name, role=Role.USER, credential=name)


def test_a_request_that_is_looked_up_holds_no_other_up() -> None:
    served: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        del receive, send
        served.append(scope["state"]["principal"].id)

    async def ask(layer: Identity, key: bytes) -> None:
        scope = {"type": "http", "headers": [(b"x-api-key", key)], "client": ("127.0.0.1", 1)}
        await layer(scope, None, None)  # type: ignore[arg-type]

    async def both() -> None:
        keeper = Doorkeeper()
        layer = Identity(app, keeper, NoLimits())
        slow = asyncio.create_task(ask(layer, b"unknown"))
        while not keeper.asked.is_set():
            await asyncio.sleep(0.001)
        await ask(layer, b"known")
        assert served == ["known"]
        keeper.go_on.set()
        await slow

    asyncio.run(both())
    assert served == ["known", "unknown"]
