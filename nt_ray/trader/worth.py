"""What an account was worth: equity at the end of each minute of the last weeks, and of each day since it began.

Bounded: minutes beyond the newest are dropped, days are one value each. Amounts are in the account's currency, times in
UTC. It knows nothing of orders.
"""

from collections import deque
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

MINUTES: Final = 50_000
"""Minutes that are kept: five weeks of a market that never closes."""

Sample = tuple[datetime, Decimal]


class Worth:
    """Equity over time."""

    def __init__(self, minutes: int = MINUTES) -> None:
        self._minutes: deque[Sample] = deque(maxlen=minutes)
        self._days: list[Sample] = []
        self._deposits: list[Sample] = []
        self._equity = Decimal(0)

    def note(self, time: datetime, equity: Decimal) -> None:
        """Note the equity at a time; the last one of a minute, and of a day, stays."""
        self._equity = equity
        for samples, start in ((self._minutes, _minute(time)), (self._days, _day(time))):
            if samples and samples[-1][0] == start:
                samples[-1] = (start, equity)
            else:
                samples.append((start, equity))

    def deposited(self, time: datetime, equity: Decimal) -> None:
        """Note that capital came in or went out, which left this equity."""
        self._deposits.append((time, equity - self._equity))
        self.note(time, equity)

    def minutes(self, start: datetime, end: datetime) -> list[Sample]:
        """Equity by minute, of minutes that began in [start, end]."""
        return [sample for sample in self._minutes if start <= sample[0] <= end]

    def days(self, start: datetime, end: datetime) -> list[Sample]:
        """Equity by day (UTC), of days that began in [start, end]."""
        return [sample for sample in self._days if start <= sample[0] <= end]

    def before(self, time: datetime) -> Sample | None:
        """Equity at the end of the last minute before a time, or of the last day, and that end; None without either."""
        for samples, span in ((self._minutes, timedelta(minutes=1)), (self._days, timedelta(days=1))):
            found = [(at + span, equity) for at, equity in samples if at + span <= time]
            if found:
                return found[-1]
        return None

    def paid_in(self, start: datetime, end: datetime) -> list[Sample]:
        """Deposits (negative: withdrawals) made in [start, end]."""
        return [sample for sample in self._deposits if start <= sample[0] <= end]


def _minute(time: datetime) -> datetime:
    return time.replace(second=0, microsecond=0)


def _day(time: datetime) -> datetime:
    return _minute(time).replace(hour=0, minute=0)
