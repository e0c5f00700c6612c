"""Panels from tables, files and bars.

A table is *long* (a column names the series) or *wide* (each series is a column). Rows of a long table whose target is
missing for every series after its last value, with inputs that are known in advance, say what is known ahead. Times
without a zone are taken for UTC. What is trained on a panel is not known here.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from nt_ray.market.bars import FIELDS, BarPanel
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.calendar import CALENDAR, calendar, times_after
from nt_ray.neural.series.panel import SeriesPanel, unknown
from nt_ray.neural.series.spacing import frequency_of
from nt_ray.types import FloatArray, IntArray

Field = Literal["close", "log_close", "return"]


def from_frame(
    frame: pl.DataFrame,
    *,
    time: str = "time",
    series: str | None = "series",
    target: str = "value",
    past: Sequence[str] = (),
    future: Sequence[str] = (),
    static: Sequence[str] = (),
    columns: Sequence[str] = (),
    frequency: str = "",
) -> SeriesPanel:
    """Panel of a table.

    Parameters
    ----------
    time
        Column of times: dates, datetimes, or text that polars reads as such.
    series, target
        Columns of names and values of a long table. With `series` None the table is wide: each of `columns` (all but
        the time where empty) is a series, and there are no inputs.
    past, future, static
        Columns of inputs. A static one must be the same in all rows of a series.
    """
    _known(frame, (time,))
    if series is None:
        chosen = tuple(columns) or tuple(name for name in frame.columns if name != time)
        _known(frame, chosen)
        wide = frame.select(_times(frame, time), *(_number(frame, name) for name in chosen)).sort("__time")
        values = wide.select(chosen).to_numpy().T
        return SeriesPanel(chosen, _axis(wide["__time"]), np.ascontiguousarray(values), frequency=frequency)
    return _long(frame, (time, series, target), (tuple(past), tuple(future), tuple(static)), frequency)


def from_csv(path: str | Path, *, time: str = "time", series: str | None = None, **choice: object) -> SeriesPanel:
    """Panel of a CSV file, wide unless `series` names a column; further arguments as in `from_frame`."""
    if not Path(path).is_file():
        raise NeuralError(f"{path} is no file. Check the path.")
    try:
        frame = pl.read_csv(path, infer_schema_length=None)
    except pl.exceptions.PolarsError as problem:
        raise NeuralError(f"{path} cannot be read as CSV ({problem}). Check its separator and rows.") from problem
    return from_frame(frame, time=time, series=series, **choice)  # type: ignore[arg-type]


def from_bars(
    bars: BarPanel, field: Field = "close", *, past: Sequence[str] = (), future: Sequence[str] = (), ahead: int = 0
) -> SeriesPanel:
    """Panel of market bars.

    Parameters
    ----------
    field
        Target: the close, its logarithm, or the change of its logarithm from the last bar there was ("return").
    past
        Fields of the bars (volume, further ones by name) as inputs.
    future
        Inputs known in advance: names of `calendar.CALENDAR`, or further fields of the bars.
    ahead
        Rows after the last for which calendar inputs are told; none where a field of the bars is among them, which ends
        with the bars.
    """
    closes = bars.closes.T
    if field == "close":
        target = closes.copy()
    else:
        target = np.log(closes)
        if field == "return":
            target = _changes(target)
    times = bars.timestamps.view("datetime64[ns]").astype("datetime64[us]")
    known = _columns(bars, past, "past", FIELDS + bars.fields)
    told = _future(bars, tuple(future), times, ahead) if future else np.empty(0)
    return SeriesPanel(bars.symbols, times, target, known, tuple(past), told, tuple(future))


def _future(bars: BarPanel, names: tuple[str, ...], times: npt.NDArray[np.datetime64], ahead: int) -> FloatArray:
    """Inputs known in advance (S, T + A, F)."""
    fields = tuple(name for name in names if name in bars.fields)
    for name in names:
        if name not in CALENDAR and name not in fields:
            raise NeuralError(unknown("future input", name, (*CALENDAR, *bars.fields)))
    if ahead and not fields and len(times) > 1:
        times = np.concatenate([times, times_after(times, ahead, frequency_of(times))])
    columns = [
        _columns(bars, (name,), "future", bars.fields)
        if name in fields
        else np.tile(calendar(times, (name,)), (len(bars.symbols), 1, 1))
        for name in names
    ]
    return np.concatenate(columns, axis=-1)


def _columns(bars: BarPanel, names: Sequence[str], kind: str, known: Sequence[str]) -> FloatArray:
    """Fields of bars (S, T, C); empty where none are named."""
    for name in names:
        if name not in known:
            raise NeuralError(unknown(f"{kind} input", name, known))
        blank = np.isnan(bars.field(name)).all(axis=0)
        if blank.any():
            symbol = bars.symbols[int(np.argmax(blank))]
            raise NeuralError(f"{symbol} has no value of the {kind} input {name!r} in any bar. Leave one of them out.")
    return np.stack([bars.field(name).T for name in names], axis=-1) if names else np.empty(0)


def _changes(logs: FloatArray) -> FloatArray:
    """Changes (S, T) from the last value observed; NaN where there is none, now or before."""
    changes = np.full_like(logs, np.nan)
    for row, out in zip(logs, changes, strict=True):
        seen = np.flatnonzero(~np.isnan(row))
        out[seen[1:]] = np.diff(row[seen])
    return changes


def _long(
    frame: pl.DataFrame,
    keys: tuple[str, str, str],
    inputs: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]],
    frequency: str,
) -> SeriesPanel:
    time, series, target = keys
    past, future, static = inputs
    wanted = (target, *past, *future, *static)
    _known(frame, (series, *wanted))
    table = frame.select(
        _times(frame, time), frame[series].cast(pl.String).alias("__series"), *(_number(frame, n) for n in wanted)
    )
    if table["__series"].null_count():
        raise NeuralError(f"Column {series!r} has rows without a name. Name the series of each row.")
    twice = table.select(pl.struct("__time", "__series").is_duplicated())["__time"]
    if twice.any():
        row = table.filter(twice).row(0)
        raise NeuralError(f"Series {row[1]!r} has two rows at {row[0]}. Keep one.")
    names = tuple(table["__series"].unique(maintain_order=True))
    times = table["__time"].unique().sort()
    place = _places(table, names, times)
    reach, shape = _reach(table, place[1], target, bool(future)), (len(names), len(times))

    def grid(columns: tuple[str, ...], rows: int) -> FloatArray:
        cells = np.full((*shape, len(columns)), np.nan)
        cells[place] = table.select(columns).to_numpy() if columns else np.empty((len(table), 0))
        return np.ascontiguousarray(cells[:, :rows])

    return SeriesPanel(
        names,
        _axis(times)[:reach],
        grid((target,), reach)[..., 0],
        grid(past, reach),
        past,
        grid(future, shape[1]),
        future,
        _constants(grid(static, shape[1]), names, static),
        static,
        frequency,
    )


def _places(table: pl.DataFrame, names: tuple[str, ...], times: pl.Series) -> tuple[IntArray, IntArray]:
    """Series and row of each line of a long table."""
    order = {name: i for i, name in enumerate(names)}
    which = np.array([order[name] for name in table["__series"]], dtype=np.int64)
    return which, np.searchsorted(times.to_numpy(), table["__time"].to_numpy())


def _reach(table: pl.DataFrame, rows: IntArray, target: str, ahead: bool) -> int:
    """Rows of the target: all, or without those at the end that say only what is known ahead."""
    if not ahead:
        return int(rows.max()) + 1
    seen = rows[table[target].is_not_null().to_numpy() & ~np.isnan(table[target].to_numpy())]
    if not len(seen):
        raise NeuralError(f"Column {target!r} has no value. Name the column of the target.")
    return int(seen.max()) + 1


def _constants(cells: FloatArray, names: tuple[str, ...], columns: tuple[str, ...]) -> FloatArray:
    """Static inputs (S, Z) of cells (S, T, Z)."""
    values = np.full((len(names), len(columns)), np.nan)
    for s, z in np.ndindex(values.shape):
        seen = cells[s, :, z][~np.isnan(cells[s, :, z])]
        if len(seen) and np.ptp(seen):
            raise NeuralError(f"Static input {columns[z]!r} changes in series {names[s]!r}. Give it as a past input.")
        values[s, z] = seen[0] if len(seen) else np.nan
    return values


def _known(frame: pl.DataFrame, names: Sequence[str]) -> None:
    for name in names:
        if name not in frame.columns:
            raise NeuralError(unknown("column", name, frame.columns))
    if frame.is_empty():
        raise NeuralError("The table has no rows. Give some.")


def _number(frame: pl.DataFrame, name: str) -> pl.Series:
    column = frame[name]
    if not (column.dtype.is_numeric() or column.dtype in (pl.Boolean, pl.Null)):
        raise NeuralError(f"Column {name!r} holds {column.dtype}, not numbers. Convert it, or leave it out.")
    return column.cast(pl.Float64)


def _times(frame: pl.DataFrame, name: str) -> pl.Series:
    column = frame[name]
    if column.dtype == pl.String:
        try:
            column = column.str.to_datetime(time_unit="us")
        except pl.exceptions.PolarsError as problem:
            raise NeuralError(
                f"Column {name!r} holds no times ({problem}). Write them as 2026-01-31 16:00."
            ) from problem
    if not column.dtype.is_temporal() or column.null_count():
        raise NeuralError(f"Column {name!r} has rows without a time. Give each row a date or a time.")
    zone = getattr(column.dtype, "time_zone", None)
    if zone is not None:
        column = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return column.cast(pl.Datetime("us")).alias("__time")


def _axis(times: pl.Series) -> npt.NDArray[np.datetime64]:
    return times.to_numpy().astype("datetime64[us]")
