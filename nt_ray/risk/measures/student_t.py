"""Student t returns: fitted by maximum likelihood, exact over any number of independent periods.

A sum of t variables is no t variable. Its tail is computed from the characteristic function, so no square root of
time is assumed; at one period the closed forms are used.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq, minimize
from scipy.special import gammaln, kve, psi, stdtrit

from nt_ray.errors import RiskError
from nt_ray.portfolio.inputs import check_confidence, check_horizon
from nt_ray.risk.measures.series import portfolio_returns, spread_of
from nt_ray.risk.measures.tail import Tail
from nt_ray.risk.volatility import UnfittedError
from nt_ray.types import FloatArray

LEAST = 20
"""Fewest returns of a fit."""
_LIGHTEST = 200.0
"""Degrees of freedom from which a t is taken as good as normal."""
_HEAVIEST = 0.5
_SMALL, _EVEN, _NODES = 64, 32, 16


@dataclass(frozen=True, slots=True, kw_only=True)
class StudentT:
    """A t distribution of returns: mean + scale * t(nu). Its standard deviation is scale sqrt(nu / (nu - 2))."""

    nu: float
    mean: float
    scale: float
    likelihood: float


def student_t(
    returns: npt.ArrayLike,
    confidence: float,
    horizon: int = 1,
    /,
    *,
    weights: npt.ArrayLike | None = None,
    nu: float | None = None,
) -> Tail:
    """Measure the tail of independent t returns, which add up over periods.

    Parameters
    ----------
    nu
        Degrees of freedom; fitted if not given. Mean and scale are always fitted.
    """
    check_confidence(confidence)
    check_horizon(horizon)
    fit = fit_student_t(portfolio_returns(returns, weights, least=LEAST), nu=nu)
    quantile, shortfall = student_tail(fit.nu, confidence, horizon)
    light = (f"nu reaches its bound {_LIGHTEST:g}: returns are not heavier than normal",) if fit.nu == _LIGHTEST else ()
    return Tail(
        var=-horizon * fit.mean + fit.scale * quantile,
        es=-horizon * fit.mean + fit.scale * shortfall,
        method="student_t",
        confidence=confidence,
        horizon=horizon,
        observations=len(np.asarray(returns)),
        notes=(f"nu {fit.nu:.3g}, independent returns that add up over periods", *light),
    )


def fit_student_t(returns: FloatArray, *, nu: float | None = None) -> StudentT:
    """Fit a t distribution to (T,) returns by maximum likelihood; `nu` is held where given."""
    mean, deviation = spread_of(returns)
    if nu is not None and not nu > 0.0:
        raise RiskError(f"Degrees of freedom {nu} are not positive. Use a value such as 4.")
    standard = (returns - mean) / deviation
    low, high = (math.log(_HEAVIEST), math.log(_LIGHTEST)) if nu is None else (math.log(nu), math.log(nu))
    spread = (float(np.median(np.abs(standard))) or 1.0) * 1.4
    found = minimize(
        _negative_likelihood,
        np.array([0.0, math.log(spread), min(max(math.log(6.0), low), high)]),
        args=(standard,),
        jac=True,
        # Not L-BFGS-B: it hands three variables to a threaded BLAS, whose waiting threads cost ten times the fit.
        method="SLSQP",
        bounds=[(-5.0, 5.0), (-12.0, 3.0), (low, high)],
        options={"ftol": 1e-15, "maxiter": 500},
    )
    if not np.isfinite(found.fun) or np.max(np.abs(_projected(found.x, found.jac, low, high))) > 1e-4:
        raise UnfittedError(f"The t fit did not converge on {returns.size} returns. Give nu, or use another measure.")
    center, log_scale, log_nu = (float(value) for value in found.x)
    return StudentT(
        nu=nu if nu is not None else (_LIGHTEST if log_nu >= high else math.exp(log_nu)),
        mean=mean + deviation * center,
        scale=deviation * math.exp(log_scale),
        likelihood=-float(found.fun) * returns.size - returns.size * math.log(deviation),
    )


def student_tail(nu: float, confidence: float, horizon: int = 1) -> tuple[float, float]:
    """Return value at risk and expected shortfall of the sum of `horizon` independent standard t(nu) variables.

    Notes
    -----
    One period: ES = f(t) / (1-a) (nu + t^2) / (nu - 1), McNeil, Frey and Embrechts (2015), 2.24. More: the
    distribution function and E(S - v)+ by inversion of the characteristic function (Gil-Pelaez 1951), which is
    K_(nu/2)(x) x^(nu/2) / (Gamma(nu/2) 2^(nu/2-1)) at x = sqrt(nu)|u| (Hurst 1995).
    """
    if not nu > 1.0:
        raise RiskError(f"With {nu:.3g} degrees of freedom the expected shortfall is infinite. Use nu above 1.")
    quantile = float(stdtrit(nu, confidence))
    if horizon == 1:
        density = math.exp(_log_density_constant(nu) - 0.5 * (nu + 1.0) * math.log1p(quantile**2 / nu))
        return quantile, density / (1.0 - confidence) * (nu + quantile**2) / (nu - 1.0)
    if nu > _LIGHTEST:
        raise RiskError(f"With {nu:g} degrees of freedom a sum is normal. Use the normal measure, or nu up to 200.")
    # Sums of variables with tail index nu grow as horizon^(1/nu), and as its square root from nu = 2 on.
    return _sum_tail(nu, confidence, horizon, 2.0 * quantile * horizon ** (1.0 / min(nu, 2.0)))


def _sum_tail(nu: float, confidence: float, horizon: int, most: float) -> tuple[float, float]:
    """Tail of the sum by inversion; VaR lies between 0 and `most`."""
    u, du = _frequencies(nu, horizon)
    one, slope = _characteristic(nu, u)
    transform = one**horizon
    over_u = du * transform / (math.pi * u)

    def survival(v: float) -> float:
        return 0.5 - float(np.sin(u * v) @ over_u)

    var = float(brentq(lambda v: survival(v) - (1.0 - confidence), 0.0, most, xtol=1e-13))
    # E(S - v)+ = E|S|/2 - v/2 + integral of transform (1 - cos uv) / (pi u^2), E|S| = -2/pi integral of transform'/u.
    half_absolute = float((horizon * one ** (horizon - 1) * slope) @ du) / math.pi
    excess = half_absolute - 0.5 * var + float((2.0 * np.sin(0.5 * u * var) ** 2 / u) @ over_u)
    return var, var + excess / (1.0 - confidence)


def _frequencies(nu: float, horizon: int) -> tuple[FloatArray, FloatArray]:
    """Gauss-Legendre nodes on panels that shrink towards zero and are even up to where the transform has vanished."""
    spread = math.sqrt(nu / max(nu - 2.0, 0.2))
    end = max(45.0 / (math.sqrt(nu) * horizon), 10.0 / (spread * math.sqrt(horizon)))
    edges = end * np.concatenate(([0.0], np.geomspace(1e-20, 1.0 / _EVEN, _SMALL), np.arange(2, _EVEN + 1) / _EVEN))
    x, w = np.polynomial.legendre.leggauss(_NODES)
    half = 0.5 * np.diff(edges)[:, None]
    return (edges[:-1, None] + half * (x + 1.0)).ravel(), (half * w).ravel()


def _characteristic(nu: float, u: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Characteristic function of t(nu), and minus its derivative divided by u."""
    order, x = 0.5 * nu, math.sqrt(nu) * u
    constant = (1.0 - order) * math.log(2.0) - float(gammaln(order))
    return np.exp(constant + _log_bessel(order, x)), nu * np.exp(constant + _log_bessel(order - 1.0, x))


