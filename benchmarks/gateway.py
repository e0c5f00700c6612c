"""What the gateway's layers cost: CPU time of a request through the whole application beside an empty FastAPI handler.

No sockets and no Ray: requests are put to the applications as ASGI messages, in one process, in turns, and the least
CPU time of many turns counts, so other work on the machine does not. With the time that Ray Serve itself takes for a
request (`--serve-us`, 182 for 5,500 requests/s on one replica behind HAProxy) follows the share of an empty handler's
rate.
"""

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.responses import JSONResponse, Response

from deployments.gateway.application import Guards, application
from deployments.gateway.backend.accounts import AccountDoor
from deployments.gateway.observability.install import install
from nt_ray.access.audit import open_audit
from nt_ray.access.gatekeeper import open_gatekeeper, utc_now
from nt_ray.access.limits import open_limits
from nt_ray.access.roles import Role
from nt_ray.config import load_settings

SERVE_US = 182.0
TARGET = 0.7


class Nobody:
    """A platform without accounts."""

    accounts: Any

    def __init__(self) -> None:
        self.accounts = self

    async def names(self) -> list[str]:
        """No names."""
        return []

    def account(self, name: str) -> AccountDoor:
        """None is asked for."""
        raise KeyError(name)


def whole(folder: Path) -> tuple[Any, list[tuple[bytes, bytes]]]:
    """The gateway, and headers of a user of it."""
    limits = {"access.per_minute": "10000000", "access.address_per_minute": "10000000"}
    settings = load_settings(None, {"access.folder": str(folder)} | limits, environ={})
    gatekeeper = open_gatekeeper(settings.access)
    gatekeeper.users.add("ann", Role.USER)
    key = gatekeeper.keys.add("ann", accounts={"paper"})
    audit = open_audit(settings.access, utc_now)
    nobody = Nobody()
    app = application(settings, nobody, Guards(gatekeeper, open_limits(settings.access), audit))
    install(app, settings.observability, nobody)
    return app, [(b"apca-api-key-id", key.key.id.encode()), (b"apca-api-secret-key", key.secret.encode())]


def empty() -> FastAPI:
    """An application of one handler that does nothing."""
    app = FastAPI()

    @app.get("/v2/clock")
    async def clock() -> Response:
        return JSONResponse({})

    return app


async def ask(app: Any, headers: list[tuple[bytes, bytes]]) -> int:
    """Put one request; return the status."""
    status = 0
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "path": "/v2/clock",
        "raw_path": b"/v2/clock", "query_string": b"", "root_path": "", "scheme": "http",
        "headers": [(b"host", b"127.0.0.1"), (b"accept-encoding", b"gzip"), *headers], "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        nonlocal status
        status = message.get("status", status)

    await app(scope, receive, send)
    return status


def least_us(work: Callable[[], Awaitable[int]], turns: int, count: int) -> float:
    """Least CPU time of a request over turns of `count`, in microseconds."""

    async def turn() -> float:
        started = time.process_time()
        for _ in range(count):
            if await work() != 200:
                message = "a request was refused"
                raise SystemExit(message)
        return (time.process_time() - started) / count

    return min(asyncio.run(turn()) for _ in range(turns)) * 1e6


def measure(turns: int = 15, count: int = 300, serve_us: float = SERVE_US) -> dict[str, float]:
    """Measure; return the figures."""
    with tempfile.TemporaryDirectory() as name:
        app, headers = whole(Path(name))
        bare = empty()
        gateway_us = least_us(lambda: ask(app, headers), turns, count)
        empty_us = least_us(lambda: ask(bare, []), turns, count)
    share = (serve_us + empty_us) / (serve_us + gateway_us)
    return {"empty_us": round(empty_us, 1), "gateway_us": round(gateway_us, 1), "share_on_serve": round(share, 3)}


def main() -> None:
    """Parse arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--serve-us", type=float, default=SERVE_US)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    result = measure(serve_us=arguments.serve_us)
    if arguments.json:
        print(json.dumps(result))
        return
    print(f"empty FastAPI handler              {result['empty_us']:8.1f} µs of CPU")
    print(f"authenticated read of the gateway  {result['gateway_us']:8.1f} µs of CPU")
    print(f"share of the rate on Serve         {result['share_on_serve']:8.3f}   (target: at least {TARGET})")


if __name__ == "__main__":
    main()
