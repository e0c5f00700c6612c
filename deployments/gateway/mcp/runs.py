"""Finished runs as their folders hold them; a name never leads out of the folder of runs."""

import itertools
import json
import re
from pathlib import Path
from typing import Any, Final

import polars as pl

from deployments.gateway.ownership import reaches_run
from nt_ray.access.roles import Principal
from nt_ray.errors import BadInputError, StorageError
from nt_ray.trader import files

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
MOST: Final = 200


class UnknownRunError(BadInputError):
    """A run that is not there."""

    code = "unknown_run"
    status = 404

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no finished run {name[:128]!r}. nt://runs lists those there are.")


def names(runs: Path, principal: Principal) -> list[str]:
    """Name the finished runs that are there for somebody, newest first, at most `MOST`."""
    if not runs.is_dir():
        return []
    found = [p for p in runs.iterdir() if p.name != files.LATEST and NAME.fullmatch(p.name)]
    whole = [p for p in found if (p / files.SUMMARY).is_file()]
    newest = sorted(((p / files.SUMMARY).stat().st_mtime_ns, p.name) for p in whole)[::-1]
    his = (name for _, name in newest if reaches_run(runs / name, principal))
    return list(itertools.islice(his, MOST))


def folder(runs: Path, name: str, principal: Principal, having: str = files.SUMMARY) -> Path:
    """Find the folder of a run that is there for somebody, or by `latest` of the newest that has a file."""
    wanted = name
    if name == files.LATEST:
        wanted = next((known for known in names(runs, principal) if (runs / known / having).is_file()), "")
    place = runs / wanted
    if not NAME.fullmatch(wanted) or not (place / files.SUMMARY).is_file() or not reaches_run(place, principal):
        raise UnknownRunError(name)
    return place


def summary(run: Path) -> dict[str, Any]:
    """Read the summary of a run's folder."""
    place = run / files.SUMMARY
    try:
        told: dict[str, Any] = json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StorageError(f"{place} cannot be read ({error}). Run it anew.") from error
    return told


def equity(run: Path) -> pl.DataFrame:
    """Read the equity of a run's folder, bar by bar."""
    place = run / files.EQUITY
    if not place.is_file():
        raise BadInputError(f"Run {run.name} traded nothing, so it has no equity. Name a backtest or a session.")
    return pl.read_parquet(place)
