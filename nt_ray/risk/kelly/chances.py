"""Checks of what bets are made of: decimal odds, probabilities, commissions."""

import numpy as np
import numpy.typing as npt

from nt_ray.errors import RiskError
from nt_ray.types import FloatArray

SUM_TOLERANCE = 1e-9


def check_odds(odds: float) -> float:
    """Return decimal odds that pay more than the stake."""
    if not (1.0 < odds < np.inf):
        raise RiskError(f"Decimal odds {odds} pay no more than the stake. Give odds above 1, such as 2.10.")
    return float(odds)


def check_probability(probability: float, what: str = "Probability") -> float:
    """Return a probability in [0, 1]."""
    if not 0.0 <= probability <= 1.0:
        raise RiskError(f"{what} {probability} does not lie between 0 and 1. Give a share such as 0.55.")
    return float(probability)


def check_commission(commission: float) -> float:
    """Return a commission in [0, 1) of net winnings."""
    if not 0.0 <= commission < 1.0:
        raise RiskError(f"Commission {commission} does not lie in [0, 1). Give a share of winnings such as 0.05.")
    return float(commission)


def check_distribution(probabilities: npt.ArrayLike | None, outcomes: int) -> FloatArray:
    """Return probabilities (S,) that sum to one; None means equally likely."""
    if probabilities is None:
        return np.full(outcomes, 1.0 / outcomes)
    values = np.ascontiguousarray(probabilities, dtype=np.float64)
    if values.shape != (outcomes,):
        raise RiskError(f"Probabilities have shape {values.shape} for {outcomes} outcomes. Give one an outcome.")
    wrong = ~((values >= 0.0) & (values <= 1.0))
    if wrong.any():
        at = int(np.argmax(wrong))
        raise RiskError(f"Probability {at} is {values[at]}. Give shares between 0 and 1.")
    if abs(float(values.sum()) - 1.0) > SUM_TOLERANCE:
        raise RiskError(f"Probabilities sum to {values.sum():.12g}, not to 1. Scale them, or add the missing outcome.")
    return np.asarray(values / values.sum())
