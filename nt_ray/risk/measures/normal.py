"""Normal returns: closed forms of value at risk and expected shortfall over any number of independent periods."""

import math

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from nt_ray.errors import RiskError
from nt_ray.portfolio.inputs import check_confidence, check_horizon
from nt_ray.risk.measures.series import portfolio_returns, spread_of
from nt_ray.risk.measures.tail import Tail


def normal(
    returns: npt.ArrayLike,
    confidence: float,
    horizon: int = 1,
    /,
    *,
    weights: npt.ArrayLike | None = None,
    compounding: str = "simple",
) -> Tail:
    """Measure the tail of independent normal returns with the sample's mean and deviation (ddof 1).

    Parameters
    ----------
    compounding
        "simple": returns of periods add up, so h of them are normal with h mu and sqrt(h) sigma. "log": log returns
        are normal and add up, which is exact for compounded returns and bounds the loss by 1.
    """
    check_confidence(confidence)
    check_horizon(horizon)
    series = portfolio_returns(returns, weights)
    if compounding == "simple":
        mean, deviation = spread_of(series)
        quantile, shortfall = normal_tail(confidence)
        step = math.sqrt(horizon) * deviation
        var, es = -horizon * mean + quantile * step, -horizon * mean + shortfall * step
        note = "independent normal returns that add up over periods"
    elif compounding == "log":
        var, es = _lognormal_tail(series, confidence, horizon)
        note = "independent normal log returns"
    else:
        raise RiskError(f"Compounding {compounding!r} is unknown. Use 'simple' or 'log'.")
    return Tail(
        var=var,
        es=es,
        method="normal",
        confidence=confidence,
        horizon=horizon,
        observations=series.size,
        notes=(note,),
    )


def normal_tail(confidence: float) -> tuple[float, float]:
    """Return value at risk and expected shortfall of the standard normal: z and phi(z) / (1 - confidence)."""
    quantile = float(ndtri(confidence))
    return quantile, normal_density(quantile) / (1.0 - confidence)


def normal_density(z: float) -> float:
    """Return the standard normal density."""
    return math.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)


def _lognormal_tail(returns: npt.NDArray[np.float64], confidence: float, horizon: int) -> tuple[float, float]:
    """Quantile and partial expectation of a lognormal: E[e^X; X < q] = e^(m + s^2/2) Phi(z - s)."""
    if not returns.min() > -1.0:
        at = int(returns.argmin())
        raise RiskError(f"Return {at} is {returns[at]:g}, which has no logarithm. Use compounding='simple'.")
    mean, deviation = spread_of(np.log1p(returns))
    m, s = horizon * mean, math.sqrt(horizon) * deviation
    z = float(ndtri(1.0 - confidence))
    kept = math.exp(m + 0.5 * s * s) * float(ndtr(z - s)) / (1.0 - confidence)
    return -math.expm1(m + s * z), 1.0 - kept
