"""The doors of observability: `/metrics`, and the newest lines of this replica's log."""

import asyncio
import ipaddress
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query, Request, Response

from actors.logs import LogTail
from deployments.gateway.observability.lines import LONGEST, Logs, page
from deployments.gateway.observability.metrics import MEDIA_TYPE, text
from deployments.gateway.observability.sharing import Sharing
from deployments.gateway.observability.sources import Asked
from deployments.gateway.platform.replies import problems, replied
from deployments.gateway.security import needs, principal_of
from nt_ray.access.roles import Principal, Scope

FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-real-ip")
MOST_LINES: Final = 1000


def is_local(request: Request) -> bool:
    """Whether a request was made on this machine, to this machine by name, and no proxy passed it on.

    A page of elsewhere whose name was made to lead here (DNS rebinding) names itself in the header Host.
    """
    address = request.scope.get("state", {}).get("address") or (request.client and request.client.host)
    if not address or any(name in request.headers for name in FORWARDED):
        return False
    return _is_loopback(address) and (request.url.hostname == "localhost" or _is_loopback(request.url.hostname or ""))


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def router(
    sharing: Sharing,
    asked: Asked,
    tail: LogTail,
    readers: Literal["loopback", "everybody", "nobody"],
) -> APIRouter:
    """Routes over what a replica counts, keeps and asks."""
    routes = APIRouter(tags=["observability"])

    @routes.get(
        "/metrics",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}, "example": "gateway_replicas 2\n"}}}},
        summary="Scrape",
        # Whom `observability.metrics` names needs none.
        openapi_extra={"security": [{}, {"bearer": []}, {"key": []}]},
    )
    async def read_metrics(request: Request) -> Response:
        """Counts of all replicas, and of all accounts, for Prometheus."""
        if readers == "nobody" or (readers == "loopback" and not is_local(request)):
            principal_of(request).require_everywhere(Scope.SYSTEM_READ)
        counted, answers, done = await asyncio.gather(sharing.all(), asked.accounts.get(), asked.work.get())
        written = text(counted, answers.found, done, complete=answers.complete)
        return Response(written, headers={"content-type": MEDIA_TYPE})

    @routes.get("/api/v1/logs", response_model=Logs, responses=problems(), summary="Read the log")
    async def read_logs(
        principal: Annotated[Principal, needs(Scope.CONFIG_READ)],
        limit: Annotated[int, Query(ge=1, le=MOST_LINES)] = 200,
        cursor: Annotated[str | None, Query(max_length=LONGEST, description="`next` of the page before.")] = None,
    ) -> Response:
        """Lines of the replica that answers, its newest at first, secrets masked; they tell of all accounts.

        Ask again with `next`: whichever replica answers then, no line comes twice and none that is kept is left out.
        """
        principal.require_everywhere(Scope.CONFIG_READ)
        return replied(page(tail, cursor, limit))

    return routes
