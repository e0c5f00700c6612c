"""Mutually exclusive outcomes of one event: the log-optimal stakes in closed form.

Smoczynski and Tomkins (2010), An explicit solution to the problem of optimizing the allocations of a bettor's wealth
when wagering on horse races. Outcomes enter from the largest expected return p*o down while p*o exceeds the reserve
rate R = (1 - sum of p) / (1 - sum of 1/o) of those already in; each then gets p - R/o. An outcome without edge of its
own may so enter as a hedge, and a single one gets Kelly's stake.
"""

from collections.abc import Sequence

import numpy as np

from nt_ray.errors import RiskError
from nt_ray.risk.kelly.answer import KellyAnswer
from nt_ray.risk.kelly.chances import SUM_TOLERANCE, check_odds, check_probability
from nt_ray.risk.kelly.ruin import fall_bound
from nt_ray.types import FloatArray


def exclusive_outcomes(probabilities: Sequence[float], odds: Sequence[float]) -> KellyAnswer:
    """Stakes of the fastest growth on outcomes of which at most one comes.

    Parameters
    ----------
    probabilities
        (N,) of the outcomes on offer; what is missing to one is the chance that none of them comes.
    odds
        (N,) decimal odds above 1.
    """
    chances, prices = _checked(probabilities, odds)
    entered, reserve = _enter(chances, prices)
    stakes = np.where(entered, np.maximum(chances - reserve / prices, 0.0), 0.0)
    wealth = np.append(1.0 - stakes.sum() + stakes * prices, 1.0 - stakes.sum())
    weights = np.append(chances, max(0.0, 1.0 - float(chances.sum())))
    likely = weights > SUM_TOLERANCE
    # Where none of the outcomes is left out, all wealth may be staked and the last state cannot come.
    wealth, weights = wealth[likely], weights[likely] / weights[likely].sum()
    return KellyAnswer(
        fractions=stakes,
        growth=float(weights @ np.log(wealth)),
        halving=fall_bound(wealth, weights),
        method="closed_form",
        residual=0.0,
        notes=(f"reserve rate {reserve:.12g}; at most one outcome comes",),
    )


def _enter(chances: FloatArray, prices: FloatArray) -> tuple[np.ndarray, float]:
    """Return which outcomes are staked, and the reserve rate."""
    entered = np.zeros(chances.size, dtype=np.bool_)
    left, cover, reserve = 1.0, 1.0, 1.0
    for place in np.argsort(-chances * prices, kind="stable"):
        if not chances[place] * prices[place] > reserve:
            break
        entered[place] = True
        left, cover = left - chances[place], cover - 1.0 / prices[place]
        reserve = max(left, 0.0) / cover if left > SUM_TOLERANCE else 0.0
    return entered, reserve


def _checked(probabilities: Sequence[float], odds: Sequence[float]) -> tuple[FloatArray, FloatArray]:
    if len(probabilities) != len(odds) or not len(odds):
        raise RiskError(f"There are {len(probabilities)} probabilities for {len(odds)} odds. Give one each.")
    chances = np.array([check_probability(value) for value in probabilities])
    prices = np.array([check_odds(value) for value in odds])
    if chances.sum() > 1.0 + SUM_TOLERANCE:
        raise RiskError(f"Probabilities of exclusive outcomes sum to {chances.sum():.12g}. Scale them to at most 1.")
    return chances, prices
