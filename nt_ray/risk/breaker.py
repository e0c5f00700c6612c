"""The loss breaker: which losses have reached their limit, as a fold over events.

Two rules. `daily_loss`: equity against the start of the UTC day; it clears when the next day begins.
`drawdown`: equity against the highest equity seen; it never clears by itself, only by a reset with a name and
a reason. A reset counts losses anew from the equity of that moment. State comes from the journal, so a
restart clears nothing.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from nt_ray.risk.limits import RiskLimits

DAILY_LOSS: Final = "daily_loss"
DRAWDOWN: Final = "drawdown"
ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class Trip:
    """A loss (fraction) that has reached its limit."""

    rule: str
    limit: Decimal
    value: Decimal


@dataclass(frozen=True, slots=True)
class Breaker:
    """State of the breaker; every method gives a new one."""

    day: date | None = None
    day_start_equity: Decimal = ZERO
    high_water: Decimal = ZERO
    tripped: frozenset[str] = frozenset()

    def begin_day(self, time: datetime, equity: Decimal) -> "Breaker":
        """Roll to the day of `time`, where it is a new one; `equity` is the last of the day before."""
        day = time.date()
        if self.day is not None and day <= self.day:
            return self
        return replace(self, day=day, day_start_equity=equity, tripped=self.tripped - {DAILY_LOSS})

    def mark(self, equity: Decimal) -> "Breaker":
        """Take a new equity in."""
        return replace(self, high_water=equity) if equity > self.high_water else self

    def deposit(self, amount: Decimal) -> "Breaker":
        """Move the references by capital that came in, so that it is neither profit nor loss."""
        return replace(
            self,
            day_start_equity=self.day_start_equity + amount,
            high_water=self.high_water + amount,
        )

    def trip(self, rule: str) -> "Breaker":
        """Record that a rule has tripped."""
        return replace(self, tripped=self.tripped | {rule})

    def reset(self, equity: Decimal) -> "Breaker":
        """Clear every trip; count losses from this equity on."""
        return replace(self, day_start_equity=equity, high_water=equity, tripped=frozenset())

    def new_trips(self, equity: Decimal, limits: RiskLimits) -> list[Trip]:
        """Losses that have reached their limit and have not tripped yet."""
        measured = (
            (DAILY_LOSS, limits.exact("max_daily_loss"), _loss(equity, self.day_start_equity)),
            (DRAWDOWN, limits.exact("max_drawdown"), _loss(equity, self.high_water)),
        )
        return [Trip(r, limit, value) for r, limit, value in measured if value >= limit and r not in self.tripped]


def _loss(equity: Decimal, reference: Decimal) -> Decimal:
    return 1 - equity / reference if reference > 0 else ZERO
