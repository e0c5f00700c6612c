"""Quadratic problems against Clarabel, cvxpy, closed forms and the optimality conditions."""

from dataclasses import replace

import cvxpy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.risk_problems import Tally, random_problem
from nt_ray.errors import RiskError
from nt_ray.portfolio.moments.factor_covariance import FactorCovariance
from nt_ray.portfolio.optimise.active_set import block_active_set
from nt_ray.portfolio.optimise.certificate import PROVEN, residual
from nt_ray.portfolio.optimise.constraints import Constraints, Linear, sector
from nt_ray.portfolio.optimise.curvature import curvature
from nt_ray.portfolio.optimise.expansion import expand
from nt_ray.portfolio.optimise.general import general
from nt_ray.portfolio.optimise.interior import solve_clarabel, solve_piqp
from nt_ray.portfolio.optimise.mean_variance import mean_variance, minimum_variance
from nt_ray.portfolio.optimise.point import Point
from nt_ray.portfolio.optimise.problem import Problem
from nt_ray.portfolio.optimise.quadratic import solve
from nt_ray.portfolio.optimise.solution import InfeasibleError
from nt_ray.portfolio.optimise.start import guess
from nt_ray.types import FloatArray


def _market(assets: int, seed: int = 3) -> tuple[FloatArray, FactorCovariance]:
    draw = np.random.default_rng(seed)
    loadings = draw.normal(size=(assets, 4)) * [0.01, 0.004, 0.004, 0.003] + [0.01, 0.0, 0.0, 0.0]
    factor = FactorCovariance(loadings, np.eye(4), draw.uniform(0.5, 3.0, assets) * 1e-4)
    return draw.normal(4e-4, 4e-4, assets), factor


def test_three_hundred_adversarial_problems_are_proven_or_infeasible_and_no_worse_than_clarabel() -> None:
    tally = Tally()
    for seed in range(10_000, 10_300):
        tally.add(seed, (1, 2, 3, 5, 10, 20, 40))
    assert tally.worst_residual <= PROVEN
    assert tally.worst_gap <= 1e-8
    assert tally.unsolved == []
    assert tally.disputed == []
    assert tally.answered["active_set"] > 120
    assert tally.answered["piqp"] > 10
    assert tally.answered["infeasible"] > 20
    assert tally.compared > 150


@pytest.mark.parametrize("seed", range(20_000, 20_012))
def test_problems_written_in_cvxpy_have_the_same_optimum(seed: int) -> None:
    covariance, linear, constraints = random_problem(seed, (3, 6, 12))
    constraints = replace(constraints, cost=0.0)
    matrix = covariance.dense() if isinstance(covariance, FactorCovariance) else covariance
    scale = max(float(np.abs(linear).max()), float(np.abs(matrix).max()))
    matrix, linear = matrix / scale, linear / scale
    problem = Problem.of(curvature(matrix), linear, constraints)
    values, vectors = np.linalg.eigh(matrix)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))).T

    def objective(weights: cvxpy.Variable) -> cvxpy.Expression:
        return 0.5 * cvxpy.sum_squares(root @ weights) + linear @ weights

    try:
        answer = solve(problem)
    except InfeasibleError:
        with pytest.raises(InfeasibleError):
            general(objective, problem.assets, constraints)
        return
    assert problem.value(answer.point.weights) <= general(objective, problem.assets, constraints).objective + 1e-8


def test_trading_costs_agree_with_cvxpy() -> None:
    means, factor = _market(30)
    previous = np.full(30, 1 / 30)
    constraints = Constraints(upper=0.2, previous=previous, cost=2e-4, max_turnover=0.7)
    found = mean_variance(means, factor, 8.0, constraints)
    matrix = factor.dense() * 1e4
    other = general(lambda w: 4.0 * cvxpy.quad_form(w, matrix) / 1e4 - means @ w, 30, constraints)
    assert found.objective == pytest.approx(-other.objective, rel=1e-6)
    assert np.abs(found.weights - previous).sum() <= 0.7 + 1e-12


def test_two_assets_have_their_closed_form() -> None:
    first, second, correlation = 0.2, 0.3, 0.4
    joint = correlation * first * second
    matrix = np.array([[first**2, joint], [joint, second**2]])
    share = (second**2 - joint) / (first**2 + second**2 - 2 * joint)
    assert minimum_variance(matrix).weights == pytest.approx([share, 1 - share], abs=1e-14)


def test_without_bounds_the_weights_are_the_inverse_times_ones() -> None:
    _, factor = _market(40)
    ones = np.linalg.solve(factor.dense(), np.ones(40))
    free = Constraints(lower=-np.inf, upper=np.inf)
    for covariance in (factor, factor.dense()):
        solution = minimum_variance(covariance, free)
        assert solution.weights == pytest.approx(ones / ones.sum(), abs=1e-12)
        assert solution.solver == "active_set"
        assert solution.residual < 1e-12


