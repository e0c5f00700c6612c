"""Trading days of the New York Stock Exchange by its own rules: holidays, closures that were decreed, early closes.

Rules are those in force from 1990 on (NYSE Rule 7.2 and its predecessors); closures of single days are listed as they
happened. Early closes follow the practice since 2013. Hours are those of the regular session, in New York's time.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

NEW_YORK: Final = ZoneInfo("America/New_York")
OPENS: Final = time(9, 30)
CLOSES: Final = time(16)
CLOSES_EARLY: Final = time(13)

_DAY: Final = timedelta(days=1)
_MON, _THU, _FRI, _SAT, _SUN = 0, 3, 4, 5, 6
_FIRST_KING_DAY: Final = 1998
_FIRST_JUNETEENTH: Final = 2022
_DECREED: Final = frozenset(
    date.fromisoformat(day)
    for day in (
        "1994-04-27", "2001-09-11", "2001-09-12", "2001-09-13", "2001-09-14", "2004-06-11", "2007-01-02",
        "2012-10-29", "2012-10-30", "2018-12-05", "2025-01-09",
    )
)  # fmt: skip
"""Days of mourning, attack and storm."""


@dataclass(frozen=True, slots=True)
class Session:
    """Regular hours of one trading day: when it closes in New York, and its first moment and its end in UTC."""

    day: date
    closes: time
    start: datetime
    end: datetime


@lru_cache(maxsize=4096)
def session(day: date) -> Session | None:
    """Hours of a day; None where the exchange is closed."""
    if day.weekday() >= _SAT or day in _DECREED or day in _holidays(day.year):
        return None
    closes = CLOSES_EARLY if _is_short(day) else CLOSES
    start, end = (datetime.combine(day, at, NEW_YORK).astimezone(UTC) for at in (OPENS, closes))
    return Session(day, closes, start, end)


def sessions(first: date, last: date) -> list[Session]:
    """Trading days of a span, both ends included."""
    days = (first + _DAY * number for number in range((last - first).days + 1))
    return [found for day in days if (found := session(day)) is not None]


def next_open(now: datetime) -> datetime:
    """First opening after a time, in UTC."""
    return next(found.start for found in _from(now) if found.start > now)


def next_close(now: datetime) -> datetime:
    """First close after a time, in UTC."""
    return next(found.end for found in _from(now) if found.end > now)


def is_open(now: datetime) -> bool:
    """Whether the regular session is on."""
    found = session(now.astimezone(NEW_YORK).date())
    return found is not None and found.start <= now < found.end


def _from(now: datetime) -> Iterator[Session]:
    """Sessions from today on."""
    day = now.astimezone(NEW_YORK).date()
    while True:
        found = session(day)
        if found is not None:
            yield found
        day += _DAY


@lru_cache(maxsize=256)
def _holidays(year: int) -> frozenset[date]:
    found = {
        _nth(year, 2, _MON, 3),
        easter(year) - 2 * _DAY,
        _last_monday_of_may(year),
        _observed(date(year, 7, 4)),
        _nth(year, 9, _MON, 1),
        _nth(year, 11, _THU, 4),
        _observed(date(year, 12, 25)),
    }
    first = date(year, 1, 1)
    # On a Saturday it is not kept on the Friday before, which closes the books of the year.
    found.add(first + _DAY if first.weekday() == _SUN else first)
    if year >= _FIRST_KING_DAY:
        found.add(_nth(year, 1, _MON, 3))
    if year >= _FIRST_JUNETEENTH:
        found.add(_observed(date(year, 6, 19)))
    return frozenset(found)


def easter(year: int) -> date:
    """Easter Sunday of the Gregorian calendar (anonymous algorithm, Nature 13, 1876)."""
    a, (b, c) = year % 19, divmod(year, 100)
    d, e = divmod(b, 4)
    g = (b - (b + 8) // 25 + 1) // 3
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    m = (32 + 2 * e + 2 * i - h - k) % 7
    n = (a + 11 * h + 22 * m) // 451
    month, day = divmod(h + m - 7 * n + 114, 31)
    return date(year, month, day + 1)


def _observed(day: date) -> date:
    """Friday for a Saturday, Monday for a Sunday."""
    return day - _DAY if day.weekday() == _SAT else day + _DAY if day.weekday() == _SUN else day


def _nth(year: int, month: int, weekday: int, n: int) -> date:
    first = date(year, month, 1)
    return first + _DAY * ((weekday - first.weekday()) % 7 + 7 * (n - 1))


def _last_monday_of_may(year: int) -> date:
    last = date(year, 5, 31)
    return last - _DAY * last.weekday()


def _is_short(day: date) -> bool:
    """The eve of Independence Day and of Christmas, from Monday to Thursday, and the day after Thanksgiving."""
    if (day.month, day.day) in ((7, 3), (12, 24)):
        return day.weekday() < _FRI
    return day == _nth(day.year, 11, _THU, 4) + _DAY
