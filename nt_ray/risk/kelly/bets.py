"""A bet: what a unit of stake gains in each outcome, and how likely each is.

Gains are net of the stake: decimal odds 2.5 gain 1.5 when they win and -1 when they lose; a push gains 0, half a
loss -0.5. No bet loses more than its stake.
"""

from dataclasses import dataclass

import numpy as np

from nt_ray.errors import RiskError
from nt_ray.risk.kelly.chances import check_distribution, check_odds, check_probability


@dataclass(frozen=True, slots=True)
class Bet:
    """Outcomes of one bet: net gains a unit of stake, and their probabilities, which sum to one."""

    gains: tuple[float, ...]
    probabilities: tuple[float, ...]
    name: str = ""

    def __post_init__(self) -> None:
        if not self.gains or not all(-1.0 <= gain < np.inf for gain in self.gains):
            raise RiskError(f"Bet {self.name!r} gains {self.gains}. Give at least one gain, none below -1.")
        check_distribution(self.probabilities, len(self.gains))

    @property
    def edge(self) -> float:
        """Expected net gain of a unit of stake."""
        return float(np.dot(self.gains, self.probabilities))


def win_or_lose(probability: float, odds: float, *, push: float = 0.0, name: str = "") -> Bet:
    """Bet at decimal odds that wins with a probability, is returned with probability `push`, and loses otherwise."""
    gain = check_odds(odds) - 1.0
    win, push = check_probability(probability), check_probability(push, "Probability of a push")
    if win + push > 1.0 + 1e-12:
        raise RiskError(f"A win of probability {win} and a push of {push} sum to more than 1. Lower one of them.")
    lose = max(0.0, 1.0 - win - push)
    if push == 0.0:
        return Bet((gain, -1.0), (win, lose), name)
    return Bet((gain, 0.0, -1.0), (win, push, lose), name)


def partial_wins(
    odds: float,
    *,
    win: float,
    half_win: float = 0.0,
    push: float = 0.0,
    half_loss: float = 0.0,
    name: str = "",
) -> Bet:
    """Bet on a quarter line, of which half the stake may win, be returned or lose; the rest of probability loses."""
    gain = check_odds(odds) - 1.0
    parts = (win, half_win, push, half_loss)
    for part in parts:
        check_probability(part)
    lose = 1.0 - sum(parts)
    if lose < -1e-12:
        raise RiskError(f"The outcomes {parts} sum to more than 1. Lower one of them.")
    return Bet((gain, gain / 2.0, 0.0, -0.5, -1.0), (*parts, max(0.0, lose)), name)
