"""The loss breaker: which losses have reached their limit, as a fold over events.

Two rules. `daily_loss`: equity against the start of the UTC day; it clears when the next day begins, or only by hand.
`drawdown`: equity against the highest equity seen; it clears only by hand: by a reset with a name and a reason, which
counts losses anew from the equity of that moment. State comes from the journal, so a restart clears nothing, and a
breaker may trip as often as losses do.

    CLOSED -- a loss reaches its limit --> OPEN: nothing passes, working orders are cancelled
    OPEN -- no order works any more --> HALF_OPEN: only orders that reduce a position pass
    HALF_OPEN -- reset by hand (daily loss: or the next day) --> CLOSED
"""

from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

from nt_ray.risk.limits import RiskLimits

DAILY_LOSS: Final = "daily_loss"
DRAWDOWN: Final = "drawdown"
ZERO: Final = Decimal(0)


class BreakerState(StrEnum):
    """State of the breaker."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


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
    half_open: bool = False

    @property
    def state(self) -> BreakerState:
        """State that follows from the trips."""
        if not self.tripped:
            return BreakerState.CLOSED
        return BreakerState.HALF_OPEN if self.half_open else BreakerState.OPEN

    def begin_day(self, time: datetime, equity: Decimal, *, by_hand: bool = False) -> "Breaker":
        """Roll to the day of `time`, where it is a new one; `equity` is the last of the day before.

        `by_hand` keeps a daily loss tripped until a person resets it.
        """
        day = time.date()
        if self.day is not None and day <= self.day:
            return self
        tripped = self.tripped if by_hand else self.tripped - {DAILY_LOSS}
        return replace(
            self, day=day, day_start_equity=equity, tripped=tripped, half_open=self.half_open and bool(tripped)
        )

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
        """Record that a rule has tripped: the breaker opens."""
        return replace(self, tripped=self.tripped | {rule}, half_open=False)

    def halve(self) -> "Breaker":
        """Record that no order works any more: reductions may pass."""
        return replace(self, half_open=bool(self.tripped))

    def reset(self, equity: Decimal) -> "Breaker":
        """Clear every trip; count losses from this equity on."""
        return replace(self, day_start_equity=equity, high_water=equity, tripped=frozenset(), half_open=False)

    def new_trips(self, equity: Decimal, limits: RiskLimits) -> list[Trip]:
        """Losses that have reached their limit and have not tripped yet."""
        measured = (
            (DAILY_LOSS, limits.exact("max_daily_loss"), _loss(equity, self.day_start_equity)),
            (DRAWDOWN, limits.exact("max_drawdown"), _loss(equity, self.high_water)),
        )
        return [Trip(r, limit, value) for r, limit, value in measured if value >= limit and r not in self.tripped]


def _loss(equity: Decimal, reference: Decimal) -> Decimal:
    return 1 - equity / reference if reference > 0 else ZERO
