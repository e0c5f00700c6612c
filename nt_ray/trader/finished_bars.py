"""Finished bars of a live account's venue: what may be decided upon now, and which bar should be among them.

Owns the value and its two faults, bars that are late and a panel without any. It does not know who reads it.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Final

import numpy as np

from nt_ray.errors import MarketDataError
from nt_ray.market.bars import BarPanel
from nt_ray.trader.bar_reading import time_of

LEAST: Final = 2
"""Bars without which there is no interval, and nothing to decide."""

NEARLY_A_DAY: Final = 20 * 3_600 * 10**9
"""Nanoseconds between daily bars at the least: the hour of a day changes with the season."""


class FewBarsError(MarketDataError):
    """Too few finished bars."""

    code = "few_bars"

    def __init__(self, bars: int) -> None:
        super().__init__(f"The venue gives {bars} finished bars; {LEAST} are needed. Begin earlier, or wait for more.")


@dataclass(frozen=True)
class FinishedBars:
    """Bars that are complete, oldest first; `due` is the time of the newest one that there should be."""

    panel: BarPanel
    due: datetime

    @cached_property
    def newest(self) -> datetime:
        """Time at which the newest bar was complete."""
        return time_of(self.panel, len(self.panel) - 1)

    @property
    def is_late(self) -> bool:
        """Whether a bar that is due has not come."""
        return self.newest < self.due

    @property
    def stamp(self) -> str:
        """Newest bar as text that sorts by time: its date, with the time where bars are shorter than a day."""
        nearest = int(np.diff(self.panel.timestamps).min())
        return f"{self.newest:%Y%m%d}" if nearest >= NEARLY_A_DAY else f"{self.newest:%Y%m%dT%H%M%S}"


def finished(panel: BarPanel, due: datetime, since: datetime | None = None) -> FinishedBars:
    """Bars of a panel from a time on; raises `FewBarsError` where hardly one is left."""
    first = 0 if since is None else int(np.searchsorted(panel.timestamps, int(since.timestamp() * 1e9)))
    if len(panel) - first < LEAST:
        raise FewBarsError(len(panel) - first)
    return FinishedBars(rows_of(panel, first, len(panel)), due)


def rows_of(panel: BarPanel, first: int, last: int) -> BarPanel:
    """Panel of the rows `first` to `last - 1`."""
    values = np.ascontiguousarray(panel.values[first:last])
    return replace(panel, timestamps=panel.timestamps[first:last].copy(), values=values)
