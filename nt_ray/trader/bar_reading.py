"""A finished bar as it is told to those who watch: prices as exact text, and how long it lasted."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

import numpy as np

from nt_ray.market.bars import FIELDS, BarPanel
from nt_ray.trader.event_stream import Channel, News, news

_SPANS: Final = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))


@dataclass(frozen=True, slots=True)
class BarReading:
    """One bar: `time` at which it was complete; `values` are open, high, low, close, volume, NaN where unknown."""

    symbol: str
    time: datetime
    values: tuple[float, ...]
    interval: str

    def news(self, now: datetime, source: str, account: str = "") -> News:
        """Write it down as news of a source."""
        fields = {name: exact(value) for name, value in zip(FIELDS, self.values, strict=True)}
        data = {"time": self.time.isoformat(), **fields, "interval": self.interval, "source": source}
        return news(Channel.BARS, now, data, symbol=self.symbol, account=account)


def bars_at(panel: BarPanel, row: int) -> list[BarReading]:
    """Bars of a row, of each symbol that has one there."""
    time, interval = time_of(panel, row), interval_of(panel)
    rows = panel.values[row, :, : len(FIELDS)].tolist()
    return [
        BarReading(symbol, time, tuple(values), interval)
        for symbol, values in zip(panel.symbols, rows, strict=True)
        if not math.isnan(values[FIELDS.index("close")])
    ]


def time_of(panel: BarPanel, row: int) -> datetime:
    """Time at which a row was complete, to the microsecond."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(panel.timestamps[row]) // 1_000)


def interval_of(panel: BarPanel) -> str:
    """Median distance of the bars, as `1d`, `4h`, `5m` or `30s`; empty where there is only one."""
    if len(panel) < 2:
        return ""
    seconds = max(1, round(float(np.median(np.diff(panel.timestamps))) / 1e9))
    length, unit = next((length, unit) for length, unit in _SPANS if seconds % length == 0 or length == 1)
    return f"{seconds // length}{unit}"


def exact(value: float) -> str | None:
    """Shortest decimal text that is this float; None where it is no number."""
    return f"{Decimal(repr(value)):f}" if math.isfinite(value) else None


def of_symbols(bars: Sequence[BarReading], told: dict[str, str]) -> list[BarReading]:
    """Bars that are newer than what was told of their symbols, by time as text."""
    return [bar for bar in bars if bar.time.isoformat() > told.get(bar.symbol, "")]
