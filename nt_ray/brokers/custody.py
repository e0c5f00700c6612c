"""What a venue keeps for an account apart from its orders: what it holds, and what was booked without one.

`Custodian` is for venues that keep such books. What is told here is a fact with an id of the venue's, so that whoever
books it does so once.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Holding:
    """A signed quantity, what a unit of it has cost on average, and what one is worth now."""

    symbol: str
    quantity: Decimal
    entry: Decimal
    price: Decimal


class ActivityKind(StrEnum):
    """What an activity does to the books."""

    DIVIDEND = "dividend"
    FEE = "fee"
    INTEREST = "interest"
    CASH = "cash"
    """Money that was paid in or out."""
    UNITS = "units"
    """Units that were brought in or taken away."""
    SPLIT = "split"


@dataclass(frozen=True, slots=True)
class VenueActivity:
    """Something that the venue booked without an order: signed money, and a signed change of quantity."""

    activity_id: str
    kind: ActivityKind
    amount: Decimal
    symbol: str = ""
    quantity: Decimal = Decimal(0)
    price: Decimal | None = None


class Custodian(Protocol):
    """A venue that says what it holds for an account and what it books to it."""

    def holdings(self) -> list[Holding]:
        """All positions that are not flat."""
        ...

    def activities(self, since: datetime) -> list[VenueActivity]:
        """What was booked without an order, on the day of `since` or later, oldest first."""
        ...
