"""The history of an account's equity in Alpaca's shape.

A value stands at the beginning of its span of time and is the equity at that span's end, also where that is after the
end that was asked for. Profit and loss leaves out what was paid in or out since the base: the equity before the first
value, or the first value itself where the account began later. Of intraday values those outside the session are left
out, as asked for.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, Literal, TypeAlias

from deployments.gateway.alpaca.refusals import InvalidError
from nt_ray.market import nyse
from nt_ray.trader.live_readings import EquityCurve
from nt_ray.trader.worth import Sample

Hours: TypeAlias = Literal["market_hours", "extended_hours", "continuous"]

_PLACES: Final = 8
_UNITS: Final = {"D": 1, "W": 7, "M": 30, "A": 365}
_MINUTES: Final = {"1Min": 1, "5Min": 5, "15Min": 15, "1H": 60}
_BY_DAY: Final = "1D"
_SHORT: Final = timedelta(days=7)
_INTRADAY: Final = timedelta(days=30)
_LONGEST: Final = timedelta(days=36_500)
_EARLY, _LATE = 4, 20


@dataclass(frozen=True, slots=True)
class Span:
    """Which values are asked for."""

    start: datetime
    end: datetime
    timeframe: str

    @property
    def by_day(self) -> bool:
        """Whether a value is a day's."""
        return self.timeframe == _BY_DAY

    @property
    def step(self) -> timedelta:
        """Length of the time that a value stands for."""
        return timedelta(days=1) if self.by_day else timedelta(minutes=_MINUTES[self.timeframe])

    @property
    def until(self) -> datetime:
        """End of the day, or of the minute, in which the end lies: before it happened all that is in the last value."""
        minute = self.end.replace(second=0, microsecond=0)
        return minute.replace(hour=0, minute=0) + timedelta(days=1) if self.by_day else minute + timedelta(minutes=1)

    @classmethod
    def of(cls, period: str | None, timeframe: str | None, start: datetime | None, end: datetime) -> "Span":
        """Read what a request says; a month where it says nothing."""
        if period is not None and start is not None:
            raise InvalidError("period and start exclude each other")
        length = timedelta(days=int(period[:-1]) * _UNITS[period[-1]]) if period else timedelta(days=_UNITS["M"])
        length = min(length, _LONGEST, end - datetime(1970, 1, 2, tzinfo=UTC))
        begins = start or end - length
        if begins > end:
            raise InvalidError("start is after end")
        span = end - begins
        chosen = timeframe or ("1Min" if span < _SHORT else "15Min" if span < _INTRADAY else _BY_DAY)
        return cls(begins, end, chosen)


def written(
    curve: EquityCurve, span: Span, hours: Hours, *, resets: bool, flows: Mapping[str, Sequence[Sample]] | None = None
) -> dict[str, Any]:
    """Write the history; `resets`: intraday profit and loss counts from the last value of the day before.

    `flows`: by kind of activity, the money that moved; it is summed in the value during whose span it did. Both the
    curve and they reach to the span's `until`.
    """
    noted = [sample for sample in curve.samples if sample[0] < span.until]
    samples = noted if span.by_day else _grouped(noted, span.timeframe, hours)
    base = curve.before if curve.before is not None else (samples[0][1] if samples else None)
    gains = _gains(samples, base, curve, span, resets=resets and not span.by_day)
    return {
        "timestamp": [int(time.timestamp()) for time, _ in samples],
        "equity": [float(equity) for _, equity in samples],
        "profit_loss": [float(gain) for gain, _ in gains],
        "profit_loss_pct": [round(float(gain / of), _PLACES) if of else None for gain, of in gains],
        "base_value": None if base is None else float(base),
        "timeframe": span.timeframe,
        "cashflow": {kind: _summed(moved, samples, span.until) for kind, moved in (flows or {}).items()},
    }


def _summed(moved: Sequence[Sample], samples: Sequence[Sample], until: datetime) -> list[float]:
    """Money that moved from the beginning of each value to that of the next; after the last one before `until`."""
    begins = [time for time, _ in samples]
    sums = [Decimal(0)] * len(begins)
    for time, amount in moved:
        place = bisect_right(begins, time) - 1
        if place >= 0 and time < until:
            sums[place] += amount
    return [float(amount) for amount in sums]


def _grouped(samples: Sequence[Sample], timeframe: str, hours: Hours) -> list[Sample]:
    """Last value of each span of minutes, in the hours asked for."""
    minutes = _MINUTES[timeframe]
    found: dict[datetime, Decimal] = {}
    for time, equity in samples:
        if _is_within(time, hours):
            past = (time.hour * 60 + time.minute) % minutes
            found[time - timedelta(minutes=past)] = equity
    return list(found.items())


def _gains(
    samples: list[Sample], base: Decimal | None, curve: EquityCurve, span: Span, *, resets: bool
) -> list[tuple[Decimal, Decimal]]:
    """Profit and loss at each value, and what it is a share of."""
    if base is None:
        return []
    # A value holds what was paid in before its span ended; the first one does, where it is the base itself.
    held_by = samples[0][0] + span.step if samples and curve.before is None else datetime.min.replace(tzinfo=UTC)
    deposits = deque(item for item in curve.paid_in if held_by <= item[0] < span.until)
    found = []
    origin, day, last, paid = base, None, base, Decimal(0)
    for time, equity in samples:
        today = time.astimezone(nyse.NEW_YORK).date()
        if resets and day is not None and today != day:
            origin, paid = last, Decimal(0)
        while deposits and deposits[0][0] < time + span.step:
            paid += deposits.popleft()[1]
        found.append((equity - origin - paid, origin))
        day, last = today, equity
    return found


def _is_within(time: datetime, hours: Hours) -> bool:
    if hours == "continuous":
        return True
    local = time.astimezone(nyse.NEW_YORK)
    session = nyse.session(local.date())
    if session is None:
        return False
    if hours == "extended_hours":
        return _EARLY <= local.hour < _LATE
    return session.start <= time < session.end
