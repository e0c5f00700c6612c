"""Cornish-Fisher: a normal quantile bent by skewness and kurtosis, only where the bent curve is a distribution.

The expansion's s and k are parameters, not the skewness and kurtosis it produces (Maillard 2012, A user's guide to the
Cornish Fisher expansion). So they are solved from the sample's moments, and what lies outside the domain in which the
curve rises everywhere is refused, or answered by history where the caller asked for that.
"""

import math

import numpy as np
import numpy.typing as npt
from scipy.optimize import root
from scipy.special import ndtri

from nt_ray.errors import RiskError
from nt_ray.portfolio.inputs import check_confidence, check_horizon
from nt_ray.risk.measures.historical import historical
from nt_ray.risk.measures.normal import normal_density
from nt_ray.risk.measures.series import portfolio_returns, spread_of
from nt_ray.risk.measures.tail import Tail
from nt_ray.types import FloatArray

LEAST = 20
"""Fewest returns of which a kurtosis is taken."""

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(10)
# Ten nodes are exact to degree 19; the fourth power of a cubic has degree 12.
_WEIGHTS = _WEIGHTS / math.sqrt(2.0 * math.pi)


class DomainError(RiskError):
    """Moments for which the Cornish-Fisher expansion is no distribution."""

    code = "cornish_fisher_domain"


def cornish_fisher(
    returns: npt.ArrayLike,
    confidence: float,
    horizon: int = 1,
    /,
    *,
    weights: npt.ArrayLike | None = None,
    corrected: bool = True,
    outside: str = "refuse",
) -> Tail:
    """Measure the tail by the Cornish-Fisher expansion of independent returns that add up over periods.

    Parameters
    ----------
    corrected
        Solve the parameters that give the sample's skewness and kurtosis; else use these in their place, which is
        the common form and misstates both.
    outside
        What to do outside the domain: "refuse" with a `DomainError`, or "historical", which the notes then say.

    Notes
    -----
    A sum of h has skewness S / sqrt(h) and excess kurtosis K / h. VaR = -(mean + deviation w(z)); ES is the mean of
    w below z in closed form.
    """
    check_confidence(confidence)
    check_horizon(horizon)
    if outside not in ("refuse", "historical"):
        raise RiskError(f"outside={outside!r} is unknown. Use 'refuse' or 'historical'.")
    series = portfolio_returns(returns, weights, least=LEAST)
    mean, deviation = spread_of(series)
    skew, kurtosis = (
        value / scale for value, scale in zip(shape_of(series), (math.sqrt(horizon), horizon), strict=True)
    )
    try:
        s, k = solve_parameters(skew, kurtosis) if corrected else (skew, kurtosis)
        check_domain(s, k)
    except DomainError as error:
        if outside == "refuse":
            raise
        tail = historical(series, confidence, horizon)
        return Tail(
            var=tail.var,
            es=tail.es,
            method="historical",
            confidence=confidence,
            horizon=horizon,
            observations=tail.observations,
            notes=(f"in place of Cornish-Fisher: {error}", *tail.notes),
        )
    width = math.sqrt(horizon) * deviation / (expansion_moments(s, k)[0] if corrected else 1.0)
    quantile, shortfall = expansion_tail(s, k, confidence)
    kind = "solved from" if corrected else "taken as"
    return Tail(
        var=-horizon * mean + width * quantile,
        es=-horizon * mean + width * shortfall,
        method="cornish_fisher",
        confidence=confidence,
        horizon=horizon,
        observations=series.size,
        notes=(
            f"parameters {s:.3g} and {k:.3g} {kind} skewness {skew:.3g} and excess kurtosis {kurtosis:.3g}",
            "independent returns that add up over periods",
        ),
    )


def shape_of(returns: FloatArray) -> tuple[float, float]:
    """Return skewness and excess kurtosis of (T,) returns, population form."""
    deviations = returns - returns.mean()
    variance = float(np.mean(deviations**2))
    return float(np.mean(deviations**3)) / variance**1.5, float(np.mean(deviations**4)) / variance**2 - 3.0


