"""Series cut into shards on disk, so that a worker reads its own and no process ever holds them all.

A folder has a part `shard=R` of Parquet files for each worker, with the columns time, series, value, good and one for
each input that is no calendar's, and a manifest that is written last: without it the folder is not finished. One row
that is not good refuses the whole. Every shard has the time axis of the whole, so that rows mean the same moment
everywhere. Which series lies where follows from its name alone.
"""

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from nt_ray.errors import StorageError
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.calendar import CALENDAR, calendar
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.series.sources import from_frame
from nt_ray.types import FloatArray

MANIFEST: Final = "shards.json"
TIMES: Final = "times.parquet"
PART: Final = "shard"


def shard_of(name: str, count: int) -> int:
    """Shard of a series."""
    return zlib.crc32(name.encode()) % count


@dataclass(frozen=True, slots=True)
class Shards:
    """A finished folder of `count` shards."""

    folder: Path
    count: int
    series: tuple[int, ...]
    """Number of series of each shard."""
    past: tuple[str, ...] = ()
    future: tuple[str, ...] = ()
    """Names of the inputs."""

    def panel(self, rank: int) -> SeriesPanel:
        """Panel of one shard on the time axis of the whole."""
        place = self.folder / f"{PART}={rank}"
        if not 0 <= rank < self.count or not place.is_dir():
            raise NeuralError(f"Shard {rank} of {self.count} in {self.folder} has no series. Use fewer shards.")
        # The time axis joins in, so that rows without a value of this shard stay.
        fields = [name for name in (*self.past, *self.future) if name not in CALENDAR]
        columns = ["time", "series", "value", *map(input_column, dict.fromkeys(fields))]
        rows = pl.read_parquet(place / "*.parquet", columns=columns)
        twice = rows.select("time", "series").is_duplicated()
        if twice.any():
            row = rows.filter(twice).row(0)
            raise NeuralError(f"Series {row[1]!r} has two rows at {row[0]}. Keep one, and lay the data out anew.")
        axis = pl.read_parquet(self.folder / TIMES)
        target = _grid(rows, axis, "value")
        panel = from_frame(target, time="time", series=None, columns=sorted(set(target.columns) - {"time"}))
        held = {name: _grid(rows, axis, input_column(name)).select(panel.names).to_numpy().T for name in fields}
        held |= {name: calendar(panel.times, (name,))[:, 0] for name in self.future if name in CALENDAR}
        return replace(
            panel,
            past=_stacked(held, self.past, panel.target.shape),
            past_names=self.past,
            future=_stacked(held, self.future, panel.target.shape),
            future_names=self.future,
        )

    def filled(self) -> tuple[int, ...]:
        """Numbers of the shards that have series."""
        return tuple(number for number, count in enumerate(self.series) if count)

    def names(self) -> tuple[str, ...]:
        """Names of all series, sorted."""
        rows = pl.scan_parquet(str(self.folder / f"{PART}=*" / "*.parquet"), hive_partitioning=False)
        return tuple(rows.select("series").unique().sort("series").collect()["series"])

    def times(self) -> npt.NDArray[np.datetime64]:
        """Time axis, (T,)."""
        return pl.read_parquet(self.folder / TIMES)["time"].to_numpy()


def input_column(name: str) -> str:
    """Column that holds an input."""
    return f"input.{name}"


def _grid(rows: pl.DataFrame, axis: pl.DataFrame, column: str) -> pl.DataFrame:
    """Values of a column, one series each, on the time axis."""
    return axis.join(rows.pivot("series", index="time", values=column, aggregate_function=None), on="time", how="left")


def _stacked(held: Mapping[str, FloatArray], names: tuple[str, ...], shape: tuple[int, ...]) -> FloatArray:
    """Inputs (S, T, C); those of a calendar are the same for all series."""
    if not names:
        return np.empty(0)
    return np.stack([np.broadcast_to(held[name].astype(np.float64), shape) for name in names], axis=-1)


def finish(folder: Path, count: int, past: tuple[str, ...] = (), future: tuple[str, ...] = ()) -> Shards:
    """Write the time axis and the manifest of a folder whose parts are all there."""
    files = str(folder / f"{PART}=*" / "*.parquet")
    if not any(folder.glob(f"{PART}=*/*.parquet")):
        raise NeuralError(f"No row came to {folder}. Give data with rows of the symbols and times that are asked for.")
    rows = pl.scan_parquet(files, hive_partitioning=False)
    bad = rows.filter(~pl.col("good")).head(1).collect()
    if bad.height:
        row = bad.row(0, named=True)
        raise NeuralError(
            f"Series {row['series']!r} has a row at {row['time']} without a name, a time or a finite number. "
            "Mend the row, or drop it."
        )
    rows.select("time").unique().sort("time").sink_parquet(folder / TIMES)
    names = rows.select("series").unique().collect()["series"]
    series = np.bincount([shard_of(name, count) for name in names], minlength=count).tolist()
    part = folder / f".{MANIFEST}"
    text = {"count": count, "series": series, "past": past, "future": future}
    part.write_text(json.dumps(text), encoding="utf-8")
    part.replace(folder / MANIFEST)
    return Shards(folder, count, tuple(series), past, future)


def open_shards(folder: Path) -> Shards | None:
    """Shards of a folder; None where it is not finished."""
    try:
        text = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        inputs = (tuple(text.get(kind, ())) for kind in ("past", "future"))
        return Shards(folder, int(text["count"]), tuple(text["series"]), *inputs)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError) as error:
        raise StorageError(
            f"{folder / MANIFEST} is damaged ({error}). Delete the folder and lay it out anew."
        ) from error
