"""The bound for few names against every choice of names, and against the relaxation solved as a cone program."""

import itertools

import cvxpy
import numpy as np
import pytest

from nt_ray.portfolio.moments.factor_covariance import FactorCovariance
from nt_ray.portfolio.optimise.constraints import Constraints
from nt_ray.portfolio.optimise.curvature import curvature
from nt_ray.portfolio.optimise.mean_variance import minimum_variance
from nt_ray.portfolio.optimise.perspective import spare_diagonal, tighten
from nt_ray.portfolio.optimise.problem import Problem
from nt_ray.portfolio.optimise.quadratic import solve
from nt_ray.types import FloatArray


def _correlated(assets: int, seed: int) -> FloatArray:
    volatility = 0.01 * (1.0 + 0.02 * np.random.default_rng(seed).normal(size=assets))
    return (0.3 + 0.7 * np.eye(assets)) * np.outer(volatility, volatility)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("short", [False, True])
def test_no_choice_of_names_lies_below_the_bound_which_lies_above_the_plain_one(seed: int, short: bool) -> None:
    draw = np.random.default_rng(seed)
    matrix = np.cov(draw.normal(size=(60, 7)).T)
    means = draw.normal(0.0, 0.1, 7)
    limits = Constraints(lower=-0.5 if short else 0.0, upper=0.8)
    problem = Problem.of(curvature(matrix), -means, limits)
    found = tighten(
        problem, spare_diagonal(problem.curvature), np.ones(7, bool), 3, np.full(7, 3 / 7), enough=np.inf, steps=40
    )
    assert found is not None
    best = np.inf
    for chosen in itertools.combinations(range(7), 3):
        held = np.isin(np.arange(7), chosen)
        one = problem.bounded(np.where(held, problem.lower, 0.0), np.where(held, problem.upper, 0.0))
        best = min(best, problem.value(solve(one).point.weights))
    plain = problem.value(solve(problem).point.weights)
    assert plain < found.bound <= best + 1e-12


def test_the_bound_nears_the_optimum_of_the_cone_program() -> None:
    matrix = _correlated(12, 0)
    form = curvature(matrix)
    spare = spare_diagonal(form)
    problem = Problem.of(form, np.zeros(12), Constraints())
    found = tighten(problem, spare, np.ones(12, bool), 4, np.full(12, 4 / 12), enough=np.inf, steps=200)
    w, z = cvxpy.Variable(12), cvxpy.Variable(12)
    root = np.linalg.cholesky((matrix - np.diag(spare)) * 1e4 + 1e-9 * np.eye(12))
    parts = sum(1e4 * spare[i] * cvxpy.quad_over_lin(w[i], z[i]) for i in range(12))
    cone = cvxpy.Problem(
        cvxpy.Minimize(0.5 * (cvxpy.sum_squares(root.T @ w) + parts)),
        [w >= 0, cvxpy.sum(w) == 1, z >= 0, z <= 1, cvxpy.sum(z) <= 4],
    )
    cone.solve(solver=cvxpy.CLARABEL)
    assert found is not None
    assert found.bound * 1e4 == pytest.approx(cone.value, rel=3e-4)
    assert found.bound * 1e4 <= cone.value * (1.0 + 1e-6)


def test_what_is_spared_leaves_the_form_semidefinite() -> None:
    matrix = np.cov(np.random.default_rng(1).normal(size=(40, 9)).T)
    spare = spare_diagonal(curvature(matrix))
    assert spare.min() > 0.0
    assert np.linalg.eigvalsh(matrix - np.diag(spare))[0] > -1e-15
    loadings = np.random.default_rng(2).normal(size=(9, 2))
    factor = FactorCovariance(loadings, np.eye(2), np.linspace(0.1, 1.0, 9))
    assert spare_diagonal(curvature(factor)) == pytest.approx(np.linspace(0.1, 1.0, 9), rel=1e-5)
    assert not spare_diagonal(curvature(np.diag([0.0, 1.0]))).any()


def test_five_of_twenty_nearly_equal_assets_are_proven_best_at_once() -> None:
    found = minimum_variance(_correlated(20, 1), Constraints(max_names=5))
    assert np.count_nonzero(found.weights) == 5
    assert found.gap == 0.0
    assert found.iterations < 500
