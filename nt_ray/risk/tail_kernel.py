"""A neighbourhood of value at risk: what positions lose there on average, which is what each adds to it.

A quantile of scenarios rests on one of them alone, so its slopes are noise. A Gaussian kernel around it takes the mean
over its neighbours; all means are then scaled by one factor so that they sum to value at risk.

Source: Epperlein and Smillie (2006), Cracking VaR with kernels, Risk 19(8).
"""

import math
from typing import Final

import numpy as np

from nt_ray.errors import RiskError
from nt_ray.types import FloatArray, IntArray

_REACH: Final = 9.0
"""Widths beyond which a scenario weighs less than rounding."""


def near(losses: FloatArray, var: float, bandwidth: float | None = None) -> tuple[IntArray, FloatArray, float]:
    """Return the places of the scenarios near `var`, their weights, which sum to 1, and the width of the kernel.

    Parameters
    ----------
    losses
        (T,) losses of the portfolio, finite.
    bandwidth
        Width in units of loss; 1.06 s T^(-1/5) if not given (Silverman 1986).
    """
    width = 1.06 * float(losses.std(ddof=1)) * losses.size**-0.2 if bandwidth is None else bandwidth
    if not 0.0 < width < math.inf:
        raise RiskError(f"A kernel of width {width:g} sees no scenario. Give scenarios that vary, or a positive width.")
    distance = (losses - var) / width
    places = np.flatnonzero(np.abs(distance) < _REACH)
    weights = np.exp(-0.5 * distance[places] ** 2)
    return places, weights / float(weights.sum()), width


def scaled(smoothed: FloatArray, held: FloatArray, var: float) -> tuple[FloatArray, float]:
    """Return mean losses (N,) of one unit each, scaled so that positions `held` (N,) sum to `var`, and the factor."""
    total = float(held @ smoothed)
    if not total * var > 0.0:
        raise RiskError(
            f"Kernel components sum to {total:g}, which no factor brings to a VaR of {var:g}. Use a narrower bandwidth."
        )
    return smoothed * (var / total), var / total
