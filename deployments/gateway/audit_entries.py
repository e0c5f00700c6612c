"""`/api/v1/audit`: the audit log as it stands, newest first, masked as it was written. It tells of everybody."""

import asyncio
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import Response

from deployments.gateway.platform.paging import Cursor, Limit, cursor_of, number_at
from deployments.gateway.platform.replies import Body, problems, replied
from deployments.gateway.security import needs
from nt_ray.access.audit_lines import Entry
from nt_ray.access.audit_reading import entries_before
from nt_ray.access.roles import Principal, Scope

LOOKED_AT: Final = 20_000
"""Entries that one page looks at, whatever it is asked for: a rare one may take several."""


class AuditEntry(Body):
    """One entry; its hash is over itself and the entry before."""

    seq: int
    time: str
    who: str
    action: str
    what: dict[str, Any]
    hash: str


class AuditPage(Body):
    """Entries, newest first."""

    entries: list[AuditEntry]
    next: str | None = Field(
        description="Cursor of the next page; null at the first entry. A page may be short, and go on."
    )


def router(folder: Path) -> APIRouter:
    """Build the route over the log in a folder."""
    routes = APIRouter(prefix="/api/v1", tags=["access"])

    @routes.get("/audit", response_model=AuditPage, responses=problems(), summary="Read the audit log")
    async def listed(
        principal: Annotated[Principal, needs(Scope.AUDIT_READ)],
        limit: Limit = 50,
        cursor: Cursor = None,
        who: Annotated[str, Query(max_length=200, description="Only what somebody did.")] = "",
        action: Annotated[str, Query(max_length=200, description="Only actions that begin so.")] = "",
    ) -> Response:
        principal.require_everywhere(Scope.AUDIT_READ)

        def chosen(entry: Entry) -> bool:
            return who in ("", entry.who) and entry.action.startswith(action)

        found, last = await asyncio.to_thread(_looked, folder, number_at("audit", cursor), limit, chosen)
        more = cursor_of("audit", last) if last is not None else None
        return replied(AuditPage(entries=found, next=more))

    return routes


def _looked(folder: Path, before: int | None, limit: int, chosen: Any) -> tuple[list[AuditEntry], int | None]:
    """Entries of a page, and the last one looked at where there are more behind it."""
    found: list[AuditEntry] = []
    for looked_at, entry in enumerate(entries_before(folder, before), 1):
        if chosen(entry):
            found.append(_view(entry))
        if len(found) == limit or looked_at == LOOKED_AT:
            return found, entry.seq if entry.seq > 1 else None
    return found, None


def _view(entry: Entry) -> AuditEntry:
    return AuditEntry(**(entry._asdict() | {"hash": entry.hash.hex()}))
