"""Series of different calendars on one time axis: the union of their times, NaN where there is no bar."""

from collections.abc import Sequence
from decimal import Decimal

import numpy as np

from nt_ray.errors import MarketDataError
from nt_ray.market.bars import CLOSE, FIELDS, BarPanel, Instrument
from nt_ray.market.frequency import periods_per_year
from nt_ray.market.quality import Series

SMALL_PRICE = 0.01
"""Below this median price the usual increment of 0.0001 would be more than 1 % of the price."""

SMALL_INCREMENT = Decimal("0.00000001")


def align(series: Sequence[Series], name: str, extra: tuple[str, ...] = ()) -> BarPanel:
    """Lay checked series into one panel, in their order.

    Parameters
    ----------
    series
        One for each instrument; symbols must be unique.
    name
        Name of the panel.
    extra
        Names of the fields after the volume, which every series carries.
    """
    _refuse_twins(series)
    times = np.unique(np.concatenate([s.times for s in series]))
    values = np.full((len(times), len(series), len(FIELDS) + len(extra)), np.nan)
    for column, one in enumerate(series):
        values[np.searchsorted(times, one.times), column] = one.values
    instruments = tuple(_instrument(s) for s in series)
    return BarPanel(instruments, times, values, periods_per_year(times), name, extra)


def _instrument(series: Series) -> Instrument:
    if float(np.median(series.values[:, CLOSE])) < SMALL_PRICE:
        return Instrument(series.symbol, price_increment=SMALL_INCREMENT, close_only=series.close_only)
    return Instrument(series.symbol, close_only=series.close_only)


def _refuse_twins(series: Sequence[Series]) -> None:
    seen: dict[str, str] = {}
    for one in series:
        if one.symbol in seen:
            raise MarketDataError(
                f"Symbol {one.symbol!r} stands in {seen[one.symbol]} and again in {one.file}. Keep one of them."
            )
        seen[one.symbol] = one.file