def _log_bessel(order: float, x: FloatArray) -> FloatArray:
    """Logarithm of x^order K_order(x); for high orders at small x, where K overflows, by its power series."""
    small = x * x < 0.25 * order if order > 10.0 else np.zeros(x.shape, dtype=np.bool_)
    logs = np.empty_like(x)
    logs[~small] = np.log(kve(order, x[~small])) - x[~small] + order * np.log(x[~small])
    term = total = np.ones(int(small.sum()))
    for k in range(1, 10):
        term = -term * (0.25 * x[small] ** 2) / (k * (order - k))
        total = total + term
    logs[small] = float(gammaln(order)) + (order - 1.0) * math.log(2.0) + np.log(total)
    return logs


def _log_density_constant(nu: float) -> float:
    return float(gammaln(0.5 * (nu + 1.0)) - gammaln(0.5 * nu)) - 0.5 * math.log(math.pi * nu)


def _negative_likelihood(point: FloatArray, x: FloatArray) -> tuple[float, FloatArray]:
    """Mean negative log-likelihood over (center, log scale, log nu), and its gradient."""
    center, scale, nu = point[0], math.exp(point[1]), math.exp(point[2])
    y = (x - center) / scale
    squares = y * y
    logs = np.log1p(squares / nu)
    weights = (nu + 1.0) / (nu + squares)
    value = _log_density_constant(nu) - math.log(scale) - 0.5 * (nu + 1.0) * float(logs.mean())
    by_nu = 0.5 * (
        float(psi(0.5 * (nu + 1.0)) - psi(0.5 * nu)) - 1.0 / nu - float(logs.mean())
        + float((weights * squares).mean()) / nu
    )  # fmt: skip
    gradient = np.array([float((weights * y).mean()) / scale, float((weights * squares).mean()) - 1.0, by_nu * nu])
    return -value, -gradient


def _projected(point: FloatArray, gradient: FloatArray, low: float, high: float) -> FloatArray:
    """Gradient without what pushes nu against its bounds."""
    free = gradient.copy()
    if (point[2] <= low and free[2] > 0.0) or (point[2] >= high and free[2] < 0.0) or low == high:
        free[2] = 0.0
    return free
