"""`/journals`: the record of an account, page by page, and the proof that nobody changed it."""

import asyncio
import itertools
import json
from pathlib import Path as FilePath
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import Response

from deployments.gateway.backend.platform import Platform
from deployments.gateway.platform.accounts import AccountPath
from deployments.gateway.platform.paging import Cursor, Limit, cursor_of, number_at
from deployments.gateway.platform.replies import Body, problems, replied
from deployments.gateway.platform.runs import run_folder
from deployments.gateway.problems import NotFoundError
from deployments.gateway.security import needs
from nt_ray.access.roles import Principal, Scope
from nt_ray.config import Settings
from nt_ray.storage.chain import Row
from nt_ray.storage.opening import opened
from nt_ray.trader.connection import journal_of

Run = Annotated[
    str | None,
    Query(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$", description="The account of a run, instead of a live one."),
]


class EntryView(Body):
    """One event."""

    seq: int
    epoch: int
    time: str
    kind: str
    client_order_id: str
    payload: dict[str, Any]
    hash: str = Field(description="Over this event and the hash of the one before.")


class EntryPage(Body):
    """Events, oldest first."""

    account: str
    entries: list[EntryView]
    next: str | None = Field(description="Cursor of the next page; null at the end of the journal.")


class Verdict(Body):
    """What a walk along the chain found."""

    account: str
    whole: bool
    events: int
    head: str
    broken_at: int | None
    reason: str | None


def router(platform: Platform) -> APIRouter:
    """Build the routes."""
    routes = APIRouter(prefix="/journals", tags=["journals"])

    @routes.get("/{account}/entries", response_model=EntryPage, responses=problems(404), summary="Read a journal")
    async def entries(
        principal: Annotated[Principal, needs(Scope.JOURNAL_READ)],
        account: AccountPath,
        run: Run = None,
        limit: Limit = 100,
        cursor: Cursor = None,
    ) -> Response:
        principal.require(Scope.JOURNAL_READ, account)
        after = number_at("entries", cursor) or 0
        rows = await asyncio.to_thread(_read, _where(platform.settings, account, run, principal), after, limit + 1)
        more = cursor_of("entries", rows[limit - 1].seq) if len(rows) > limit else None
        return replied(EntryPage(account=account, entries=[_view(row) for row in rows[:limit]], next=more))

    @routes.get("/{account}/verification", response_model=Verdict, responses=problems(404), summary="Prove a journal")
    async def verification(
        principal: Annotated[Principal, needs(Scope.JOURNAL_READ)],
        account: AccountPath,
        run: Run = None,
        head: Annotated[str, Query(pattern=r"^([0-9a-f]{64})?$", description="A head noted earlier.")] = "",
    ) -> Response:
        principal.require(Scope.JOURNAL_READ, account)
        place = _where(platform.settings, account, run, principal)
        return replied(await asyncio.to_thread(_verify, place, account, head))

    return routes


def _where(settings: Settings, account: str, run: str | None, principal: Principal) -> str | FilePath:
    if run is not None:
        found: str | FilePath = run_folder(FilePath(settings.runs), run, principal) / f"journal-{account}.sqlite"
    elif account in settings.brokers.enabled:
        found = journal_of(settings, account)
    else:
        raise NotFoundError(f"No broker of the settings is called {account}, so there is no such journal.")
    if isinstance(found, FilePath) and not found.is_file():
        raise NotFoundError(f"Account {account} has no journal there yet. It is written with the first event.")
    return found


def _read(place: str | FilePath, after: int, limit: int) -> list[Row]:
    with opened(place) as journal:
        return list(itertools.islice(journal.rows(after), limit))


def _verify(place: str | FilePath, account: str, head: str) -> Verdict:
    with opened(place) as journal:
        found = journal.verify(head)
    fault = found.fault
    return Verdict(
        account=account,
        whole=fault is None,
        events=found.rows,
        head=found.head.hash.hex(),
        broken_at=None if fault is None else fault.seq,
        reason=None if fault is None else fault.reason,
    )


def _view(row: Row) -> EntryView:
    return EntryView(
        seq=row.seq,
        epoch=row.epoch,
        time=row.time,
        kind=row.kind,
        client_order_id=row.client_order_id,
        payload=json.loads(row.payload),
        hash=row.hash.hex(),
    )
