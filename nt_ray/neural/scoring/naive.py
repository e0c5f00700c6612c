"""Forecasts that cost nothing, which stand in every table: whoever does not beat them has learned nothing.

A forecast made at origin o uses rows up to o alone. Missing values are NaN; the last value is the last one observed.
Where nothing was observed yet the forecast is NaN. Origins are rows of the target, in any order.

Source: Hyndman and Athanasopoulos (2021), Forecasting: principles and practice, section 5.2.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from nt_ray.neural.problems import NeuralError
from nt_ray.types import FloatArray, IntArray

Rule = Callable[[FloatArray, IntArray, int, int], FloatArray]
"""`rule(target (S, T), origins (O,), horizon, season)` gives forecasts (S, O, H)."""


def repeat_last(target: FloatArray, origins: IntArray, horizon: int, season: int = 1) -> FloatArray:
    """Repeat the last value, (S, O, H); the season says nothing here."""
    del season
    last = filled_forward(target)[:, _checked(target, origins, horizon)]
    return np.repeat(last[:, :, None], horizon, axis=2)


def seasonal(target: FloatArray, origins: IntArray, horizon: int, season: int) -> FloatArray:
    """Repeat the last season, (S, O, H): the value of the same phase, an earlier one where that is missing."""
    if season < 1:
        raise NeuralError(f"season={season} is no season. Use 1 (the last value) or more rows.")
    rows = _checked(target, origins, horizon)
    length = target.shape[1]
    cycles = -(-length // season)
    padded = np.full((target.shape[0], cycles * season), np.nan)
    padded[:, :length] = target
    phases = filled_forward(padded.reshape(len(target), cycles, season).swapaxes(1, 2)).swapaxes(1, 2)
    latest = phases.reshape(len(target), -1)
    ahead = np.arange(1, horizon + 1)
    places = rows[:, None] + ahead - season * (-(-ahead // season))
    known = places >= 0
    result: FloatArray = np.where(known, latest[:, np.maximum(places, 0)], np.nan)
    return result


def drift(target: FloatArray, origins: IntArray, horizon: int, season: int = 1) -> FloatArray:
    """Go on along the line from the first to the last value observed, (S, O, H); flat where there is but one."""
    del season
    rows = _checked(target, origins, horizon)
    known = np.isfinite(target)
    places = np.where(known, np.arange(target.shape[1]), -1)
    last_place = np.maximum.accumulate(places, axis=1)[:, rows]
    first_place = np.where(known.any(axis=1), known.argmax(axis=1), 0)
    first = np.take_along_axis(target, first_place[:, None], axis=1)
    last = np.where(last_place >= 0, np.take_along_axis(target, np.maximum(last_place, 0), axis=1), np.nan)
    steps = last_place - first_place[:, None]
    slope = np.where(steps > 0, (last - first) / np.maximum(steps, 1), 0.0)
    # The line goes on from the row of the last value, which may lie before the origin.
    ahead = (rows[None, :] - last_place)[:, :, None] + np.arange(1, horizon + 1)
    result: FloatArray = last[:, :, None] + slope[:, :, None] * ahead
    return result


def historical_mean(target: FloatArray, origins: IntArray, horizon: int, season: int = 1) -> FloatArray:
    """Mean of all that was observed up to the origin, (S, O, H)."""
    del season
    rows = _checked(target, origins, horizon)
    known = np.isfinite(target)
    total = np.cumsum(np.where(known, target, 0.0), axis=1)[:, rows]
    count = np.cumsum(known, axis=1)[:, rows]
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return np.repeat(mean[:, :, None], horizon, axis=2)


def zero(target: FloatArray, origins: IntArray, horizon: int, season: int = 1) -> FloatArray:
    """Forecast nothing, (S, O, H): the row that forecasts of returns have to beat."""
    del season
    return np.zeros((len(target), len(_checked(target, origins, horizon)), horizon))


RULES: Mapping[str, Rule] = MappingProxyType(
    {"last value": repeat_last, "seasonal": seasonal, "drift": drift, "mean": historical_mean, "zero": zero}
)
"""Every naive rule by the name it has in tables."""


def filled_forward(target: FloatArray) -> FloatArray:
    """Series (..., T) with each missing value replaced by the last one observed; NaN before the first."""
    rows = np.where(np.isfinite(target), np.arange(target.shape[-1]), -1)
    latest = np.maximum.accumulate(rows, axis=-1)
    known = np.take_along_axis(target, np.maximum(latest, 0), axis=-1)
    result: FloatArray = np.where(latest >= 0, known, np.nan)
    return result


def _checked(target: FloatArray, origins: IntArray, horizon: int) -> IntArray:
    if horizon < 1:
        raise NeuralError(f"horizon={horizon} is no horizon. Use at least 1.")
    rows = np.asarray(origins, dtype=np.int64)
    if len(rows) and not (int(rows.min()) >= 0 and int(rows.max()) < target.shape[1]):
        raise NeuralError(
            f"Origins from {rows.min()} to {rows.max()} do not lie in {target.shape[1]} rows. Give rows of the target."
        )
    return rows


def truth_at(target: FloatArray, origins: IntArray, horizon: int) -> FloatArray:
    """What came after each origin, (S, O, H); NaN where missing or beyond the last row."""
    places = _checked(target, origins, horizon)[:, None] + np.arange(1, horizon + 1)
    inside = places < target.shape[1]
    result: FloatArray = np.where(inside, target[:, np.minimum(places, target.shape[1] - 1)], np.nan)
    return result
