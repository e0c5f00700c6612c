"""From a lake of Parquet or CSV files to shards, with Ray Data: rows stream through the cluster and are never all held.

A lake of any columns has long files (a column names the series) or one series a file, named by the file. Bars are
read by the rules of `[data]`, a task a file, so one file has to fit into a process. Each row goes to the shard of its
series. The shards lie in a folder that all nodes reach (`nt_ray.neural.series.shards`); the workers read them there.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import actors.cluster  # noqa: F401  prepares the environment Ray reads

import ray  # isort: skip  after actors.cluster, which prepares its environment

import numpy as np
import polars as pl
import pyarrow as pa
from ray.exceptions import RayTaskError

from nt_ray.config.sections import Data
from nt_ray.errors import MarketDataError, NeuralTraderError, StorageError
from nt_ray.market.files import bar_files
from nt_ray.market.source import load_panel
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.calendar import CALENDAR
from nt_ray.neural.series.panel import unknown
from nt_ray.neural.series.shards import PART, Shards, finish, input_column, open_shards, shard_of
from nt_ray.neural.series.sources import Field, from_bars
from nt_ray.trader.data import first_moment, last_moment

SUFFIXES: Final[Mapping[str, str]] = {".parquet": "parquet", ".csv": "csv", ".csv.gz": "csv"}
ROW: Final[Mapping[str, pl.DataType | type[pl.DataType]]] = {
    "time": pl.Datetime("us"),
    "series": pl.String,
    "value": pl.Float64,
    "good": pl.Boolean,
}
"""Columns of a shard's rows."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of the columns; with `series` empty each file is one series, named like the file."""

    time: str = "time"
    series: str = ""
    target: str = "close"


COLUMNS: Final = Columns()


def lay_out(source: Path, folder: Path, count: int, columns: Columns = COLUMNS) -> Shards:
    """Cut the files of a folder into shards on the connected Ray; shards that are finished already are taken."""
    found = _finished(folder, count)
    if found is not None:
        return found
    kind, files = _files(source)
    _check_columns(kind, files[0], columns)
    read: Any = ray.data.read_parquet if kind == "parquet" else ray.data.read_csv
    rows = read(files, include_paths=True).map_batches(
        _prepared, batch_format="pyarrow", fn_kwargs={"columns": columns, "count": count}
    )
    _emptied(folder)
    rows.write_parquet(str(folder.resolve()), partition_cols=[PART])
    return finish(folder, count)


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is taken from bars: a field of theirs as the target, and the names of inputs."""

    target: Field
    past: tuple[str, ...] = ()
    future: tuple[str, ...] = ()


def lay_out_bars(data: Data, chosen: Chosen, folder: Path, count: int) -> Shards:
    """Cut the bars that settings name into shards with what is chosen; finished shards are taken as they lie."""
    shards = _finished(folder, count) or _bars_written(data, chosen, folder, count)
    lacking = sorted(set(data.symbols) - set(shards.names()))
    if lacking:
        raise MarketDataError(f"{data.source} has no bar of {lacking[0]} in this time. Leave the symbol out.")
    return shards


def _bars_written(data: Data, chosen: Chosen, folder: Path, count: int) -> Shards:
    source = Path(data.source)
    files = [str(file) for file in bar_files(source)] if source.is_dir() else [data.source]
    _emptied(folder)
    tasks = [
        _write_bars.remote(file, data, chosen, folder / f"{PART}={{}}" / f"bars-{number:06d}.parquet", count)
        for number, file in enumerate(files)
    ]
    try:
        ray.get(tasks)
    except RayTaskError as error:
        if isinstance(error.cause, NeuralTraderError):
            raise error.cause from None
        raise
    return finish(folder, count, chosen.past, chosen.future)


def _finished(folder: Path, count: int) -> Shards | None:
    if count < 1:
        raise NeuralError(f"{count} shards hold nothing. Use at least 1.")
    found = open_shards(folder)
    return found if found is not None and found.count == count else None


def _emptied(folder: Path) -> None:
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    except OSError as error:
        raise StorageError(f"{folder} cannot be made ({error.strerror}). Give a writable folder.") from error


@ray.remote(num_cpus=1)
def _write_bars(file: str, data: Data, chosen: Chosen, place: Path, count: int) -> None:
    """Write the rows of a file into the parts of its series; those of other symbols and times are left out."""
    rows = _rows_of(file, data, chosen)
    shards = pl.Series(PART, [shard_of(name, count) for name in rows["series"]], pl.Int64)
    for (number,), part in rows.with_columns(shards).partition_by(PART, as_dict=True, include_key=False).items():
        path = Path(str(place).format(number))
        path.parent.mkdir(exist_ok=True)
        part.write_parquet(path)


def _rows_of(file: str, data: Data, take: Chosen) -> pl.DataFrame:
    bars = load_panel(file, timezone=data.timezone, adjust=data.adjust, missing=data.missing, extra=data.extra)
    chosen = [symbol for symbol in bars.symbols if not data.symbols or symbol in data.symbols]
    kept = np.ones(len(bars), np.bool_)
    if data.start is not None:
        kept &= bars.timestamps >= int(first_moment(data.start).timestamp()) * 10**9
    if data.end is not None:
        kept &= bars.timestamps <= int(last_moment(data.end).timestamp() * 10**6) * 1000
    # What a calendar tells is told from the times again where shards are read.
    future = tuple(name for name in take.future if name not in CALENDAR)
    schema = dict(ROW) | {input_column(name): pl.Float64 for name in (*take.past, *future)}
    frames = [pl.DataFrame(schema=schema)]
    # Whoever has no bar in this time has no input to miss either.
    closes = bars.closes[kept]
    chosen = [symbol for symbol in chosen if not np.isnan(closes[:, bars.symbols.index(symbol)]).all()]
    if chosen:
        bars = replace(bars, timestamps=bars.timestamps[kept], values=np.ascontiguousarray(bars.values[kept]))
        panel = from_bars(bars.select(chosen), take.target, past=take.past, future=future)
        inputs = dict(zip((*take.past, *future), np.concatenate([panel.past, panel.future], axis=-1).T, strict=True))
        there = ~np.isnan(bars.select(chosen).closes.T)
        for s, (name, values, seen) in enumerate(zip(panel.names, panel.target, there, strict=True)):
            columns = {"time": panel.times[seen], "series": name, "value": values[seen], "good": True}
            columns |= {input_column(key): table[seen, s] for key, table in inputs.items()}
            frames.append(pl.DataFrame(columns, schema=schema))
    return pl.concat(frames).with_columns(pl.col("value").fill_nan(None))


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
