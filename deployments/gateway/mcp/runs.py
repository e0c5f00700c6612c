"""Finished runs as their folders hold them; a name never leads out of the folder of runs."""

import json
import re
from pathlib import Path
from typing import Any, Final

import polars as pl

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


def names(runs: Path) -> list[str]:
    """Name the finished runs, newest first, at most `MOST`."""
    if not runs.is_dir():
        return []
    found = [p for p in runs.iterdir() if p.name != files.LATEST and NAME.fullmatch(p.name)]
    done = [(p / files.SUMMARY).stat().st_mtime_ns for p in found if (p / files.SUMMARY).is_file()]
    whole = [p.name for p in found if (p / files.SUMMARY).is_file()]
    return [name for _, name in sorted(zip(done, whole, strict=True), reverse=True)[:MOST]]


def folder(runs: Path, name: str, having: str = files.SUMMARY) -> Path:
    """Find the folder of a run, or by `latest` of the newest that has a file."""
    wanted = name
    if name == files.LATEST:
        wanted = next((known for known in names(runs) if (runs / known / having).is_file()), "")
    if not NAME.fullmatch(wanted) or not (runs / wanted / files.SUMMARY).is_file():
        raise UnknownRunError(name)
    return runs / wanted


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
