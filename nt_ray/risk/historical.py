"""Historical value at risk and expected shortfall: what past returns alone say about the tail.

One convention throughout. Losses are minus returns, sorted from the largest: L(1) >= L(2) >= ... With n
losses and confidence a the tail holds (1-a)n of them and k = ceil((1-a)n). VaR is the order statistic L(k),
never interpolated; expected shortfall weighs L(k) with the fraction of it that belongs to the tail, which
makes it coherent. Both are losses as positive numbers, and negative where even the tail gains. Where losses carry
weights that sum to 1, k is the first loss at which the weights of L(1) to L(k) reach 1-a.
"""

import numpy as np

from nt_ray.errors import RiskError
from nt_ray.portfolio.tail_count import tail_size
from nt_ray.types import FloatArray

_ROUNDING = 1e-9
"""Slack in adding up weights."""


def historical_var(returns: FloatArray, confidence: float) -> float:
    """Value at risk of one period, as a fraction lost.

    Parameters
    ----------
    returns
        (n,) simple returns, n >= 1; NaN and infinity are errors.
    confidence
        Between 0 and 1, such as 0.95.
    """
    return tail_of(returns, confidence)[0]


def historical_es(returns: FloatArray, confidence: float) -> float:
    """Expected shortfall of one period: the mean loss in the tail, as a fraction.

    Parameters
    ----------
    returns
        (n,) simple returns, n >= 1; NaN and infinity are errors.
    confidence
        Between 0 and 1, such as 0.95.

    Notes
    -----
    ES = (sum of L(i) for i < k + ((1-a)n - (k-1)) L(k)) / ((1-a)n); Acerbi and Tasche (2002).
    """
    return tail_of(returns, confidence)[1]


def tail_of(returns: FloatArray, confidence: float) -> tuple[float, float]:
    """Value at risk and expected shortfall of (n,) finite returns, for the price of one selection."""
    returns = _checked(returns, confidence)
    tail, k = tail_size(returns.size, confidence)
    losses = -np.sort(np.partition(returns, k - 1)[:k])
    # Differences from L(k) keep ES at or above VaR to the last bit.
    excess = float(np.sum(losses[: k - 1] - losses[k - 1]))
    return float(losses[k - 1]), float(losses[k - 1]) + excess / tail


def weighted_tail(returns: FloatArray, weights: FloatArray, confidence: float) -> tuple[float, float]:
    """Value at risk and expected shortfall of (n,) finite returns, of which each counts with its own weight.

    Parameters
    ----------
    returns
        (n,) simple returns; NaN and infinity are errors.
    weights
        (n,) weights, not negative, that sum to 1.
    confidence
        Between 0 and 1, such as 0.95.

    Notes
    -----
    ES = (sum of w(i) L(i) for i < k + (1-a - W(k-1)) L(k)) / (1-a), W the running sum of weights.
    """
    returns = _checked(returns, confidence)
    weights = np.asarray(weights, dtype=np.float64)
    if weights.shape != returns.shape or not np.all(weights >= 0.0) or abs(float(weights.sum()) - 1.0) > _ROUNDING:
        raise RiskError(f"{weights.shape} weights do not weigh {returns.shape} returns. Give one each, summing to 1.")
    order = np.argsort(returns, kind="stable")
    losses, reached = -returns[order], np.cumsum(weights[order])
    tail = 1.0 - confidence
    k = int(np.searchsorted(reached, tail - _ROUNDING))
    excess = float(np.sum(weights[order[:k]] * (losses[:k] - losses[k])))
    return float(losses[k]), float(losses[k]) + excess / tail


def _checked(returns: FloatArray, confidence: float) -> FloatArray:
    if not 0.0 < confidence < 1.0:
        raise RiskError(f"Confidence {confidence} is not between 0 and 1. Use a value such as 0.95.")
    returns = np.asarray(returns, dtype=np.float64)
    if returns.ndim != 1 or returns.size == 0:
        raise RiskError(f"Returns have shape {returns.shape}. Give one series with at least one return.")
    if not np.isfinite(returns).all():
        at = int(np.argmin(np.isfinite(returns)))
        raise RiskError(f"Return {at} is {returns[at]}. Remove returns that are not finite.")
    return returns
