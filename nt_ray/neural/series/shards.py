"""Series cut into shards on disk, so that a worker reads its own and no process ever holds them all.

A folder has a part `shard=R` of Parquet files for each worker, with the columns time, series, value and good, and a
manifest that is written last: without it the folder is not finished. One row that is not good refuses the whole. Every
shard has the time axis of the whole, so that rows mean the same moment everywhere. Which series lies where follows from
its name alone.
"""

import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from nt_ray.errors import StorageError
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.series.sources import from_frame

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

    def panel(self, rank: int) -> SeriesPanel:
        """Panel of one shard on the time axis of the whole."""
        place = self.folder / f"{PART}={rank}"
        if not 0 <= rank < self.count or not place.is_dir():
            raise NeuralError(f"Shard {rank} of {self.count} in {self.folder} has no series. Use fewer shards.")
        # The time axis joins in, so that rows without a value of this shard stay.
        rows = pl.read_parquet(place / "*.parquet", columns=["time", "series", "value"])
        twice = rows.select("time", "series").is_duplicated()
        if twice.any():
            row = rows.filter(twice).row(0)
            raise NeuralError(f"Series {row[1]!r} has two rows at {row[0]}. Keep one, and lay the data out anew.")
        wide = rows.pivot("series", index="time", values="value", aggregate_function=None)
        names = sorted(name for name in wide.columns if name != "time")
        axis = pl.read_parquet(self.folder / TIMES)
        return from_frame(axis.join(wide, on="time", how="left"), time="time", series=None, columns=names)

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


def finish(folder: Path, count: int) -> Shards:
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
    part.write_text(json.dumps({"count": count, "series": series}), encoding="utf-8")
    part.replace(folder / MANIFEST)
    return Shards(folder, count, tuple(series))


def open_shards(folder: Path) -> Shards | None:
    """Shards of a folder; None where it is not finished."""
    try:
        text = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return Shards(folder, int(text["count"]), tuple(text["series"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError) as error:
        raise StorageError(
            f"{folder / MANIFEST} is damaged ({error}). Delete the folder and lay it out anew."
        ) from error
