"""Minimum variance, mean-variance utility and tracking error: the quadratic optimisers.

Each takes a covariance (N, N) or a `FactorCovariance`, which is never multiplied out, and returns a proven optimum
with its optimality residual (`certificate`). NaN is refused. Source: Markowitz, Portfolio Selection, 1952 and 1959.
"""

import time

import numpy as np
import numpy.typing as npt

from nt_ray.errors import RiskError
from nt_ray.portfolio.inputs import check_series, check_weights
from nt_ray.portfolio.optimise.cardinality import select
from nt_ray.portfolio.optimise.constraints import Constraints
from nt_ray.portfolio.optimise.curvature import Covariance, Curvature, curvature
from nt_ray.portfolio.optimise.problem import Problem
from nt_ray.portfolio.optimise.quadratic import Answer, solve
from nt_ray.portfolio.optimise.solution import Solution
from nt_ray.types import FloatArray

_LONG_ONLY = Constraints()


def minimum_variance(covariance: Covariance, constraints: Constraints = _LONG_ONLY, *, warm: object = None) -> Solution:
    """Minimise w'Sw; the objective is the variance. `warm` is the `warm` of an earlier solution of the same assets.

    Trading costs have no return to be charged to here and are refused; limit `max_turnover` instead.
    """
    started = time.perf_counter()
    form = curvature(covariance)
    _refuse_costs(constraints, "minimum_variance")
    answer, gap = answer_of(form, np.zeros(form.assets), constraints, warm)
    return solution(answer, variance(form, answer.point.weights), started, gap)


def mean_variance(
    expected: npt.ArrayLike,
    covariance: Covariance,
    risk_aversion: float,
    constraints: Constraints = _LONG_ONLY,
    *,
    warm: object = None,
) -> Solution:
    """Maximise m'w - risk_aversion / 2 * w'Sw - cost'|w - previous|; the objective is that utility.

    `expected` (N,), `covariance` and costs belong to the same period. With a risk aversion of 1 and no budget this is
    the growth-optimal (Kelly) portfolio of the continuous approximation.
    """
    started = time.perf_counter()
    form = curvature(covariance)
    means = check_expected(expected, form.assets)
    if not 0.0 < risk_aversion < np.inf:
        raise RiskError(f"risk_aversion is {risk_aversion}. Give a positive number.")
    answer, gap = answer_of(form, -means / risk_aversion, constraints, warm, scale=1.0 / risk_aversion)
    weights = answer.point.weights
    utility = float(means @ weights) - 0.5 * risk_aversion * variance(form, weights) - paid(constraints, weights)
    return solution(answer, utility, started, gap)


def tracking_error(
    benchmark: npt.ArrayLike, covariance: Covariance, constraints: Constraints = _LONG_ONLY, *, warm: object = None
) -> Solution:
    """Minimise (w - b)'S(w - b) for benchmark weights b (N,); the objective is that variance of the active return."""
    started = time.perf_counter()
    form = curvature(covariance)
    _refuse_costs(constraints, "tracking_error")
    held = check_weights(benchmark, form.assets)
    answer, gap = answer_of(form, -form.product(held), constraints, warm)
    return solution(answer, variance(form, answer.point.weights - held), started, gap)


def answer_of(
    form: Curvature, linear: FloatArray, constraints: Constraints, warm: object, *, scale: float = 1.0
) -> tuple[Answer, float]:
    """Return the optimum of one problem and its proven gap, choosing names where the constraints ask for it."""
    problem = Problem.of(form, linear, constraints, scale=scale)
    if constraints.max_names is not None or constraints.min_position != 0.0:
        return select(problem, constraints.max_names, constraints.min_position)
    return solve(problem, warm), 0.0


def check_expected(expected: npt.ArrayLike, assets: int) -> FloatArray:
    """Return expected returns (N,) that are finite."""
    means = check_series(expected, what="Expected returns")
    if means.size != assets:
        raise RiskError(f"Expected returns have {means.size} values for {assets} assets. Give one an asset.")
    return means


def variance(form: Curvature, weights: FloatArray) -> float:
    """Return w'Sw, which rounding may bring below zero where it is nothing."""
    return max(0.0, float(weights @ form.product(weights)))


def paid(constraints: Constraints, weights: FloatArray) -> float:
    """Return the cost of trading to these weights, in the caller's units."""
    if constraints.previous is None:
        return 0.0
    return float(np.sum(constraints.cost * np.abs(weights - np.asarray(constraints.previous))))


def solution(answer: Answer, objective: float, started: float, gap: float = 0.0) -> Solution:
    """Return what a caller sees of an answer."""
    return Solution(
        weights=answer.point.weights,
        objective=objective,
        solver=answer.solver,
        residual=answer.residual,
        iterations=answer.iterations,
        seconds=time.perf_counter() - started,
        gap=gap,
        warm=answer.active,
    )


def _refuse_costs(constraints: Constraints, name: str) -> None:
    if np.any(constraints.cost):
        raise RiskError(f"{name} has no return to charge costs to. Use mean_variance, or limit max_turnover.")
