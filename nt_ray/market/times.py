"""Times of bars: from the cells of a time column to nanoseconds since the epoch, UTC.

Dates alone mean that UTC day at midnight. A time of day needs a zone, in the cell or as `timezone`; without
one it is an error, never a guess. Slashed dates are read month first or day first by what all cells together
allow.
"""

import re
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from nt_ray.errors import MarketDataError
from nt_ray.types import IntArray

DATE = (
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{8}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}"
    r"|\d{1,2}[- ][A-Za-z]{3}[- ]\d{4}|[A-Za-z]{3} \d{1,2}, \d{4}"
)
CLOCK = r"\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?"
ZONE = r"Z|UTC|[+-]\d{2}:?\d{2}"
CELL = rf"^\s*(?P<date>{DATE})(?:[T ]+(?P<clock>{CLOCK}))?\s*(?P<zone>{ZONE})?\s*$"
EPOCH = r"^\d{9,19}(?:\.0*)?$"
DATE_FORMATS = (
    ("%Y-%m-%d",),
    ("%Y%m%d",),
    ("%m-%d-%Y", "%d-%m-%Y"),
    ("%d-%b-%Y",),
    ("%b-%d,-%Y",),
)
"""Groups of formats, separators written as dashes; within a group the cells must rule out all but one."""

_UNITS = ((9.2e9, 1_000_000_000), (9.2e12, 1_000_000), (9.2e15, 1_000), (np.inf, 1))
"""Epoch numbers below the bound, which is the year 2261, count seconds, milli-, micro- or nanoseconds."""


def parse_times(column: pl.Series, file: str, timezone: str | None = None) -> IntArray:
    """Nanoseconds since the epoch, UTC, of each cell.

    Parameters
    ----------
    column
        (T,) strings, integers (epoch or YYYYMMDD), dates or datetimes, as a file gave them. Empty cells are
        errors.
    file
        Name for error messages.
    timezone
        IANA zone of times that carry none.
    """
    _check_zone(timezone)
    if column.null_count():
        row = int(column.is_null().arg_true()[0]) + 1
        raise MarketDataError(f"{file}: the time in row {row} is empty. Remove the row or fill in its time.")
    if column.dtype == pl.Date:
        return _epoch_nanoseconds(column, column.cast(pl.String), file)
    if isinstance(column.dtype, pl.Datetime):
        return _datetimes(column, file, timezone)
    if column.dtype.is_integer():
        column = column.cast(pl.String)
    if column.dtype != pl.String:
        raise MarketDataError(
            f"{file}: time column {column.name!r} holds {column.dtype}. Give dates, datetimes or ISO text."
        )
    if len(column) and re.match(EPOCH, column[0]):
        return _epochs(column, file)
    return _texts(column, file, timezone)


def _check_zone(timezone: str | None) -> None:
    if timezone is None:
        return
    try:
        ZoneInfo(timezone)
    except (KeyError, ValueError, OSError):
        raise MarketDataError(
            f"Time zone {timezone!r} is unknown. Use an IANA name such as America/New_York or UTC."
        ) from None


def _epochs(column: pl.Series, file: str) -> IntArray:
    numbers = column.str.replace(r"\.0*$", "").cast(pl.Int64, strict=False)
    _refuse(column, numbers, file, "is not a number of seconds since 1970 like the first")
    factor = next(f for bound, f in _UNITS if float(numbers.max() or 0) < bound)  # type: ignore[arg-type]
    return numbers.to_numpy() * factor


def _datetimes(column: pl.Series, file: str, timezone: str | None) -> IntArray:
    if column.dtype.time_zone is None:  # type: ignore[attr-defined]
        moments = _epoch_nanoseconds(column, column.cast(pl.String), file)
        return _localise(pl.Series(moments).cast(pl.Datetime("ns")), column.cast(pl.String), file, timezone)
    return _epoch_nanoseconds(column.dt.convert_time_zone("UTC"), column.cast(pl.String), file)


def _texts(column: pl.Series, file: str, timezone: str | None) -> IntArray:
    parts = column.str.extract_groups(CELL).struct.unnest()
    _refuse(column, parts["date"], file, "is not a date or time this reader knows")
    zoned = parts["zone"].is_not_null()
    if zoned.any() and not zoned.all():
        _refuse(column, parts["zone"], file, "has no zone while other rows have one")
    moments = _days(column, parts["date"], file) + _clocks(column, parts["clock"], file)
    if zoned.all() and len(zoned):
        return moments - _offsets(parts["zone"])
    naive = pl.Series(moments).cast(pl.Datetime("ns"))
    return _localise(naive, column, file, timezone)


