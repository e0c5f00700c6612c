"""The bars that settings name, with the fields that a strategy reads.

A field that the data have is taken from them. Of those they lack the forecast is made (`nt_ray.trader.forecasting`),
from bars before `data.start` as well; any other is an error that names it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from nt_ray.config import Settings
from nt_ray.config.sections import Data
from nt_ray.market.bars import BarPanel
from nt_ray.market.columns import NoColumnError
from nt_ray.market.source import load_panel
from nt_ray.strategies.loader import preparation, prepared
from nt_ray.trader.forecasting import FIELD, HorizonError, OnFit, add_forecast, described

GIVEN = "a column of the data"


@dataclass(frozen=True, slots=True)
class Loaded:
    """Bars, and what is known of the forecast among their fields; without one `origin` is empty."""

    panel: BarPanel
    origin: str = ""
    """Where the forecast comes from, in words."""
    horizon: int = 0
    """Bars that it looks ahead."""


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


def load_fields(
    settings: Settings, fields: Sequence[str], traded: Sequence[int] = (), on_fit: OnFit | None = None
) -> Loaded:
    """Load the bars with these fields, and make the forecast where it is among them and the data have none.

    `traded` are the horizons that are traded: all the same as that of a forecast that has to be made.
    """
    data, made = settings.data, settings.neural.forecast.horizon
    if FIELD not in fields:
        return Loaded(load_bars(data, fields))
    try:
        panel = load_bars(data, fields)
    except NoColumnError as missing:
        if missing.column != FIELD or FIELD in data.extra:
            raise
    else:
        return Loaded(panel, GIVEN, min(traded, default=made))
    for horizon in traded:
        if horizon != made:
            raise HorizonError(horizon, made)
    panel = load_bars(data, [field for field in fields if field != FIELD])
    history = panel if data.start is None else load_bars(data.model_copy(update={"start": None}))
    return Loaded(add_forecast(settings, panel, history, on_fit), described(settings), made)


def load_for(
    settings: Settings,
    name: str,
    inputs: Sequence[str],
    parameters: Mapping[str, float] | None = None,
    on_fit: OnFit | None = None,
) -> Loaded:
    """Load the bars for a strategy by its name: fields that it reads, or what its file makes of the bars.

    `parameters` are those that it trades with, where they are known.
    """
    if preparation(name) is not None:
        return Loaded(prepared(name, load_bars(settings.data)))
    return load_fields(settings, inputs, traded_horizons(inputs, parameters or {}), on_fit)


def traded_horizons(inputs: Sequence[str], parameters: Mapping[str, float]) -> tuple[int, ...]:
    """Horizon of the forecast that parameters trade; none where they trade none or do not say."""
    return (int(parameters["horizon"]),) if FIELD in inputs and "horizon" in parameters else ()


def first_moment(day: date) -> datetime:
    """Begin of a UTC day."""
    return datetime.combine(day, time.min, UTC)


def last_moment(day: date) -> datetime:
    """Last moment of a UTC day."""
    return datetime.combine(day, time.max, UTC)
