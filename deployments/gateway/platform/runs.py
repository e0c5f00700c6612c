"""`/runs`: folders of finished runs, their summaries and their files."""

import asyncio
import json
import os
from pathlib import Path as FolderPath
from typing import Annotated, Any, Final, TypeAlias

from fastapi import APIRouter, Path, Request
from pydantic import Field
from starlette.responses import FileResponse, Response

from deployments.gateway.backend.platform import Platform
from deployments.gateway.platform.accounts import plain
from deployments.gateway.platform.paging import Cursor, Limit, cursor_of, name_at
from deployments.gateway.platform.replies import Body, problems, replied
from deployments.gateway.problems import NotFoundError
from deployments.gateway.security import needs
from nt_ray.access.roles import Principal, Scope
from nt_ray.trader.files import SUMMARY

SERVED: Final = frozenset({".json", ".csv", ".parquet", ".html", ".png", ".toml"})
"""Files that may be fetched: none that another part of the platform has open."""

RunName: TypeAlias = Annotated[
    str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$", examples=["20260102-150405-swarm-7"])
]
FileName: TypeAlias = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$", examples=["trades.csv"])]


class RunPage(Body):
    """Names of finished runs, in falling order of their names, which begin with the time where they have one."""

    runs: list[str]
    next: str | None


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


def router(platform: Platform) -> APIRouter:
    """Build the routes."""
    routes = APIRouter(prefix="/runs", tags=["runs"])
    folder = FolderPath(platform.settings.runs)

    @routes.get("", response_model=RunPage, responses=problems(), summary="List finished runs")
    async def listed(
        request: Request, _: Annotated[Principal, needs(Scope.RUNS_READ)], limit: Limit = 50, cursor: Cursor = None
    ) -> Response:
        before = name_at("runs", cursor)
        names = [n for n in await asyncio.to_thread(_finished, folder) if before is None or n < before]
        page = names[:limit]
        more = cursor_of("runs", page[-1]) if len(names) > limit else None
        return replied(request, RunPage(runs=page, next=more))

    @routes.get("/{run}", response_model=RunView, responses=problems(404), summary="Show a run's summary")
    async def show(request: Request, _: Annotated[Principal, needs(Scope.RUNS_READ)], run: RunName) -> Response:
        return replied(request, RunView(run=run, summary=await asyncio.to_thread(_summary, run_folder(folder, run))))

    @routes.get("/{run}/files", response_model=FileList, responses=problems(404), summary="List a run's files")
    async def files(request: Request, _: Annotated[Principal, needs(Scope.RUNS_READ)], run: RunName) -> Response:
        found = await asyncio.to_thread(_files, run_folder(folder, run))
        return replied(request, FileList(run=run, files=found))

    @routes.get(
        "/{run}/files/{name}",
        response_class=FileResponse,
        responses={
            **problems(404),
            200: {"content": {"application/octet-stream": {}}, "description": "The file."},
        },
        summary="Fetch a file of a run",
    )
    async def file(_: Annotated[Principal, needs(Scope.RUNS_READ)], run: RunName, name: FileName) -> FileResponse:
        found = run_folder(folder, run)
        if name not in {view.name for view in await asyncio.to_thread(_files, found)}:
            raise NotFoundError(f"The run has no file {name}. List its files to see which it has.")
        # A page is fetched, not shown: what stands in it gets no right of this origin.
        headers = {"Content-Security-Policy": "sandbox"}
        return FileResponse(found / name, media_type="application/octet-stream", filename=name, headers=headers)

    return routes


def run_folder(runs: FolderPath, run: str) -> FolderPath:
    """Folder of a finished run; `NotFoundError` where there is none."""
    found = runs / run
    if found.is_symlink() or not (found / SUMMARY).is_file():
        raise NotFoundError(f"There is no finished run {run}. List the runs to see which there are.")
    return found


def _finished(runs: FolderPath) -> list[str]:
    if not runs.is_dir():
        return []
    with os.scandir(runs) as entries:
        names = [e.name for e in entries if e.is_dir(follow_symlinks=False) and not e.name.startswith(".")]
    return sorted((name for name in names if (runs / name / SUMMARY).is_file()), reverse=True)


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
