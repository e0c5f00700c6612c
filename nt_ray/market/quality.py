"""Quality of one instrument's bars: what a price series must be before anything trades on it.

A failed check raises `MarketDataError` that names file, symbol, row, time, value and remedy. Nothing is
repaired in silence: rows without prices before the first and after the last bar are a listing and a
delisting; any other hole is an error, or with `missing="skip"` a row without a bar. It does not know where
the rows came from.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal, NoReturn

import numpy as np

from nt_ray.errors import MarketDataError
from nt_ray.market.bars import CLOSE, FIELDS, HIGH, LOW, OPEN, VOLUME
from nt_ray.types import BoolArray, FloatArray, IntArray

Missing = Literal["error", "skip"]

TOLERANCE = 1e-6
"""Part of the price by which open and close may lie outside low and high: adjusted prices are rounded."""

MIN_ROWS = 2


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Rows of one instrument as a file gave them.

    `values` is (n, 5 + X): open, high, low, close, volume and the fields named by `extra`, NaN where the cell was
    empty; `rows` are 1-based data rows of the file.
    """

    file: str
    symbol: str
    times: IntArray
    values: FloatArray
    rows: IntArray
    close_only: bool
    extra: tuple[str, ...] = ()

    def fail(self, at: int, fault: str, remedy: str) -> NoReturn:
        """Raise for row `at` of this series."""
        moment = datetime.fromtimestamp(int(self.times[at]) // 1_000_000_000, tz=UTC)
        shown = f"{moment:%Y-%m-%d}" if self.times[at] % 86_400_000_000_000 == 0 else moment.isoformat()
        raise MarketDataError(f"{self.file}: {self.symbol}, row {self.rows[at]} ({shown}): {fault}. {remedy}")

    def take(self, keep: BoolArray) -> "Series":
        """Series of the rows that `keep` marks."""
        return replace(self, times=self.times[keep], values=self.values[keep], rows=self.rows[keep])


def check(series: Series, missing: Missing = "error") -> Series:
    """Return the rows that are bars, or raise on the first fault.

    Parameters
    ----------
    series
        Rows of one instrument.
    missing
        What a row without a price between two bars means: "error", or "skip" for no bar.
    """
    _check_order(series)
    _check_finite(series)
    bars = _without_holes(series, missing)
    if len(bars.times) < MIN_ROWS:
        raise MarketDataError(
            f"{series.file}: {series.symbol} has {len(bars.times)} row(s) with a price; {MIN_ROWS} are "
            "needed. "
            "Give more history or leave the symbol out."
        )
    _check_prices(bars)
    if not bars.close_only:
        _check_ranges(bars)
    return bars


def _check_order(series: Series) -> None:
    steps = np.diff(series.times)
    if np.all(steps > 0):
        return
    at = int(np.argmax(steps <= 0)) + 1
    if steps[at - 1] == 0:
        series.fail(at, f"its time is that of row {series.rows[at - 1]}", "Keep one row for each time.")
    series.fail(at, f"it is earlier than row {series.rows[at - 1]}", "Sort the rows by time, oldest first.")


def _check_finite(series: Series) -> None:
    infinite = np.isinf(series.values)
    if infinite.any():
        at, field = (int(i) for i in np.argwhere(infinite)[0])
        series.fail(
            at, f"{(FIELDS + series.extra)[field]} is {series.values[at, field]}", "Remove the value or the row."
        )


def _without_holes(series: Series, missing: Missing) -> Series:
    prices = series.values[:, CLOSE:VOLUME] if series.close_only else series.values[:, :VOLUME]
    empty = np.isnan(prices)
    blank: BoolArray = np.all(empty, axis=1)
    if blank.all():
        return series.take(~blank)
    first, last = int(np.argmin(blank)), len(blank) - 1 - int(np.argmin(blank[::-1]))
    holes: BoolArray = np.any(empty, axis=1)
    holes[:first] = holes[last + 1 :] = False
    if holes.any() and missing == "error":
        at = int(np.argmax(holes))
        field = "close" if series.close_only else FIELDS[int(np.argmax(empty[at]))]
        series.fail(
            at,
            f"{field} is missing (NaN) between bars",
            'Fill it in, or set missing = "skip" for a row without a bar.',
        )
    keep = ~holes
    keep[:first] = keep[last + 1 :] = False
    return series.take(keep)


def _check_prices(series: Series) -> None:
    prices = series.values[:, :VOLUME]
    low = prices <= 0.0
    if low.any():
        at, field = (int(i) for i in np.argwhere(low)[0])
        series.fail(
            at,
            f"{FIELDS[field]} is {prices[at, field]:g}",
            "Prices must be above zero; mend or remove the row.",
        )
    negative = series.values[:, VOLUME] < 0.0
    if negative.any():
        at = int(np.argmax(negative))
        series.fail(at, f"volume is {series.values[at, VOLUME]:g}", "Volume must not be negative; mend the row.")


def _check_ranges(series: Series) -> None:
    values = series.values
    high, low = values[:, HIGH], values[:, LOW]
    crossed = high < low * (1.0 - TOLERANCE)
    if crossed.any():
        at = int(np.argmax(crossed))
        series.fail(at, f"high {high[at]:g} is below low {low[at]:g}", "Mend the row or remove it.")
    for field in (OPEN, CLOSE):
        price = values[:, field]
        outside = (price > high * (1.0 + TOLERANCE)) | (price < low * (1.0 - TOLERANCE))
        if outside.any():
            at = int(np.argmax(outside))
            series.fail(
                at,
                f"{FIELDS[field]} {price[at]:.10g} lies outside low {low[at]:.10g} and high {high[at]:.10g}",
                "Mend the row, remove it, or give closes only.",
            )
