"""The doors of observability: `/metrics`, and the newest lines of this replica's log."""

import ipaddress
from dataclasses import asdict
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict

from deployments.gateway.observability.logs import LogTail
from deployments.gateway.observability.metrics import MEDIA_TYPE, Metrics
from deployments.gateway.observability.sources import Asked
from deployments.gateway.security import needs, principal_of
from nt_ray.access.roles import Scope

FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-real-ip")
MOST_LINES: Final = 1000


class LogLine(BaseModel):
    """A line of the log, as JSON text."""

    model_config = ConfigDict(extra="forbid")

    number: int
    text: str


class Logs(BaseModel):
    """Newest lines of one replica; `last` is given back as `after`."""

    model_config = ConfigDict(extra="forbid")

    lines: list[LogLine]
    last: int


def is_local(request: Request) -> bool:
    """Whether a request was made on this machine and no proxy passed it on."""
    address = request.scope.get("state", {}).get("address") or (request.client and request.client.host)
    if not address or any(name in request.headers for name in FORWARDED):
        return False
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def router(
    metrics: Metrics,
    asked: Asked,
    tail: LogTail,
    readers: Literal["loopback", "everybody", "nobody"],
) -> APIRouter:
    """Routes over what a replica counts, keeps and asks."""
    routes = APIRouter(tags=["observability"])

    @routes.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    async def read_metrics(request: Request) -> Response:
        """Counts of this replica, and of all accounts, for Prometheus."""
        if readers == "nobody" or (readers == "loopback" and not is_local(request)):
            principal_of(request).require(Scope.SYSTEM_READ)
        tallies = await asked.tallies.get()
        return Response(
            metrics.text(tallies.found, await asked.gpus.get(), tallies.complete), headers={"content-type": MEDIA_TYPE}
        )

    @routes.get("/api/v1/logs", response_model=Logs, dependencies=[needs(Scope.CONFIG_READ)])
    async def read_logs(
        after: Annotated[int, Query(ge=0)] = 0,
        limit: Annotated[int, Query(ge=1, le=MOST_LINES)] = 200,
    ) -> dict[str, Any]:
        """Newest lines of the log of the replica that answers, secrets masked."""
        lines = tail.after(after, limit)
        return {"lines": [asdict(line) for line in lines], "last": lines[-1].number if lines else after}

    return routes
