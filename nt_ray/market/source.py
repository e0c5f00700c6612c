"""One door to market data: the name of an embedded set or a path, then the choice of symbols and time."""

import difflib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np

from nt_ray.errors import MarketDataError
from nt_ray.market.bars import BarPanel
from nt_ray.market.embedded import EMBEDDED, load_embedded
from nt_ray.market.files import read_bars
from nt_ray.market.frequency import periods_per_year
from nt_ray.market.quality import Missing
from nt_ray.market.tables import Reading
from nt_ray.types import BoolArray


def load_panel(
    source: str,
    *,
    symbols: Sequence[str] | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    timezone: str | None = None,
    adjust: bool = True,
    missing: Missing = "error",
    extra: Sequence[str] = (),
) -> BarPanel:
    """Load bars by name or path.

    Parameters
    ----------
    source
        A name in `EMBEDDED`, or a path that `read_bars` reads. A name goes before a file; write `./name` for
        the file.
    symbols
        Instruments to keep, in this order; all where None. Rows in which none of them has a bar are dropped.
    start, end
        First and last moment to keep, tz-aware. A symbol without a bar between them is an error where
        `symbols` names it, and is left out where it does not.
    timezone, adjust, missing, extra
        As in `read_bars`.
    """
    _check_window(start, end)
    panel = _load(source, Reading(timezone, adjust, missing, tuple(extra)))
    if symbols is not None:
        panel = _with_symbols(panel, symbols)
    if start is None and end is None:
        return panel
    panel = panel.between(start, end)
    alive = [s for c, s in enumerate(panel.symbols) if not bool(np.isnan(panel.closes[:, c]).all())]
    silent = [s for s in panel.symbols if s not in alive]
    if silent and (symbols is not None or not alive):
        raise MarketDataError(
            f"{silent[0]} has no bar between {start} and {end}. Widen the time, or leave the symbol out."
        )
    return panel.select(alive) if silent else panel


def _load(source: str, reading: Reading) -> BarPanel:
    if source in EMBEDDED:
        return load_embedded(source, reading)
    if not Path(source).exists():
        near = difflib.get_close_matches(source, EMBEDDED, n=1, cutoff=0.0)[0]
        raise MarketDataError(
            f"{source!r} is neither a file nor a folder nor embedded data. "
            f"Check the path, or use {near!r} (known: {', '.join(EMBEDDED)})."
        )
    return read_bars(
        source, timezone=reading.timezone, adjust=reading.adjust, missing=reading.missing, extra=reading.extra
    )


def _check_window(start: datetime | None, end: datetime | None) -> None:
    for name, moment in (("start", start), ("end", end)):
        if moment is not None and moment.tzinfo is None:
            raise MarketDataError(f"{name} = {moment} carries no time zone. Give a tz-aware time, such as UTC.")
    if start is not None and end is not None and end < start:
        raise MarketDataError(f"end = {end} is before start = {start}. Exchange them.")


def _with_symbols(panel: BarPanel, symbols: Sequence[str]) -> BarPanel:
    if not symbols:
        raise MarketDataError("The list of symbols is empty. Name at least one, or leave it out for all.")
    chosen = panel.select(symbols)
    rows: BoolArray = np.any(~np.isnan(chosen.closes), axis=1)
    times = chosen.timestamps[rows]
    values = np.ascontiguousarray(chosen.values[rows])
    return replace(chosen, timestamps=times, values=values, periods_per_year=periods_per_year(times))