def test_the_factor_form_and_its_matrix_have_one_optimum() -> None:
    means, factor = _market(300)
    constraints = Constraints(upper=0.05, linear=(sector("first", range(50), 300, upper=0.1),))
    sparse, dense = (mean_variance(means, form, 10.0, constraints) for form in (factor, factor.dense()))
    assert sparse.weights == pytest.approx(dense.weights, abs=1e-11)
    assert sparse.solver == dense.solver == "active_set"


def test_a_start_from_yesterday_takes_one_step() -> None:
    _, factor = _market(300)
    yesterday, today = factor.dense(), factor.dense() * np.linspace(1.0, 1.0001, 300)
    cold = minimum_variance(yesterday, Constraints(upper=0.05))
    warm = minimum_variance((today + today.T) / 2, Constraints(upper=0.05), warm=cold.warm)
    assert warm.iterations == 1 < cold.iterations
    assert warm.residual <= PROVEN


def test_a_start_of_another_shape_is_not_used() -> None:
    means, factor = _market(20)
    other = minimum_variance(np.eye(3)).warm
    assert mean_variance(means, factor, 5.0, warm=other).weights == pytest.approx(
        mean_variance(means, factor, 5.0).weights, abs=0
    )


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), money=st.floats(1e-6, 1e6), size=st.floats(1e-3, 1e3))
def test_units_of_return_and_of_weight_change_nothing(seed: int, money: float, size: float) -> None:
    means, factor = _market(12, seed)
    matrix = factor.dense()
    plain = mean_variance(means, matrix, 6.0, Constraints(upper=0.4))
    scaled = mean_variance(
        means * money, matrix * money * money, 6.0 / money / size, Constraints(upper=0.4 * size, budget=size)
    )
    assert scaled.weights / size == pytest.approx(plain.weights, abs=1e-9)
    assert scaled.residual <= PROVEN


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000))
def test_no_feasible_portfolio_is_better(seed: int) -> None:
    means, factor = _market(8, seed)
    best = mean_variance(means, factor, 4.0, Constraints(upper=0.5))
    for weights in np.random.default_rng(seed).dirichlet(np.ones(8), 200):
        if weights.max() <= 0.5:
            utility = means @ weights - 2.0 * factor.variance(weights)
            assert utility <= best.objective + 1e-15


def test_a_wrong_point_is_not_proven() -> None:
    means, factor = _market(10)
    problem = Problem.of(curvature(factor), -means, Constraints())
    point = solve(problem).point
    assert residual(problem, point) < 1e-12
    moved = point.weights.copy()
    moved[np.argmax(moved)] -= 1e-5
    moved[np.argmin(moved)] += 1e-5
    assert residual(problem, Point(moved, point.rows, point.caps)) > 1e-6
    assert residual(problem, Point(point.weights, point.rows * 1.001, point.caps)) > 1e-6
    assert residual(problem, Point(point.weights * np.nan, point.rows, point.caps)) == np.inf


def test_both_interior_solvers_agree_with_the_active_set_on_every_kind_of_constraint() -> None:
    means, factor = _market(15)
    draw = np.random.default_rng(1)
    constraints = Constraints(
        lower=-0.3,
        upper=0.4,
        linear=(Linear(name="beta", loadings=draw.normal(1, 0.2, 15), lower=0.8, upper=0.9),),
        previous=np.full(15, 1 / 15),
        max_turnover=1.2,
        cost=1e-5,
        max_gross=1.5,
    )
    for covariance in (factor, factor.dense()):
        problem = Problem.of(curvature(covariance), -means / 5.0, constraints, scale=0.2)
        attempt = block_active_set(problem, guess(problem))
        exact = solve(problem)
        for solver in (solve_piqp, solve_clarabel):
            found = solver(expand(problem)).point
            assert residual(problem, found) < 1e-6
            assert found.weights == pytest.approx(exact.point.weights, abs=1e-6)
        assert attempt.steps <= 30


def test_fixed_zero_variance_and_twin_assets_are_no_obstacle() -> None:
    _, factor = _market(6)
    matrix = factor.dense()
    matrix[5], matrix[:, 5] = matrix[4], matrix[:, 4]
    matrix[5, 5] = matrix[4, 4]
    matrix[0], matrix[:, 0] = 0.0, 0.0
    bounds = np.array([0.1, 0.2, 0.0, 0.0, 0.0, 0.0]), np.array([0.1, 0.2, 1.0, 1.0, 1.0, 1.0])
    solution = minimum_variance(matrix, Constraints(lower=bounds[0], upper=bounds[1]))
    assert solution.weights[:2] == pytest.approx([0.1, 0.2], abs=0)
    assert solution.residual <= PROVEN
    merged = minimum_variance(matrix[:5, :5], Constraints(lower=bounds[0][:5], upper=bounds[1][:5]))
    assert solution.objective == pytest.approx(merged.objective, rel=1e-9)


