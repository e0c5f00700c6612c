"""From a table as a file holds it to checked series, one for each instrument.

It recognises the layout, reads times and numbers, applies adjusted closes and runs the quality checks. It
opens no file.
"""

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from nt_ray.errors import MarketDataError
from nt_ray.market.bars import CLOSE, FIELDS, VOLUME, check_field_name
from nt_ray.market.columns import Columns, Layout, recognise
from nt_ray.market.quality import Missing, Series, check
from nt_ray.market.times import parse_times
from nt_ray.types import FloatArray, IntArray

EMPTY_CELLS = ("", "nan", "na", "n/a", "null", "none", "-", "#n/a")
"""Cells, in lower case, that mean no value."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How tables are read.

    `timezone` is the zone of times that carry none; `adjust` applies adjusted closes; `missing` is what a row
    without a price between two bars means; `extra` names further columns to keep.
    """

    timezone: str | None = None
    adjust: bool = True
    missing: Missing = "error"
    extra: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.missing not in ("error", "skip"):
            raise MarketDataError(f"missing = {self.missing!r} is unknown. Use 'error' or 'skip'.")
        for position, name in enumerate(self.extra):
            check_field_name(name, FIELDS + self.extra[:position])


def series_of(table: pl.DataFrame, file: str, symbol: str, reading: Reading) -> list[Series]:
    """Read the instruments of a table.

    Parameters
    ----------
    table
        Columns as the file gave them: text, numbers or times.
    file
        Name for error messages.
    symbol
        Symbol of the instrument where the table does not name one.
    reading
        Time zone, adjustment, treatment of holes, extra columns.
    """
    if table.height < 2:
        raise MarketDataError(f"{file}: {table.height} row(s) of data; 2 are needed. Give a file with more bars.")
    columns = recognise(table.columns, file, reading.extra)
    times = parse_times(table[columns.time], file, reading.timezone)
    if columns.layout is Layout.WIDE:
        found = _wide(table, columns, times, file)
    elif columns.layout is Layout.LONG:
        found = _long(table, columns, times, file, reading)
    else:
        values = _bars(table, columns, file, reading.adjust)
        rows = np.arange(1, len(times) + 1)
        found = [Series(file, symbol, times, values, rows, not columns.has_bars, reading.extra)]
    return [check(_close_only_if_blank(s), reading.missing) for s in found]


def _wide(table: pl.DataFrame, columns: Columns, times: IntArray, file: str) -> list[Series]:
    found = []
    for name in columns.closes:
        values = np.full((len(times), len(FIELDS)), np.nan)
        values[:, CLOSE] = numbers(table[name], file)
        rows = np.arange(1, len(times) + 1)
        found.append(Series(file, name.strip(), times, values, rows, close_only=True))
    return found


def _long(table: pl.DataFrame, columns: Columns, times: IntArray, file: str, reading: Reading) -> list[Series]:
    values = _bars(table, columns, file, reading.adjust)
    column = table[columns.symbol or ""].cast(pl.String).str.strip_chars()
    unnamed = column.is_null() | (column == "")
    if unnamed.any():
        raise MarketDataError(
            f"{file}: the symbol in row {int(unnamed.arg_true()[0]) + 1} is empty. Name it or remove the row."
        )
    names = column.unique(maintain_order=True).to_list()
    # A stable sort groups the rows of each symbol and keeps their order.
    codes = column.replace_strict(names, range(len(names)), return_dtype=pl.Int64).to_numpy()
    order = np.argsort(codes, kind="stable")
    bounds = np.searchsorted(codes[order], np.arange(len(names) + 1))
    found = []
    for code, name in enumerate(names):
        rows = order[bounds[code] : bounds[code + 1]]
        found.append(Series(file, name, times[rows], values[rows], rows + 1, not columns.has_bars, reading.extra))
    return found


def _close_only_if_blank(series: Series) -> Series:
    """Mark an instrument whose open, high and low are all empty, and keep its closes and extra fields alone."""
    if not series.close_only and not np.isnan(series.values[:, :CLOSE]).all():
        return series
    values = series.values.copy()
    values[:, :CLOSE] = np.nan
    values[:, VOLUME] = np.nan
    return replace(series, values=values, close_only=True)


def _bars(table: pl.DataFrame, columns: Columns, file: str, adjust: bool) -> FloatArray:
    values = np.full((table.height, len(FIELDS) + len(columns.extra)), np.nan)
    for position, field in enumerate(FIELDS):
        name = columns.field(field)
        if name is not None:
            values[:, position] = numbers(table[name], file)
    for position, name in enumerate(columns.extra, start=len(FIELDS)):
        values[:, position] = numbers(table[name], file)
    adjusted = columns.field("adjusted")
    if adjust and adjusted is not None:
        _adjust(values, numbers(table[adjusted], file), file)
    return values


def _adjust(values: FloatArray, adjusted: FloatArray, file: str) -> None:
    """Scale prices so that the close is the adjusted close, and volume inversely, so that turnover stays."""
    wrong = (adjusted <= 0.0) | (values[:, CLOSE] <= 0.0) | np.isinf(adjusted) | np.isinf(values[:, CLOSE])
    if wrong.any():
        at = int(np.argmax(wrong))
        raise MarketDataError(
            f"{file}: row {at + 1} has close {values[at, CLOSE]:g} and adjusted close {adjusted[at]:g}. "
            "Both must be finite and above zero; mend the row or set adjust = false."
        )
    factor = adjusted / values[:, CLOSE]
    values[:, :VOLUME] *= factor[:, None]
    values[:, VOLUME] /= factor
    values[:, CLOSE] = adjusted


def numbers(column: pl.Series, file: str) -> FloatArray:
    """Read cells as float64, NaN where empty; a cell that is neither raises with its row."""
    if column.dtype.is_numeric() or column.dtype == pl.Null:
        return column.cast(pl.Float64).fill_null(np.nan).to_numpy().copy()
    if column.dtype != pl.String:
        raise MarketDataError(f"{file}: column {column.name!r} holds {column.dtype}. Give numbers.")
    cells = column.str.strip_chars().str.strip_prefix("$")
    empty = cells.is_null() | cells.str.to_lowercase().is_in(EMPTY_CELLS)
    parsed = cells.cast(pl.Float64, strict=False)
    wrong = parsed.is_null() & ~empty
    if wrong.any():
        row = int(wrong.arg_true()[0])
        raise MarketDataError(
            f"{file}: {column[row]!r} in row {row + 1} of column {column.name!r} is not a number. "
            "Write numbers as 1234.5, or remove the column."
        )
    return parsed.fill_null(np.nan).to_numpy().copy()
