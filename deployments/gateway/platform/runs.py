"""`/runs`: folders of finished runs, their summaries and their files."""

import asyncio
import itertools
import json
import os
from pathlib import Path as FolderPath
from typing import Annotated, Any, Final, TypeAlias

from fastapi import APIRouter, Path
from pydantic import Field
from starlette.responses import FileResponse, Response

from deployments.gateway.backend.platform import Platform
from deployments.gateway.ownership import reaches_run
from deployments.gateway.platform.accounts import plain
from deployments.gateway.platform.paging import Cursor, Limit, Next, cursor_of, name_at, page_of
from deployments.gateway.platform.replies import Body, problems, replied
from deployments.gateway.problems import NotFoundError
from deployments.gateway.security import needs
from nt_ray.access.roles import Principal, Scope
from nt_ray.trader.files import SUMMARY

SERVED: Final = {
    ".json": "application/json",
    ".csv": "text/csv",
    ".parquet": "application/vnd.apache.parquet",
    ".html": "text/html",
    ".png": "image/png",
    ".toml": "application/toml",
}
"""Files that may be fetched, with what they are: none that another part of the platform has open."""

_CONTENT: Final[dict[str, Any]] = {
    "application/json": {"schema": {}, "example": {"sharpe": 0.81}},
    "text/csv": {"schema": {"type": "string"}, "example": "time,symbol,price\n2026-01-05,AAPL,181.25\n"},
    "text/html": {"schema": {"type": "string"}, "example": "<!doctype html><title>Tear sheet</title>"},
    "application/toml": {"schema": {"type": "string"}, "example": "seed = 7\n"},
    **{media: {"schema": {"type": "string", "format": "binary"}} for media in ("image/png", SERVED[".parquet"])},
}

RunName: TypeAlias = Annotated[
    str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$", examples=["20260102-150405-swarm-7"])
]
FileName: TypeAlias = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$", examples=["trades.csv"])]


class RunPage(Body):
    """Names of finished runs, in falling order of their names, which begin with the time where they have one."""

    runs: list[str]
    next: Next


class RunView(Body):
    """A finished run."""

    run: str
    summary: dict[str, Any]


class FileView(Body):
    """A file of a run."""

    name: str
    bytes: int


class FileList(Body):
    """Files of a run."""

    run: str
    files: list[FileView] = Field(description="Each lies under /files/ and its name.")
    next: Next


def router(platform: Platform) -> APIRouter:
    """Build the routes."""
    routes = APIRouter(prefix="/runs", tags=["runs"])
    folder = FolderPath(platform.settings.runs)

    @routes.get("", response_model=RunPage, responses=problems(), summary="List your finished runs")
    async def listed(
        principal: Annotated[Principal, needs(Scope.RUNS_READ)],
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Response:
        before = name_at("runs", cursor)
        names = await asyncio.to_thread(_finished, folder, before, limit + 1, principal)
        page = names[:limit]
        more = cursor_of("runs", page[-1]) if len(names) > limit else None
        return replied(RunPage(runs=page, next=more))

    @routes.get("/{run}", response_model=RunView, responses=problems(404), summary="Show a run's summary")
    async def show(principal: Annotated[Principal, needs(Scope.RUNS_READ)], run: RunName) -> Response:
        found = run_folder(folder, run, principal)
        return replied(RunView(run=run, summary=await asyncio.to_thread(_summary, found)))

    @routes.get("/{run}/files", response_model=FileList, responses=problems(404), summary="List a run's files")
    async def files(
        principal: Annotated[Principal, needs(Scope.RUNS_READ)], run: RunName, limit: Limit = 50, cursor: Cursor = None
    ) -> Response:
        found = await asyncio.to_thread(_files, run_folder(folder, run, principal))
        page, more = page_of("files", found, lambda view: view.name, cursor, limit)
        return replied(FileList(run=run, files=page, next=more))

    @routes.get(
        "/{run}/files/{name}",
        response_class=FileResponse,
        responses={
            **problems(404),
            200: {"content": _CONTENT, "description": "The file."},
        },
        summary="Fetch a file of a run",
    )
    async def file(
        principal: Annotated[Principal, needs(Scope.RUNS_READ)], run: RunName, name: FileName
    ) -> FileResponse:
        found = run_folder(folder, run, principal)
        if name not in {view.name for view in await asyncio.to_thread(_files, found)}:
            raise NotFoundError(f"The run has no file {name}. List its files to see which it has.")
        # A page is fetched, not shown: what stands in it gets no right of this origin.
        headers = {"Content-Security-Policy": "sandbox"}
        return FileResponse(found / name, media_type=SERVED[FolderPath(name).suffix], filename=name, headers=headers)

    return routes


def run_folder(runs: FolderPath, run: str, principal: Principal) -> FolderPath:
    """Folder of a finished run; `NotFoundError` where there is none for him."""
    found = runs / run
    if found.is_symlink() or not (found / SUMMARY).is_file() or not reaches_run(found, principal):
        raise NotFoundError(f"There is no finished run {run}. List the runs to see which there are.")
    return found


def _finished(runs: FolderPath, before: str | None, most: int, principal: Principal) -> list[str]:
    """Names of the finished runs before a name that are there for somebody, in falling order."""
    if not runs.is_dir():
        return []
    with os.scandir(runs) as entries:
        names = [e.name for e in entries if e.is_dir(follow_symlinks=False) and not e.name.startswith(".")]
    wanted = sorted((name for name in names if before is None or name < before), reverse=True)
    found = (n for n in wanted if (runs / n / SUMMARY).is_file() and reaches_run(runs / n, principal))
    return list(itertools.islice(found, most))


def _summary(folder: FolderPath) -> dict[str, Any]:
    try:
        # Older summaries may hold NaN, which no reader of JSON has to take.
        found: dict[str, Any] = plain(json.loads((folder / SUMMARY).read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise NotFoundError(f"The summary of {folder.name} cannot be read. Restore it, or run again.") from error
    return found


def _files(folder: FolderPath) -> list[FileView]:
    with os.scandir(folder) as entries:
        found = [e for e in entries if e.is_file(follow_symlinks=False) and FolderPath(e.name).suffix in SERVED]
        return sorted((FileView(name=e.name, bytes=e.stat().st_size) for e in found), key=lambda view: view.name)
