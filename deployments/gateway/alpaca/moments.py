"""Times and days as the queries of Alpaca's routes give them; what lies out of a calendar's reach is refused."""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Final, TypeAlias

from pydantic import AfterValidator, Field

FIRST_DAY: Final = date(1990, 1, 1)
LAST_DAY: Final = date(2099, 12, 31)
_FIRST: Final = datetime(1900, 1, 1, tzinfo=UTC)
_LAST: Final = datetime(2999, 12, 31, tzinfo=UTC)


def _in_utc(time: datetime) -> datetime:
    try:
        found = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except OverflowError:
        found = None
    if found is None or not _FIRST <= found <= _LAST:
        raise ValueError(f"must be a time from {_FIRST.year} to {_LAST.year}")
    return found


Moment: TypeAlias = Annotated[datetime, AfterValidator(_in_utc)]
Day: TypeAlias = Annotated[date, Field(ge=FIRST_DAY, le=LAST_DAY)]


def end_of(day: date) -> datetime:
    """Midnight after a day, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
