"""Estimation error: an estimated edge is too large on average where it is acted upon, so it is shrunk before staking.

Chances shrink toward the market's; stakes shrink by how uncertain their edge is. Neither is a guess about luck: each
states the numbers it needs.
"""

import math

import numpy as np
import numpy.typing as npt

from nt_ray.errors import RiskError
from nt_ray.risk.kelly.chances import check_odds, check_probability
from nt_ray.types import FloatArray


def toward_market(own: npt.ArrayLike, market: npt.ArrayLike, trust: float) -> FloatArray:
    """Mix own probabilities with the market's: trust * own + (1 - trust) * market, of any one shape."""
    check_probability(trust, "Trust")
    mine, theirs = np.asarray(own, dtype=np.float64), np.asarray(market, dtype=np.float64)
    if mine.shape != theirs.shape:
        raise RiskError(f"Own probabilities have shape {mine.shape}, the market's {theirs.shape}. Give the same.")
    for values in (mine, theirs):
        if not ((values >= 0.0) & (values <= 1.0)).all():
            raise RiskError(f"Probabilities {values} do not all lie between 0 and 1. Give shares such as 0.55.")
    return np.asarray(trust * mine + (1.0 - trust) * theirs)


def trust_from_errors(own_error: float, market_error: float) -> float:
    """Trust in one's own estimate, by inverse variance, when both err independently with these standard errors."""
    if not (own_error >= 0.0 and market_error >= 0.0 and own_error + market_error > 0.0):
        raise RiskError(
            f"Errors {own_error} and {market_error} cannot be weighed. Give errors of 0 or more, one positive."
        )
    return market_error**2 / (own_error**2 + market_error**2)


def posterior_probability(market: float, strength: float, wins: int, trials: int) -> float:
    """Probability after wins in trials, from a Beta prior around the market's with a strength in trials.

    (strength * market + wins) / (strength + trials). The growth of a stake is linear in the probability, so the stake
    that is best on average over the whole posterior is Kelly's at this mean.
    """
    check_probability(market, "Market probability")
    if not strength >= 0.0 or not 0 <= wins <= trials or strength + trials == 0:
        raise RiskError(
            f"{wins} wins in {trials} trials with prior strength {strength} give no posterior. "
            "Give 0 <= wins <= trials, and a strength or trials above 0."
        )
    return (strength * market + wins) / (strength + trials)


def shrink_factor(probability: float, odds: float, error: float) -> float:
    """Factor on the plug-in Kelly stakes that grows fastest when estimates err by this standard error; 0 without edge.

    e^2 / (e^2 + (o s)^2), e = o p - 1 the edge at the true probability and s the error: the second-order optimum of
    Baker and McHale (2013), Optimal betting under parameter uncertainty. It is one factor for all bets of a kind: the
    probability is what such bets truly have on average, not the one estimate at hand, whose edge is itself uncertain.
    """
    edge = check_odds(odds) * check_probability(probability) - 1.0
    if not 0.0 <= error < math.inf:
        raise RiskError(f"Standard error {error} of a probability is not 0 or more. Give one such as 0.02.")
    return 0.0 if edge <= 0.0 else edge**2 / (edge**2 + (odds * error) ** 2)