def expansion(z: FloatArray, s: float, k: float) -> FloatArray:
    """Return w(z) = z + (z^2 - 1) s/6 + (z^3 - 3z) k/24 - (2 z^3 - 5 z) s^2/36."""
    return z + (z * z - 1.0) * (s / 6.0) + (z**3 - 3.0 * z) * (k / 24.0) - (2.0 * z**3 - 5.0 * z) * (s * s / 36.0)


def expansion_tail(s: float, k: float, confidence: float) -> tuple[float, float]:
    """Return value at risk and expected shortfall of w(Z), Z standard normal; parameters within the domain.

    Notes
    -----
    The integral of a Hermite polynomial He_n against phi up to z is -He_(n-1)(z) phi(z), which gives
    ES = phi(z)/(1-a) (1 + z s/6 + (z^2 - 1) k/24 - (2 z^2 - 1) s^2/36) at z = Phi^-1(1-a).
    """
    z = float(ndtri(1.0 - confidence))
    bend = 1.0 + z * s / 6.0 + (z * z - 1.0) * k / 24.0 - (2.0 * z * z - 1.0) * s * s / 36.0
    return -float(expansion(np.array(z), s, k)), normal_density(z) / (1.0 - confidence) * bend


def expansion_moments(s: float, k: float) -> tuple[float, float, float]:
    """Return standard deviation, skewness and excess kurtosis that parameters s and k produce; the mean is zero."""
    w = expansion(_NODES, s, k)
    variance = float(_WEIGHTS @ w**2)
    return math.sqrt(variance), float(_WEIGHTS @ w**3) / variance**1.5, float(_WEIGHTS @ w**4) / variance**2 - 3.0


def check_domain(s: float, k: float) -> None:
    """Refuse parameters for which w(z) falls anywhere.

    Notes
    -----
    dw/dz = a z^2 + b z + c with a = k/8 - s^2/6, b = s/3, c = 1 - k/8 + 5 s^2/36, which is nowhere negative where
    a >= 0, c >= 0 and b^2 <= 4 a c.
    """
    a, b, c = k / 8.0 - s * s / 6.0, s / 3.0, 1.0 - k / 8.0 + 5.0 * s * s / 36.0
    if not (a >= 0.0 and c >= 0.0 and b * b <= 4.0 * a * c + 1e-15):
        raise DomainError(
            f"Cornish-Fisher with parameters s={s:.4g} and k={k:.4g} is no distribution: its quantiles fall. "
            "Use outside='historical', or another measure."
        )


def solve_parameters(skew: float, kurtosis: float) -> tuple[float, float]:
    """Solve the parameters whose expansion has this skewness and excess kurtosis, followed from the normal on."""
    # A direct solve may end on another branch; short steps keep to the one that begins at the normal.
    steps = 2 + int(min(abs(kurtosis) / 4.0 + 2.0 * abs(skew), 30.0))
    for count in (steps, 4 * steps):
        point = _followed(np.array([skew, kurtosis]), count)
        if point is not None:
            return float(point[0]), float(point[1])
    raise DomainError(
        f"No Cornish-Fisher expansion has skewness {skew:.4g} and excess kurtosis {kurtosis:.4g}. "
        "Use outside='historical', or another measure."
    )


def _followed(shape: FloatArray, steps: int) -> FloatArray | None:
    """Parameters of a shape (2,), reached from the normal in so many steps; None where one of them finds none."""
    point = np.zeros(2)
    for step in np.linspace(0.0, 1.0, steps + 1)[1:]:
        target = step * shape
        point = root(_shape_gap, point, args=(target,), tol=1e-13).x
        if float(np.max(np.abs(_shape_gap(point, target)))) > 1e-8 * (1.0 + abs(float(shape[1]))):
            return None
    return point


def _shape_gap(point: FloatArray, target: FloatArray) -> FloatArray:
    return np.array(expansion_moments(float(point[0]), float(point[1]))[1:]) - target
