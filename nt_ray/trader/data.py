"""The bars that settings name, with the fields that a strategy reads."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time

from nt_ray.config.sections import Data
from nt_ray.market.bars import BarPanel
from nt_ray.market.source import load_panel
from nt_ray.strategies.loader import preparation, prepared


def load_bars(data: Data, extra: Sequence[str] = ()) -> BarPanel:
    """Load the bars that `[data]` names, its extra columns and these."""
    return load_panel(
        data.source,
        symbols=data.symbols or None,
        start=None if data.start is None else first_moment(data.start),
        end=None if data.end is None else last_moment(data.end),
        timezone=data.timezone,
        adjust=data.adjust,
        missing=data.missing,
        extra=tuple(dict.fromkeys((*data.extra, *extra))),
    )


def bars_for(data: Data, name: str, inputs: Sequence[str]) -> BarPanel:
    """Load the bars for a strategy, by its name: columns that it reads, or what its file makes of the bars."""
    if preparation(name) is None:
        return load_bars(data, inputs)
    return prepared(name, load_bars(data))


def first_moment(day: date) -> datetime:
    """Begin of a UTC day."""
    return datetime.combine(day, time.min, UTC)


def last_moment(day: date) -> datetime:
    """Last moment of a UTC day."""
    return datetime.combine(day, time.max, UTC)
