"""`/dashboard/run`: the newest finished run of a swarm: equity beside its benchmark, and the graph of its agents."""

import asyncio
import json
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Final

import polars as pl
from fastapi import APIRouter
from pydantic import Field
from starlette.responses import Response

from deployments.gateway.ownership import reaches_run
from deployments.gateway.platform.accounts import plain
from deployments.gateway.platform.replies import Body, problems, replied
from deployments.gateway.problems import NotFoundError
from deployments.gateway.security import needs
from nt_ray.access.roles import Principal, Scope
from nt_ray.reports.graph import positions
from nt_ray.trader import files

MOST_POINTS: Final = 800
MOST_AGENTS: Final = 500
MOST_EDGES: Final = 2000


class AgentView(Body):
    """An agent, where it stands in the plane, how much it was listened to and what it earned by itself."""

    agent: int
    name: str
    strategy: str
    x: float
    y: float
    weight: float | None = Field(description="Mean confidence of its opinions.")
    contribution: float | None = Field(description="Return of its own paper account.")


class RunBoard(Body):
    """A finished run; `edges` join agents between which messages passed."""

    run: str
    name: str
    topology: str
    benchmark_name: str
    times: list[str]
    equity: list[float]
    benchmark: list[float]
    agents: list[AgentView]
    edges: list[tuple[int, int]]


class NewestRun(Body):
    """The newest run that is there for who asks; null where none has finished yet."""

    run: RunBoard | None


def router(runs: Path) -> APIRouter:
    """Build the routes; `runs` is the folder of runs."""
    routes = APIRouter(prefix="/dashboard", tags=["dashboard"])

    @routes.get("/run", response_model=NewestRun, responses=problems(404), summary="Watch the newest run of a swarm")
    async def newest(principal: Annotated[Principal, needs(Scope.RUNS_READ)]) -> Response:
        return replied(await asyncio.to_thread(_look, runs, principal))

    return routes


def _look(runs: Path, principal: Principal) -> NewestRun:
    folder = _newest(runs, principal)
    return NewestRun(run=None if folder is None else _read(folder))


def _read(folder: Path) -> RunBoard:
    try:
        summary = json.loads((folder / files.SUMMARY).read_text(encoding="utf-8"))
        graph = json.loads((folder / files.GRAPH).read_text(encoding="utf-8"))
        agents = pl.read_parquet(folder / files.AGENTS).head(MOST_AGENTS)
        curve = pl.read_parquet(folder / files.EQUITY, columns=["time", "equity", "benchmark"])
    except (OSError, ValueError, pl.exceptions.PolarsError) as error:
        raise NotFoundError(f"The run {folder.name} cannot be read. Run again.") from error
    step = -(-curve.height // MOST_POINTS) or 1
    thin = curve.reverse().gather_every(step).reverse()
    known = {int(agent) for agent in agents["agent"]}
    edges = [(int(a), int(b)) for a, b in graph["edges"] if a in known and b in known][:MOST_EDGES]
    places = positions(graph["topology"], sorted(known), edges)
    return RunBoard(
        run=folder.name,
        name=str(summary["name"]),
        topology=str(graph["topology"]),
        benchmark_name=str(summary["benchmark"]["name"]),
        times=[time.isoformat() for time in thin["time"].dt.cast_time_unit("us")],
        equity=thin["equity"].to_list(),
        benchmark=thin["benchmark"].to_list(),
        agents=[_agent(row, places[int(row["agent"])]) for row in agents.iter_rows(named=True)],
        edges=edges,
    )


def _agent(row: dict[str, Any], place: tuple[float, float]) -> AgentView:
    return AgentView(
        agent=int(row["agent"]),
        name=str(row["name"]),
        strategy=str(row["strategy"]),
        x=round(place[0], 4),
        y=round(place[1], 4),
        weight=plain(row["mean_weight"]),
        contribution=plain(row["contribution"]),
    )


def _newest(runs: Path, principal: Principal) -> Path | None:
    """Newest folder of a swarm's run that is there for somebody, by when its summary was written."""
    written: dict[Path, int] = {}
    for folder in (path.parent for path in runs.glob(f"*/{files.GRAPH}") if not path.parent.is_symlink()):
        # A run that has not finished has none, and one that is being removed has none any more.
        with suppress(FileNotFoundError, NotADirectoryError):
            written[folder] = (folder / files.SUMMARY).stat().st_mtime_ns
    newest_first = sorted(written, key=lambda folder: written[folder], reverse=True)
    return next((folder for folder in newest_first if reaches_run(folder, principal)), None)
