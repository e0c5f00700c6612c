"""Volatility of the next period: exponentially weighted, and by GARCH(1,1).

A path of volatilities is one longer than the returns: sigma(t) is the forecast for return t from the returns before
it, and the last is the forecast for the period to come.
"""

from dataclasses import dataclass

import numpy as np
from numba import float64, njit

from nt_ray.errors import RiskError
from nt_ray.portfolio.inputs import check_series
from nt_ray.risk.measures.series import spread_of
from nt_ray.types import FloatArray

GARCH_LEAST = 100
"""Fewest returns of a GARCH fit; its likelihood is flat on less."""


class UnfittedError(RiskError):
    """A model that could not be fitted to these returns."""

    code = "unfitted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Garch:
    """GARCH(1,1): r(t) = mean + e(t), variance(t+1) = omega + alpha e(t)^2 + beta variance(t); Bollerslev (1986)."""

    mean: float
    omega: float
    alpha: float
    beta: float
    start: float
    """Variance of the first return."""
    likelihood: float = float("nan")
    """Log-likelihood at the optimum, of the returns as given."""

    @property
    def persistence(self) -> float:
        """Share of a deviation of variance that is left a period later; variance reverts below 1."""
        return self.alpha + self.beta

    def volatility(self, returns: FloatArray) -> FloatArray:
        """Return (T + 1,) volatilities, the last for the period to come."""
        squares = (check_series(returns) - self.mean) ** 2
        return np.sqrt(variance_path(squares, self.omega, self.alpha, self.beta, self.start))


def ewma_volatility(returns: FloatArray, decay: float = 0.94) -> FloatArray:
    """Return (T + 1,) exponentially weighted volatilities of (T,) finite returns, their mean taken as zero.

    Notes
    -----
    variance(t+1) = decay variance(t) + (1 - decay) r(t)^2, begun at the mean square of all returns; RiskMetrics
    Technical Document (1996), which uses 0.94 for days and 0.97 for months.
    """
    check_decay(decay)
    squares = check_series(returns) ** 2
    return np.sqrt(variance_path(squares, 0.0, 1.0 - decay, decay, float(squares.mean())))


def fit_garch(returns: FloatArray) -> Garch:
    """Fit a GARCH(1,1) with a constant mean and normal innovations by maximum likelihood."""
    series = check_series(returns, least=GARCH_LEAST)
    _, scale = spread_of(series)
    # Its import takes seconds; only who fits pays for it.
    from arch.univariate import GARCH, ConstantMean

    model = ConstantMean(series / scale, volatility=GARCH(1, 0, 1), rescale=False)
    found = model.fit(disp="off", show_warning=False)
    if found.convergence_flag != 0:
        raise UnfittedError(
            f"GARCH did not converge on {series.size} returns (flag {found.convergence_flag}). "
            "Give a longer history, or use a measure without it."
        )
    mean, omega, alpha, beta = (float(value) for value in found.params)
    return Garch(
        mean=mean * scale,
        omega=omega * scale**2,
        alpha=alpha,
        beta=beta,
        start=float(found.conditional_volatility[0] * scale) ** 2,
        likelihood=float(found.loglikelihood - series.size * np.log(scale)),
    )


def check_decay(decay: float) -> None:
    """Refuse a decay that forgets everything or nothing."""
    if not 0.0 < decay < 1.0:
        raise RiskError(f"Decay {decay} does not lie between 0 and 1. Use a value such as 0.94.")


@njit(float64[::1](float64[::1], float64, float64, float64, float64), cache=True, nogil=True)
def variance_path(squares: FloatArray, omega: float, alpha: float, beta: float, start: float) -> FloatArray:
    """Return (T + 1,) variances that follow (T,) squared deviations, begun at `start`."""
    path = np.empty(squares.size + 1)
    path[0] = start
    for t in range(squares.size):
        path[t + 1] = omega + alpha * squares[t] + beta * path[t]
    return path