def _days(column: pl.Series, dates: pl.Series, file: str) -> IntArray:
    cells = dates.str.replace_all(r"[-/. ]", "-")
    for group in DATE_FORMATS:
        days = {f: cells.str.to_date(f, strict=False) for f in group}
        if all(d.null_count() == len(d) for d in days.values()):
            continue
        best = min(group, key=lambda f: days[f].null_count())
        _refuse(column, days[best], file, "is not a date in the form of the others")
        fitting = [f for f in group if days[f].null_count() == 0]
        if len(fitting) > 1 and not days[fitting[0]].equals(days[fitting[1]]):
            raise MarketDataError(
                f"{file}: dates such as {column[0]!r} can be read month first or day first. Write them as YYYY-MM-DD."
            )
        return _epoch_nanoseconds(days[best], column, file)
    raise MarketDataError(f"{file}: {column[0]!r} in row 1 is not a date. Write dates as YYYY-MM-DD.")


def _epoch_nanoseconds(moments: pl.Series, shown: pl.Series, file: str) -> IntArray:
    """Nanoseconds of dates or datetimes; 64 bits hold those of the years 1678 to 2261."""
    years = moments.dt.year()
    known = moments.zip_with((years >= 1678) & (years <= 2261), moments.clear(1))
    _refuse(shown, known, file, "lies outside the years 1678 to 2261")
    zone = getattr(moments.dtype, "time_zone", None)
    return moments.cast(pl.Datetime("ns", zone)).cast(pl.Int64).to_numpy()


def _clocks(column: pl.Series, clocks: pl.Series, file: str) -> IntArray:
    fields = clocks.str.extract_groups(r"^(\d+):(\d+)(?::(\d+))?(?:\.(\d+))?$").struct.unnest()
    hour, minute, second = (fields[name].cast(pl.Int64).fill_null(0) for name in ("1", "2", "3"))
    fraction = fields["4"].str.pad_end(9, "0").cast(pl.Int64).fill_null(0)
    valid = (hour < 24) & (minute < 60) & (second < 60)
    _refuse(column, hour.zip_with(valid, pl.Series([None], dtype=pl.Int64)), file, "is not a time of day")
    return (((hour * 60 + minute) * 60 + second) * 1_000_000_000 + fraction).to_numpy()


def _offsets(zones: pl.Series) -> IntArray:
    fields = zones.str.extract_groups(r"^([+-])(\d{2}):?(\d{2})$").struct.unnest()
    minutes = fields["2"].cast(pl.Int64).fill_null(0) * 60 + fields["3"].cast(pl.Int64).fill_null(0)
    sign = np.where((fields["1"] == "-").fill_null(value=False).to_numpy(), -1, 1)
    return minutes.to_numpy() * sign * 60_000_000_000


def _localise(naive: pl.Series, shown: pl.Series, file: str, timezone: str | None) -> IntArray:
    moments = naive.cast(pl.Int64).to_numpy()
    of_day = moments % 86_400_000_000_000
    if not of_day.any():
        return moments
    if timezone is None:
        row = int(np.argmax(of_day != 0))
        raise MarketDataError(
            f"{file}: the time {shown[row]!r} in row {row + 1} has a time of day but no zone. "
            'Set timezone = "America/New_York" (or your zone) under [data], or write offsets into the file.'
        )
    local = naive.dt.replace_time_zone(timezone, ambiguous="null", non_existent="null")
    _refuse(shown, local, file, f"does not exist, or exists twice, in {timezone}")
    return local.dt.convert_time_zone("UTC").cast(pl.Int64).to_numpy()


def _refuse(shown: pl.Series, parsed: pl.Series, file: str, fault: str) -> None:
    """Raise on the first cell that `parsed` holds no value for."""
    if parsed.null_count():
        row = int(parsed.is_null().arg_true()[0])
        raise MarketDataError(
            f"{file}: the time {shown[row]!r} in row {row + 1} {fault}. Write it as YYYY-MM-DD or ISO 8601 with a zone."
        )
