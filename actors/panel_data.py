"""From a lake of Parquet or CSV files to shards, with Ray Data: rows stream through the cluster and are never all held.

Files are long (a column names the series) or hold one series each, named by the file. Each row goes to the shard of its
series. The shards lie in a folder that all nodes reach (`nt_ray.neural.series.shards`); the workers read them there.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import actors.cluster  # noqa: F401  prepares the environment Ray reads

import ray  # isort: skip  after actors.cluster, which prepares its environment

import polars as pl
import pyarrow as pa

from nt_ray.errors import MarketDataError, StorageError
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.panel import unknown
from nt_ray.neural.series.shards import PART, Shards, finish, open_shards, shard_of

SUFFIXES: Final[Mapping[str, str]] = {".parquet": "parquet", ".csv": "csv", ".csv.gz": "csv"}


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of the columns; with `series` empty each file is one series, named like the file."""

    time: str = "time"
    series: str = ""
    target: str = "close"


COLUMNS: Final = Columns()


def lay_out(source: Path, folder: Path, count: int, columns: Columns = COLUMNS) -> Shards:
    """Cut the files of a folder into shards on the connected Ray; shards that are finished already are taken."""
    if count < 1:
        raise NeuralError(f"{count} shards hold nothing. Use at least 1.")
    found = open_shards(folder)
    if found is not None and found.count == count:
        return found
    kind, files = _files(source)
    _check_columns(kind, files[0], columns)
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    except OSError as error:
        raise StorageError(f"{folder} cannot be made ({error.strerror}). Give a writable folder.") from error
    read: Any = ray.data.read_parquet if kind == "parquet" else ray.data.read_csv
    rows = read(files, include_paths=True).map_batches(
        _prepared, batch_format="pyarrow", fn_kwargs={"columns": columns, "count": count}
    )
    rows.write_parquet(str(folder.resolve()), partition_cols=[PART])
    return finish(folder, count)


def _check_columns(kind: str, file: str, columns: Columns) -> None:
    """Refuse names that the first file does not have, before anything is read."""
    scan = pl.scan_parquet(file, hive_partitioning=True) if kind == "parquet" else pl.scan_csv(file)
    try:
        there = scan.collect_schema().names()
    except pl.exceptions.PolarsError as problem:
        raise MarketDataError(f"{file} cannot be read ({problem}). Mend or remove it.") from problem
    for name in filter(None, (columns.time, columns.series, columns.target)):
        if name not in there:
            raise NeuralError(unknown("column", name, there))


def _prepared(table: pa.Table, columns: Columns, count: int) -> pa.Table:
    """Rows as they lie in a shard: time, series, value, whether the row is good, and the number of the shard."""
    frame = pl.DataFrame(table)
    value = pl.col(columns.target)
    named = pl.col(columns.series).cast(pl.String) if columns.series else pl.col("path").map_elements(_stem, pl.String)
    rows = frame.select(
        _moment(frame.schema[columns.time], columns.time).alias("time"),
        named.alias("series"),
        value.cast(pl.Float64, strict=False).alias("value"),
        (value.cast(pl.Float64, strict=False).is_null() & value.is_not_null()).alias("text"),
    )
    there = pl.col("time").is_not_null() & pl.col("series").is_not_null()
    good = there & ~pl.col("value").is_infinite().fill_null(value=False) & ~pl.col("text")
    shards = [0 if name is None else shard_of(name, count) for name in rows["series"]]
    return rows.with_columns(good.alias("good"), pl.Series(PART, shards, pl.Int64)).drop("text").to_arrow()


def _moment(kind: pl.DataType, name: str) -> pl.Expr:
    """A column as moments in UTC without a zone; null where it holds none."""
    column = pl.col(name)
    if kind == pl.String:
        column = column.str.to_datetime(time_unit="us", strict=False)
    elif isinstance(kind, pl.Datetime) and kind.time_zone:
        column = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return column.cast(pl.Datetime("us"), strict=False)


def _stem(path: str) -> str:
    name = Path(path).name
    return name[: -len(_suffix(name))]


def _suffix(name: str) -> str:
    return next((s for s in sorted(SUFFIXES, key=len, reverse=True) if name.lower().endswith(s)), "")


def _files(source: Path) -> tuple[str, list[str]]:
    """Kind and files of a folder."""
    files = sorted(str(p.resolve()) for p in Path(source).rglob("*") if p.is_file() and _suffix(p.name))
    kinds = {SUFFIXES[_suffix(file)] for file in files}
    if len(kinds) != 1:
        held = "no files" if not kinds else "CSV and Parquet files together"
        raise MarketDataError(f"{source} holds {held}. Give a folder of {', '.join(SUFFIXES)} files of one kind.")
    return kinds.pop(), files
