"""Kelly for assets that move as diffusions: f = Sigma^-1 (mu - r), and the same under constraints.

Thorp (2006), The Kelly criterion in blackjack, sports betting and the stock market, section 7; Merton (1969). Growth is
r + (mu - r)'f - f' Sigma f / 2, exact for continuous rebalancing.
"""

import numpy as np
import numpy.typing as npt
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from nt_ray.errors import RiskError
from nt_ray.portfolio.inputs import check_weights
from nt_ray.portfolio.moments.checks import check_covariance, check_semidefinite
from nt_ray.portfolio.optimise.constraints import Constraints
from nt_ray.portfolio.optimise.mean_variance import mean_variance
from nt_ray.risk.kelly.answer import KellyAnswer
from nt_ray.types import FloatArray


def continuous_kelly(
    expected: npt.ArrayLike, covariance: npt.ArrayLike, *, rate: float = 0.0, share: float = 1.0
) -> KellyAnswer:
    """Kelly weights of assets without constraints: share * Sigma^-1 (mu - rate), shorts and leverage included.

    Parameters
    ----------
    expected
        (N,) expected returns a period (drift of the price, not of its logarithm).
    covariance
        (N, N), positive definite, same period.
    rate
        Riskless return a period.
    share
        Share of the full Kelly weights, such as 0.5.
    """
    excess, matrix = _moments(expected, covariance, rate)
    if not share > 0.0:
        raise RiskError(f"Share {share} of Kelly is not positive. Give a share such as 0.5.")
    try:
        full = cho_solve(cho_factor(matrix), excess)
    except LinAlgError as error:
        raise RiskError(
            "Covariance is singular, so some mix has no risk and its Kelly weight no bound. Shrink it, or add bounds."
        ) from error
    residual = float(np.abs(matrix @ full - excess).max() / max(np.abs(excess).max(), 1e-300))
    return _answer(share * full, excess, matrix, rate, "closed_form", residual)


def constrained_kelly(
    expected: npt.ArrayLike, covariance: npt.ArrayLike, constraints: Constraints, *, rate: float = 0.0
) -> KellyAnswer:
    """Kelly weights under constraints: the maximum of (mu - rate)'f - f' Sigma f / 2, mean-variance at risk aversion 1.

    The budget, if any, is the sum of the risky weights; the rest of wealth earns the rate. Trading costs steer the
    weights and are not in the growth.
    """
    excess, matrix = _moments(expected, covariance, rate)
    found = mean_variance(excess, matrix, 1.0, constraints)
    return _answer(found.weights, excess, matrix, rate, found.solver, found.residual)


def continuous_stake(
    weights: npt.ArrayLike, expected: npt.ArrayLike, covariance: npt.ArrayLike, *, rate: float = 0.0
) -> KellyAnswer:
    """Growth and risk of halving of continuously rebalanced weights (N,) of one's own choice."""
    excess, matrix = _moments(expected, covariance, rate)
    return _answer(check_weights(weights, excess.size), excess, matrix, rate, "given", float("nan"))


def continuous_growth(weights: FloatArray, excess: FloatArray, covariance: FloatArray, rate: float = 0.0) -> float:
    """Growth a period of continuously rebalanced weights (N,): rate + excess'w - w' Sigma w / 2."""
    return float(rate + weights @ excess - 0.5 * weights @ covariance @ weights)


def _moments(expected: npt.ArrayLike, covariance: npt.ArrayLike, rate: float) -> tuple[FloatArray, FloatArray]:
    matrix = check_covariance(covariance)
    check_semidefinite(matrix)
    drift = np.atleast_1d(np.asarray(expected, dtype=np.float64))
    if drift.shape != (matrix.shape[0],) or not np.isfinite(drift).all() or not np.isfinite(rate):
        raise RiskError(
            f"Expected returns {drift.shape} and rate {rate} do not fit {matrix.shape[0]} assets. "
            "Give one finite number an asset, and a finite rate."
        )
    return drift - rate, matrix


def _answer(
    weights: FloatArray, excess: FloatArray, matrix: FloatArray, rate: float, method: str, residual: float
) -> KellyAnswer:
    return KellyAnswer(
        fractions=weights,
        growth=continuous_growth(weights, excess, matrix, rate),
        halving=_halving(weights, excess, matrix),
        method=method,
        residual=residual,
        notes=("diffusion, continuous rebalancing", "halving is of wealth discounted at the rate"),
    )


def _halving(weights: FloatArray, excess: FloatArray, matrix: FloatArray) -> float:
    """Return 0.5^(2 g / v), g the growth over the rate and v the variance of log wealth."""
    variance = float(weights @ matrix @ weights)
    growth = float(weights @ excess) - 0.5 * variance
    if variance == 0.0:
        return 0.0
    return float(0.5 ** max(0.0, 2.0 * growth / variance))