def test_arrays_that_cannot_be_written_are_read() -> None:
    means, factor = _market(10)
    matrix = factor.dense()
    for array in (means, matrix):
        array.flags.writeable = False
    assert mean_variance(means, matrix, 3.0).residual < 1e-12


@pytest.mark.parametrize(
    ("constraints", "conflicts"),
    [
        (Constraints(upper=0.05), ("budget = 1", "upper bounds (sum 0.5)")),
        (Constraints(lower=0.2), ("budget = 1", "lower bounds (sum 2)")),
        (
            Constraints(linear=(sector("banks", [0, 1], 10, lower=0.6), sector("others", range(2, 10), 10, lower=0.5))),
            ("budget = 1", "banks >= 0.6", "others >= 0.5"),
        ),
        (
            Constraints(
                upper=0.5,
                linear=(sector("a", [0], 10, lower=0.2), sector("b", [0, 1], 10, upper=0.1)),
                max_gross=3.0,
            ),
            ("a >= 0.2", "b <= 0.1", "lower bounds (sum 0)"),
        ),
        (
            Constraints(upper=0.2, previous=np.eye(10)[0], max_turnover=0.1),
            ("max_turnover = 0.1", "upper bounds (sum 2)"),
        ),
        (Constraints(lower=-1.0, max_gross=0.9), ("budget = 1", "max_gross = 0.9")),
    ],
)
def test_contradictions_are_named_and_no_other_constraint_is(
    constraints: Constraints, conflicts: tuple[str, ...]
) -> None:
    _, factor = _market(10)
    with pytest.raises(InfeasibleError) as caught:
        minimum_variance(factor, constraints)
    assert set(caught.value.conflicts) == set(conflicts)


def test_an_indefinite_covariance_is_refused_with_its_curvature() -> None:
    with pytest.raises(RiskError, match="-1"):
        minimum_variance(np.array([[1.0, 2.0], [2.0, 1.0]]))
    large = np.eye(400)
    large[0, 1] = large[1, 0] = 1.5
    with pytest.raises(RiskError, match=r"-0\.5"):
        minimum_variance(large, Constraints(lower=-1.0))


def test_an_objective_without_limit_is_refused() -> None:
    free = Constraints(lower=-np.inf, upper=np.inf, budget=None)
    with pytest.raises(RiskError, match="no limit"):
        mean_variance(np.array([1.0, 2.0]), np.ones((2, 2)), 1.0, free)


@pytest.mark.parametrize(
    ("constraints", "words"),
    [
        (Constraints(lower=0.3, upper=0.2), "lower bound"),
        (Constraints(budget=np.nan), "budget"),
        (Constraints(max_turnover=0.5), "previous"),
        (Constraints(previous=np.zeros(3), max_turnover=-1.0), "max_turnover"),
        (Constraints(linear=(Linear(name="s", loadings=np.ones(4)),)), "'s'"),
        (Constraints(linear=(Linear(name="s", loadings=np.ones(3), lower=2.0, upper=1.0),)), "'s'"),
        (Constraints(previous=np.zeros(3), cost=0.1), "mean_variance"),
        (Constraints(max_names=0), "max_names"),
        (Constraints(max_names=1.5), "max_names is 1.5"),  # type: ignore[arg-type]
        (Constraints(lower=np.inf, upper=np.inf), "lower of asset 0 is inf"),
        (Constraints(lower=-np.inf, upper=-np.inf), "upper of asset 0 is -inf"),
        (Constraints(min_position=-0.1), "min_position"),
    ],
)
def test_constraints_without_sense_are_refused(constraints: Constraints, words: str) -> None:
    with pytest.raises(RiskError, match=words):
        minimum_variance(np.eye(3), constraints)


@pytest.mark.parametrize(
    ("means", "matrix", "aversion"),
    [
        ([0.1, np.nan], np.eye(2), 1.0),
        ([0.1, 0.1, 0.1], np.eye(2), 1.0),
        ([0.1, 0.1], np.eye(2), 0.0),
        ([0.1, 0.1], np.array([[1.0, 0.5], [0.4, 1.0]]), 1.0),
        ([0.1, 0.1], np.array([[1.0, np.nan], [np.nan, 1.0]]), 1.0),
        ([0.1, 0.1], np.ones((2, 3)), 1.0),
    ],
)
def test_moments_without_sense_are_refused(means: list[float], matrix: FloatArray, aversion: float) -> None:
    with pytest.raises(RiskError):
        mean_variance(means, matrix, aversion)
