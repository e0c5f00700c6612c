"""A market of a betting exchange: its outcomes, the odds to back and lay them, and its commission."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from nt_ray.errors import RiskError
from nt_ray.risk.kelly.chances import check_commission, check_distribution, check_odds
from nt_ray.types import FloatArray


class Offer(NamedTuple):
    """A bet on offer: +1 backs, -1 lays the outcome at decimal odds."""

    sign: int
    outcome: int
    odds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """One event on an exchange: exactly one of its outcomes comes. None in the odds: nothing is offered there."""

    probabilities: tuple[float, ...]
    back: tuple[float | None, ...]
    """Best decimal odds at which each outcome can be backed."""
    lay: tuple[float | None, ...] = ()
    """Best decimal odds at which each outcome can be laid; empty: none can."""
    commission: float = 0.0
    """Share of the market's net winnings that the exchange keeps."""
    most: float = 1.0
    """Largest liability of any one bet, as a fraction of wealth."""
    name: str = ""

    def __post_init__(self) -> None:
        count = len(self.probabilities)
        check_commission(self.commission)
        if not 0.0 < self.most < np.inf:
            raise RiskError(f"Market {self.name!r} has most={self.most}. Give a positive share of wealth.")
        if not (check_distribution(self.probabilities, count) > 0.0).all():
            raise RiskError(f"Market {self.name!r} has an outcome of probability 0. Leave it out, or give it a chance.")
        if len(self.back) != count or len(self.lay) not in (0, count):
            raise RiskError(
                f"Market {self.name!r} has {len(self.back)} back and {len(self.lay)} lay odds for {count} outcomes. "
                "Give one each, None where nothing is offered."
            )
        for odds in (*self.back, *self.lay):
            if odds is not None:
                check_odds(odds)

    def offers(self) -> tuple[Offer, ...]:
        """Return every bet on offer: the backs, then the lays."""
        backs = [Offer(1, at, odds) for at, odds in enumerate(self.back) if odds is not None]
        return (*backs, *(Offer(-1, at, odds) for at, odds in enumerate(self.lay) if odds is not None))

    def gains(self) -> FloatArray:
        """Net gain of a unit of stake before commission, (outcomes, offers)."""
        offers = self.offers()
        table = np.empty((len(self.probabilities), len(offers)))
        for column, offer in enumerate(offers):
            table[:, column] = -offer.sign
            table[offer.outcome, column] = offer.sign * (offer.odds - 1.0)
        return table

    def largest(self) -> FloatArray:
        """Largest stake on each offer."""
        return np.array([self.most / (1.0 if offer.sign > 0 else offer.odds - 1.0) for offer in self.offers()])

    def kept(self, winnings: FloatArray) -> FloatArray:
        """Return what net winnings leave after commission."""
        return winnings - self.commission * np.maximum(winnings, 0.0)


def effective_odds(odds: float, commission: float) -> float:
    """Decimal odds of a lone back bet after commission: 1 + (o - 1)(1 - c)."""
    return 1.0 + (check_odds(odds) - 1.0) * (1.0 - check_commission(commission))


def effective_lay_odds(odds: float, commission: float) -> float:
    """Decimal odds at which a lone lay backs the complement, per unit of liability: 1 + (1 - c) / (o - 1)."""
    return 1.0 + (1.0 - check_commission(commission)) / (check_odds(odds) - 1.0)
