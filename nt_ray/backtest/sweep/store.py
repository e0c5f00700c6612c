"""The folder of a sweep: what it is, its finished chunks as Parquet files, and at the end one table and a summary.

A folder belongs to one sweep, told by the digest of everything that decides its result. A chunk is written under
another name and renamed, so it is whole or not there; whatever runs the same sweep again continues from what is there.
"""

import json
import shutil
from pathlib import Path
from typing import Any, Final

import polars as pl

from nt_ray.backtest.sweep.plan import SweepPlan
from nt_ray.backtest.sweep.space import SweepError
from nt_ray.errors import StorageError

PLAN: Final = "sweep.json"
RESULTS: Final = "results.parquet"
SUMMARY: Final = "summary.json"


class SweepStore:
    """Finished chunks of one sweep in one folder."""

    def __init__(self, folder: Path, digest: str, size: int) -> None:
        self._folder = folder
        self._digest = digest
        self._size = size

    @classmethod
    def open(cls, plan: SweepPlan, size: int, folder: Path, *, fresh: bool = False) -> "SweepStore":
        """Open the folder of a sweep, made where it is not there; `fresh` forgets its chunks.

        A folder that was begun keeps the size of its chunks, whatever size is asked for.
        """
        path = folder / PLAN
        if path.exists():
            found = _read_json(path)
            if found.get("digest") != plan.digest:
                raise SweepError(
                    f"{str(folder)!r} belongs to another sweep (other data, code, parameters or rules). "
                    "Give another folder, or remove this one."
                )
            size = size if fresh else int(found["chunk"])
            if fresh:
                shutil.rmtree(folder / "chunks", ignore_errors=True)
        (folder / "chunks").mkdir(parents=True, exist_ok=True)
        _write(path, json.dumps({"digest": plan.digest, "chunk": size, **plan.facts()}, indent=2) + "\n")
        return cls(folder, plan.digest, size)

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return self._folder

    @property
    def size(self) -> int:
        """Combinations to a chunk."""
        return self._size

    def has(self, first: int) -> bool:
        """Whether the chunk that starts with this combination is finished."""
        return self._path(first).exists()

    def complete(self, combinations: int) -> bool:
        """Whether every chunk of so many combinations is finished."""
        return all(self.has(first) for first in range(0, combinations, self._size))

    def read(self, first: int) -> pl.DataFrame:
        """Table of a finished chunk."""
        try:
            return pl.read_parquet(self._path(first))
        except (OSError, pl.exceptions.PolarsError) as error:
            raise StorageError(f"{self._path(first)} cannot be read ({error}). Remove it and run again.") from error

    def write(self, first: int, table: pl.DataFrame) -> None:
        """Keep the table of a chunk."""
        part = self._path(first).with_suffix(".part")
        table.write_parquet(part)
        part.replace(self._path(first))

    def finish(self, runs: pl.DataFrame, summary: dict[str, Any]) -> None:
        """Write the whole table and the summary; the chunks stay, so that a rerun has nothing to do."""
        part = self._folder / f"{RESULTS}.part"
        runs.write_parquet(part)
        part.replace(self._folder / RESULTS)
        _write(self._folder / SUMMARY, json.dumps(summary, indent=2) + "\n")

    def _path(self, first: int) -> Path:
        return self._folder / "chunks" / f"{self._digest[:16]}-{first:010d}.parquet"


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StorageError(f"{path} cannot be read ({error}). Remove the folder or give another.") from error
    return found


def _write(path: Path, text: str) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
