"""What each position adds to value at risk and expected shortfall.

Marginal: the change for a unit more of the weight. Component: weight times marginal; components sum to the whole
(Euler). Incremental: the whole less the whole without the position, which turns to cash; these do not sum. Positions
may be weights of equity or amounts of money; the figures are in the same unit.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nt_ray.errors import RiskError
from nt_ray.portfolio.inputs import check_confidence, check_horizon, check_returns, check_series, check_weights
from nt_ray.portfolio.moments.checks import check_covariance, check_semidefinite
from nt_ray.portfolio.tail_count import check_tail, tail_size
from nt_ray.risk.historical import tail_of
from nt_ray.risk.measures.catalogue import measure
from nt_ray.risk.measures.normal import normal_tail
from nt_ray.risk.measures.student_t import student_tail
from nt_ray.risk.measures.tail import Tail
from nt_ray.risk.tail_kernel import near, scaled
from nt_ray.types import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Contributions:
    """Both figures of a portfolio, taken apart by position; arrays are (N,)."""

    var: float
    es: float
    marginal_var: FloatArray
    marginal_es: FloatArray
    component_var: FloatArray
    component_es: FloatArray
    incremental_var: FloatArray
    incremental_es: FloatArray
    method: str
    confidence: float
    notes: tuple[str, ...] = ()


def elliptical(
    weights: npt.ArrayLike,
    covariance: npt.ArrayLike,
    confidence: float,
    horizon: int = 1,
    *,
    expected: npt.ArrayLike | None = None,
    nu: float | None = None,
) -> Contributions:
    """Take apart the tail of normal returns, or of multivariate t returns with `nu` degrees of freedom.

    Parameters
    ----------
    weights
        (N,) weights or amounts.
    covariance
        (N, N) covariance of one period, symmetric and positive semi-definite.
    horizon
        Independent periods, whose returns add up; exact for t as well, whose sums are no t but still elliptical.
    expected
        (N,) expected returns of one period; zero if not given.

    Notes
    -----
    VaR = -h mu'w + q s with s^2 = h w'Sw; its gradient -h mu + q h Sw / s. Jorion (2007), Value at Risk, chapter 7.
    """
    check_confidence(confidence)
    check_horizon(horizon)
    matrix = check_covariance(covariance)
    check_semidefinite(matrix)
    assets = len(matrix)
    w = check_weights(weights, assets)
    mu = np.zeros(assets) if expected is None else check_series(expected, least=1, what="Expected returns")
    if mu.shape != (assets,):
        raise RiskError(f"Expected returns have shape {mu.shape} for {assets} assets. Give one an asset.")
    quantile, shortfall = _unit_tail(confidence, horizon, nu)
    shared = matrix @ w
    variance = float(w @ shared)
    if not variance > 0.0:
        raise RiskError(f"The portfolio's variance is {variance:g}. Give positions and a covariance that vary.")
    deviation = math.sqrt(variance)
    drift = -horizon * float(mu @ w)
    # Variance without position i, which rounding may leave a hair below zero.
    without = np.sqrt(np.maximum(variance - 2.0 * w * shared + w**2 * np.diag(matrix), 0.0))
    marginal_var = -horizon * mu + quantile * shared / deviation
    marginal_es = -horizon * mu + shortfall * shared / deviation
    return Contributions(
        var=drift + quantile * deviation,
        es=drift + shortfall * deviation,
        marginal_var=marginal_var,
        marginal_es=marginal_es,
        component_var=w * marginal_var,
        component_es=w * marginal_es,
        incremental_var=-horizon * mu * w + quantile * (deviation - without),
        incremental_es=-horizon * mu * w + shortfall * (deviation - without),
        method="normal" if nu is None else "student_t",
        confidence=confidence,
        notes=(f"independent elliptical returns that add up over {horizon} periods",) if horizon > 1 else (),
    )


def scenario(
    weights: npt.ArrayLike, returns: npt.ArrayLike, confidence: float, *, bandwidth: float | None = None
) -> Contributions:
    """Take apart the tail over equally likely scenarios: past returns, or simulated ones.

    Parameters
    ----------
    weights
        (N,) weights or amounts.
    returns
        (T, N) simple returns over the whole horizon (`nt_ray.risk.measures.series.compound`).
    bandwidth
        Width of the Gaussian kernel around the VaR scenario, in units of the portfolio's loss; 1.06 s T^(-1/5) if
        not given (Silverman 1986).

    Notes
    -----
    ES components are exact: the mean loss of each position over the tail, the borderline scenario in part. A VaR
    component is the kernel-weighted mean loss of the position around VaR (Epperlein and Smillie 2006, Cracking VaR
    with kernels), all scaled by one factor so that they sum to VaR; the notes give it.
    """
    check_confidence(confidence)
    panel = check_returns(returns)
    count, assets = panel.shape
    check_tail(count, confidence)
    w = check_weights(weights, assets)
    outcomes = panel @ w
    var, es = tail_of(outcomes, confidence)
    marginal_es = -_tail_weights(outcomes, confidence) @ panel
    places, shares, width = near(-outcomes, var, bandwidth)
    marginal_var, factor = scaled(-shares @ panel[places], w, var)
    alone = np.array([tail_of(outcomes - w[i] * panel[:, i], confidence) for i in range(assets)])
    return Contributions(
        var=var,
        es=es,
        marginal_var=marginal_var,
        marginal_es=marginal_es,
        component_var=w * marginal_var,
        component_es=w * marginal_es,
        incremental_var=var - alone[:, 0],
        incremental_es=es - alone[:, 1],
        method="scenario",
        confidence=confidence,
        notes=(f"VaR by a Gaussian kernel of width {width:.3g}, scaled by {factor:.4f} to sum to VaR",),
    )


def incremental(
    name: str,
    weights: npt.ArrayLike,
    trade: npt.ArrayLike,
    returns: npt.ArrayLike,
    confidence: float,
    horizon: int = 1,
    **params: Any,
) -> tuple[float, float]:
    """Revalue a portfolio in full with and without a trade; return what the trade adds to VaR and to ES.

    Parameters
    ----------
    name
        A measure of `nt_ray.risk.measures.catalogue`, with its own `params`.
    weights, trade
        (N,) weights before the trade, and the change of each.
    returns
        (T, N) simple returns of the assets, oldest first.
    """
    panel = check_returns(returns)
    w, change = check_weights(weights, panel.shape[1]), check_weights(trade, panel.shape[1])
    before, after = (
        np.array(_figures(measure(name, panel, confidence, horizon, weights=held, **params))) if held.any() else 0.0
        for held in (w, w + change)
    )
    var, es = np.broadcast_to(after - before, 2).tolist()
    return var, es


def _figures(tail: Tail) -> tuple[float, float]:
    return tail.var, tail.es


def _unit_tail(confidence: float, horizon: int, nu: float | None) -> tuple[float, float]:
    """VaR and ES of h periods per unit of one period's standard deviation."""
    if nu is None:
        quantile, shortfall = normal_tail(confidence)
        return math.sqrt(horizon) * quantile, math.sqrt(horizon) * shortfall
    if not nu > 2.0:
        raise RiskError(f"With {nu:g} degrees of freedom there is no covariance. Use nu above 2.")
    quantile, shortfall = student_tail(nu, confidence, horizon)
    scale = math.sqrt((nu - 2.0) / nu)
    return scale * quantile, scale * shortfall


def _tail_weights(outcomes: FloatArray, confidence: float) -> FloatArray:
    """Weights (T,) of the scenarios in the tail, which sum to 1; the borderline one counts in part."""
    tail, k = tail_size(outcomes.size, confidence)
    order = np.argsort(outcomes, kind="stable")[:k]
    weights = np.zeros(outcomes.size)
    weights[order[:-1]] = 1.0 / tail
    weights[order[-1]] = (tail - (k - 1)) / tail
    return weights
