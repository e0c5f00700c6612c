"""Linking: factors by which effects of single periods add up to a return that compounds."""

import math
from typing import Literal, TypeAlias, get_args

import numpy as np

from nt_ray.errors import RiskError
from nt_ray.types import FloatArray

Linking: TypeAlias = Literal["carino", "menchero"]


def compound(returns: FloatArray) -> float:
    """Return the compounded return of simple returns (T,)."""
    return float(np.expm1(np.log1p(_above_ruin(returns)).sum()))


def active_factors(portfolio: FloatArray, benchmark: FloatArray, linking: Linking = "carino") -> FloatArray:
    """Return factors (T,) with sum(factors * (portfolio - benchmark)) equal to the compounded active return.

    Carino weighs a period by its logarithmic means; Menchero starts from equal factors and changes them as little as
    possible. Returns are simple, (T,), above -1; a benchmark of zeros links whole returns.
    """
    if linking not in get_args(Linking):
        raise RiskError(f"Unknown linking {linking!r}. Known: {', '.join(get_args(Linking))}.")
    _above_ruin(portfolio)
    _above_ruin(benchmark)
    if linking == "carino":
        whole = _log_ratio(np.array([compound(portfolio)]), np.array([compound(benchmark)]))[0]
        return np.asarray(_log_ratio(portfolio, benchmark) / whole)
    return _menchero(portfolio, benchmark)


def _log_ratio(high: FloatArray, low: FloatArray) -> FloatArray:
    """(ln(1 + high) - ln(1 + low)) / (high - low), and its limit where they meet."""
    relative = (high - low) / (1.0 + low)
    small = np.abs(relative) < 1e-12
    safe = np.where(small, 1.0, relative)
    return np.asarray(np.where(small, 1.0, np.log1p(safe) / safe) / (1.0 + low))


def _menchero(portfolio: FloatArray, benchmark: FloatArray) -> FloatArray:
    periods = portfolio.size
    high, low = compound(portfolio), compound(benchmark)
    roots = [math.expm1(math.log1p(value) / periods) for value in (high, low)]
    # The mean period's active return against the whole one; its limit is the derivative of the root.
    apart = roots[0] - roots[1]
    natural = (1.0 + low) ** ((periods - 1) / periods) if abs(apart) < 1e-14 else (high - low) / (periods * apart)
    active = portfolio - benchmark
    squares = float(active @ active)
    left = (high - low) - natural * float(active.sum())
    return np.asarray(natural + (left / squares) * active) if squares > 0.0 else np.full(periods, natural)


def _above_ruin(returns: FloatArray) -> FloatArray:
    if (returns <= -1.0).any():
        at = int(np.argmin(returns))
        raise RiskError(f"The return of period {at} is {returns[at]:g}, a total loss. End the periods before it.")
    return returns
