"""Historical value at risk and expected shortfall: what past returns alone say about the tail.

One convention throughout. Losses are minus returns, sorted from the largest: L(1) >= L(2) >= ... With n
losses and confidence a the tail holds (1-a)n of them and k = ceil((1-a)n). VaR is the order statistic L(k),
never interpolated; expected shortfall weighs L(k) with the fraction of it that belongs to the tail, which
makes it coherent. Both are losses as positive numbers, and negative where even the tail gains.
"""

import math

import numpy as np

from nt_ray.errors import RiskError
from nt_ray.types import FloatArray

_ROUNDING = 1e-9
"""Slack in counting the tail: (1 - 0.95) * 100 is a hair above 5 in floating point."""


def historical_var(returns: FloatArray, confidence: float) -> float:
    """Value at risk of one period, as a fraction lost.

    Parameters
    ----------
    returns
        (n,) simple returns, n >= 1; NaN and infinity are errors.
    confidence
        Between 0 and 1, such as 0.95.
    """
    losses, tail = _tail(returns, confidence)
    return float(losses[_count(tail) - 1])


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
    losses, tail = _tail(returns, confidence)
    k = _count(tail)
    # Differences from L(k) keep ES at or above VaR to the last bit.
    excess = float(np.sum(losses[: k - 1] - losses[k - 1]))
    return float(losses[k - 1]) + excess / tail


def _count(tail: float) -> int:
    return max(1, math.ceil(tail - _ROUNDING))


def _tail(returns: FloatArray, confidence: float) -> tuple[FloatArray, float]:
    """Losses from the largest, and how many of them the tail holds."""
    if not 0.0 < confidence < 1.0:
        raise RiskError(f"Confidence {confidence} is not between 0 and 1. Use a value such as 0.95.")
    returns = np.asarray(returns, dtype=np.float64)
    if returns.ndim != 1 or returns.size == 0:
        raise RiskError(f"Returns have shape {returns.shape}. Give one series with at least one return.")
    if not np.isfinite(returns).all():
        at = int(np.argmin(np.isfinite(returns)))
        raise RiskError(f"Return {at} is {returns[at]}. Remove returns that are not finite.")
    return np.sort(-returns)[::-1], (1.0 - confidence) * returns.size
