"""How far wealth falls: the drawdown laws of wealth that is multiplied by independent factors again and again.

Two laws. For diffusions staked at the fraction c of the Kelly stakes, P(ever fall to x) = x^(2/c - 1): Thorp (2006).
For factors w with any distribution, P(ever fall to x) <= x^lambda where E[w^-lambda] = 1 and lambda > 0, by the
martingale w^-lambda: Busseti, Ryu and Boyd (2016); for the Kelly optimum itself lambda = 1.
"""

import math

import numpy as np
from scipy.optimize import brentq
from scipy.special import logsumexp

from nt_ray.errors import RiskError
from nt_ray.types import FloatArray


def fall_probability(share: float, level: float) -> float:
    """Probability that a diffusion staked at a share of Kelly ever falls to `level` of its start.

    Parameters
    ----------
    share
        Positive share c of the full Kelly stakes; 2 and more have no growth and fall surely.
    level
        In (0, 1].
    """
    _check_level(level)
    if not share > 0.0:
        raise RiskError(f"Share {share} of Kelly is not positive. Give a share such as 0.5.")
    return 1.0 if share >= 2.0 else float(level ** (2.0 / share - 1.0))


def largest_share(level: float, probability: float) -> float:
    """Largest share of Kelly under which a diffusion falls to `level` with at most this probability.

    The inverse of `fall_probability`: c = 2 / (1 + ln(probability) / ln(level)).
    """
    exponent = risk_aversion(level, probability)
    return 2.0 / (1.0 + exponent)


def risk_aversion(level: float, probability: float) -> float:
    """Exponent lambda = ln(probability) / ln(level) by which P(ever fall below level) < probability is imposed."""
    for name, value in (("Level", level), ("Probability", probability)):
        if not 0.0 < value < 1.0:
            raise RiskError(f"{name} {value} does not lie between 0 and 1. Give, say, level 0.7, probability 0.1.")
    return math.log(probability) / math.log(level)


def growth_share(share: float) -> float:
    """Share of the full Kelly growth (over the riskless rate) that a share c of the stakes keeps: c(2 - c)."""
    return share * (2.0 - share)


def decay_exponent(wealth: FloatArray, probabilities: FloatArray) -> float:
    """Positive root lambda of E[w^-lambda] = 1; 0 where wealth does not grow, infinite where it cannot fall.

    Parameters
    ----------
    wealth
        (S,) positive factors by which wealth is multiplied in a period.
    probabilities
        (S,) their probabilities.
    """
    likely = probabilities > 0.0
    logs, chances = np.log(wealth[likely]), probabilities[likely]
    if logs.min() >= 0.0:
        # Standing still for ever is no fall either.
        return math.inf
    if float(chances @ logs) <= 0.0:
        return 0.0
    high = 1.0
    while _log_moment(high, logs, chances) < 0.0:
        high *= 2.0
    low = high
    while _log_moment(low, logs, chances) >= 0.0 and low > 1e-12:
        low /= 2.0
    if low <= 1e-12:
        return 0.0
    return float(brentq(_log_moment, low, high, args=(logs, chances), xtol=1e-14, rtol=1e-13))


def fall_bound(wealth: FloatArray, probabilities: FloatArray, level: float = 0.5) -> float:
    """Return an upper bound of the probability that wealth ever falls to `level` of its start: level^lambda."""
    _check_level(level)
    exponent = decay_exponent(wealth, probabilities)
    return 0.0 if math.isinf(exponent) else float(level**exponent)


def _log_moment(exponent: float, logs: FloatArray, chances: FloatArray) -> float:
    return float(logsumexp(-exponent * logs, b=chances))


def _check_level(level: float) -> None:
    if not 0.0 < level <= 1.0:
        raise RiskError(f"Level {level} does not lie in (0, 1]. Give what is left of wealth, such as 0.5.")
