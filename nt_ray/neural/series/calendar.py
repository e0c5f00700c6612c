"""Inputs that a time has by itself, and the times that are to come after the last one.

Calendar inputs are plain numbers of the time in UTC, known however far ahead. Coming times follow the spacing of those
there were, on weekdays and at times of the day at which there were rows in the last two weeks: nights and weekends
without trading are left out, holidays are not known.
"""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from nt_ray.types import FloatArray

Times = npt.NDArray[np.datetime64]

DAY: Final = np.timedelta64(86_400_000_000, "us")
SEEN: Final = 14 * DAY
MONTHLY: Final = {"1mo": 1, "1q": 3, "1y": 12}
"""Months of a step of the calendar."""
MONTHS: Final = 12
FURTHER: Final = 64
"""Candidates that are looked at one by one for each time that is wanted; what lies further off is found by the day."""


def _since(times: Times, unit: str, whole: str) -> npt.NDArray[np.int64]:
    """Units since the beginning of a larger one."""
    begun = times.astype(f"datetime64[{whole}]")
    found: npt.NDArray[np.int64] = (times.astype(f"datetime64[{unit}]") - begun).astype(np.int64)
    return found


CALENDAR: Final[Mapping[str, Callable[[Times], npt.NDArray[np.int64]]]] = {
    "minute": lambda times: _since(times, "m", "h"),
    "hour": lambda times: _since(times, "h", "D"),
    "weekday": lambda times: (times.astype("datetime64[D]").astype(np.int64) + 3) % 7,
    "day": lambda times: _since(times, "D", "M") + 1,
    "day_of_year": lambda times: _since(times, "D", "Y") + 1,
    "month": lambda times: _since(times, "M", "Y") + 1,
    "quarter": lambda times: _since(times, "M", "Y") // 3 + 1,
}
"""Calendar inputs by name; Monday is 0, the others as they are written."""


def calendar(times: Times, names: tuple[str, ...]) -> FloatArray:
    """Calendar inputs (T, F) of times (T,)."""
    return np.stack([CALENDAR[name](times) for name in names], axis=-1).astype(np.float64)


def times_after(times: Times, count: int, frequency: str) -> Times:
    """Next `count` times after the last of times (T,), T at least 2, that stand `frequency` apart."""
    last, steps = times[-1], np.arange(1, count * FURTHER + 1)
    if frequency in MONTHLY:
        months = last.astype("datetime64[M]") + np.arange(1, count + 1) * MONTHLY[frequency]
        lengths = (months + 1).astype("datetime64[D]") - months.astype("datetime64[D]")
        # A month ends on different days, so the latest of the last ones tells where in the month the rows stand.
        place = (times[-MONTHS:] - times[-MONTHS:].astype("datetime64[M]")).max()
        within = np.minimum(place, (lengths - 1) + (last - last.astype("datetime64[D]")))
        found: Times = months.astype("datetime64[us]") + within
        return found
    step = np.median(np.diff(times).astype(np.int64)).astype(np.int64).astype("timedelta64[us]")
    candidates = last + steps * step
    recent = times[times > last - SEEN]
    open_ = np.isin(CALENDAR["weekday"](candidates), CALENDAR["weekday"](recent))
    if step < DAY:
        open_ &= np.isin(_clock(candidates), _clock(recent))
    if int(open_.sum()) >= count:
        chosen: Times = candidates[open_][:count]
        return chosen
    # Short steps end within the night or the weekend; steps that no day has a whole number of meet no clock again.
    return _by_day(last, step, recent, count) if not (DAY % step).astype(np.int64) else candidates[:count]


def _by_day(last: Times, step: np.timedelta64, recent: Times, count: int) -> Times:
    """Next times in whole steps from the last one, at weekdays and times of the day of recent ones."""
    clocks, weekdays = np.unique(_clock(recent)), np.unique(CALENDAR["weekday"](recent))
    clocks = clocks[(clocks - _clock(last)) % step.astype(np.int64) == 0]
    weeks = count // (len(clocks) * len(weekdays)) + 2
    days: Times = last.astype("datetime64[D]") + np.arange(7 * weeks).astype("timedelta64[D]")
    days = days[np.isin(CALENDAR["weekday"](days), weekdays)]
    found = (days.astype("datetime64[us]")[:, None] + clocks.astype("timedelta64[us]")).ravel()
    after: Times = found[found > last][:count]
    return after


def _clock(times: Times) -> npt.NDArray[np.int64]:
    """Time of the day."""
    found: npt.NDArray[np.int64] = (times - times.astype("datetime64[D]")).astype(np.int64)
    return found
