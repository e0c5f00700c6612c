import cvxpy as cp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nt_ray.errors import RiskError
from nt_ray.market.bars import CLOSE
from nt_ray.market.embedded import load_embedded
from nt_ray.portfolio.moments.factor_covariance import FactorCovariance
from nt_ray.portfolio.optimise.constraints import Constraints, sector
from nt_ray.portfolio.optimise.erc import risk_parity
from nt_ray.portfolio.optimise.solution import InfeasibleError, UnsolvedError


def random_covariance(seed, n, rows=None):
    draw = np.random.default_rng(seed)
    scores = draw.normal(size=(rows or 3 * n, n)) * draw.uniform(0.2, 3.0, n) + draw.normal(size=(rows or 3 * n, 1))
    return np.cov(scores.T).reshape(n, n)


def contributions(weights, covariance):
    return weights * (covariance @ weights) / (weights @ covariance @ weights)


def test_two_assets_hold_what_is_inverse_to_their_volatilities_whatever_the_correlation() -> None:
    for correlation in (-0.9, 0.0, 0.3, 0.999):
        covariance = np.array([[0.04, correlation * 0.02], [correlation * 0.02, 0.01]])
        assert risk_parity(covariance).weights == pytest.approx([1 / 3, 2 / 3], rel=1e-9)


def test_one_correlation_for_all_pairs_gives_inverse_volatilities() -> None:
    volatility = np.array([0.1, 0.2, 0.4, 0.8])
    for correlation in (-0.2, 0.0, 0.7):
        matrix = np.where(np.eye(4) == 1.0, 1.0, correlation)
        found = risk_parity(matrix * np.outer(volatility, volatility))
        assert found.weights == pytest.approx((1 / volatility) / (1 / volatility).sum(), rel=1e-8)
        assert found.residual <= 1e-9


def test_uncorrelated_assets_hold_the_root_of_their_budget_over_their_volatility() -> None:
    volatility, budgets = np.array([0.1, 0.2, 0.5]), np.array([0.7, 0.2, 0.1])
    wanted = np.sqrt(budgets) / volatility
    assert risk_parity(np.diag(volatility**2), budgets).weights == pytest.approx(wanted / wanted.sum(), rel=1e-9)


def test_two_assets_with_budgets_solve_their_quadratic_equation() -> None:
    # Bruder and Roncalli (2012), Managing risk exposures using the risk budgeting approach, with volatilities 1 and s.
    rho, s, b = 0.5, 1.4, 0.3
    ratio = ((b - 0.5) * rho + np.sqrt((b - 0.5) ** 2 * rho**2 + b * (1 - b))) / ((1 - b) / s)
    wanted = np.array([ratio, 1.0]) / (ratio + 1.0)
    found = risk_parity(np.array([[1.0, rho * s], [rho * s, s * s]]), [b, 1 - b])
    assert found.weights == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_the_cone_program_has_the_same_optimum(seed) -> None:
    draw = np.random.default_rng(seed)
    n = int(draw.integers(3, 12))
    covariance, budgets = random_covariance(seed, n), draw.dirichlet(np.full(n, 2.0))
    x = cp.Variable(n)
    root = np.linalg.cholesky(covariance)
    problem = cp.Problem(cp.Minimize(0.5 * cp.sum_squares(root.T @ x) - budgets @ cp.log(x)))
    problem.solve(solver=cp.CLARABEL)
    assert risk_parity(covariance, budgets).weights == pytest.approx(x.value / x.value.sum(), rel=1e-3)


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.integers(1, 30), st.booleans(), st.floats(1e-8, 1e6))
def test_contributions_are_the_budgets_for_any_covariance(seed, n, short, size) -> None:
    covariance = random_covariance(seed, n, rows=max(2, n // 2) if short else None) * size
    covariance.flat[:: n + 1] *= 1.001
    budgets = np.random.default_rng(seed).dirichlet(np.ones(n)) * 0.9 + 0.1 / n
    found = risk_parity(covariance, budgets / budgets.sum())
    assert found.weights.sum() == pytest.approx(1.0, rel=1e-12)
    assert (found.weights > 0.0).all()
    assert contributions(found.weights, covariance) == pytest.approx(budgets / budgets.sum(), rel=2e-9)
    assert found.objective == pytest.approx(np.sqrt(found.weights @ covariance @ found.weights))


def test_assets_that_hedge_each_other_are_left_to_newton() -> None:
    draw = np.random.default_rng(0)
    factors = FactorCovariance(draw.normal(size=(120, 10)), np.eye(10), draw.uniform(0.01, 0.04, 120))
    sparse, dense = risk_parity(factors), risk_parity(factors.dense())
    assert sparse.solver == dense.solver == "newton"
    assert sparse.weights == pytest.approx(dense.weights, rel=1e-7)
    assert contributions(sparse.weights, factors.dense()) == pytest.approx(np.full(120, 1 / 120), rel=2e-9)


def test_factor_form_and_dense_form_agree() -> None:
    draw = np.random.default_rng(1)
    loadings = np.column_stack([draw.uniform(0.5, 1.5, 80), draw.normal(0, 0.2, (80, 3))])
    factors = FactorCovariance(loadings, np.diag([0.04, 0.01, 0.01, 0.01]), draw.uniform(0.01, 0.2, 80))
    sparse, dense = risk_parity(factors), risk_parity(factors.dense())
    assert sparse.solver == dense.solver == "coordinate_descent"
    assert sparse.weights == pytest.approx(dense.weights, rel=1e-8)


def test_on_real_prices_equal_to_skfolio() -> None:
    from skfolio.optimization import RiskBudgeting

    closes = load_embedded("sp500").values[-1001:, :, CLOSE]
    returns = closes[1:] / closes[:-1] - 1.0
    budgets = np.linspace(1.0, 2.0, 20)
    peer = RiskBudgeting(risk_budget=budgets).fit(returns).weights_
    found = risk_parity(np.cov(returns.T), budgets / budgets.sum())
    assert found.weights == pytest.approx(peer, rel=2e-3)


def test_yesterdays_weights_save_sweeps() -> None:
    covariance = random_covariance(2, 40)
    cold = risk_parity(covariance)
    warm = risk_parity(covariance * 1.01, warm=cold.warm)
    assert warm.weights == pytest.approx(cold.weights, rel=1e-8)
    assert warm.iterations < cold.iterations


def test_weights_sum_to_the_budget_and_limits_that_hold_are_accepted() -> None:
    covariance = random_covariance(3, 5)
    base = risk_parity(covariance).weights
    limits = Constraints(
        lower=0.01, upper=1.0, budget=0.5, max_gross=0.5, max_names=5, previous=base / 2, max_turnover=1e-6,
        linear=(sector("all", range(5), 5, upper=0.6),),
    )  # fmt: skip
    assert risk_parity(covariance, constraints=limits).weights == pytest.approx(base / 2, rel=1e-9)
    assert risk_parity(covariance, constraints=Constraints(budget=None)).weights == pytest.approx(base)


@pytest.mark.parametrize(
    ("constraints", "said"),
    [
        (Constraints(upper=0.34), "upper bound 0.34 of asset 0"),
        (Constraints(lower=np.array([0.0, 0.0, 0.5])), "lower bound 0.5 of asset 2"),
        (Constraints(linear=(sector("two", [1, 2], 3, lower=0.6),)), "two"),
        (Constraints(max_names=2), "max_names"),
        (Constraints(min_position=0.3), "min_position"),
        (Constraints(previous=np.array([0.0, 0.0, 1.0]), max_turnover=0.1), "max_turnover"),
        (Constraints(max_gross=0.9), "max_gross"),
    ],
)
def test_limits_that_the_budgets_break_are_named(constraints, said) -> None:
    with pytest.raises(InfeasibleError, match=said):
        risk_parity(np.diag([1.0, 4.0, 16.0]), constraints=constraints)


@pytest.mark.parametrize(
    ("covariance", "more", "said"),
    [
        (np.eye(3), {"budgets": [0.5, 0.5, 0.0]}, "Asset 2 has the risk budget 0"),
        (np.eye(3), {"budgets": [0.5, 0.5, 0.5]}, "sum to 1.5"),
        (np.eye(3), {"budgets": [0.5, 0.5]}, "3 assets"),
        (np.diag([1.0, 0.0, 1.0]), {}, "Asset 1 has no variance"),
        (np.array([[1.0, 2.0], [2.0, 1.0]]), {}, "semi-definite"),
        (np.array([[1.0, 0.5], [0.1, 1.0]]), {}, "symmetric"),
        (np.array([[1.0, np.nan], [np.nan, 1.0]]), {}, "not a number"),
        (np.ones((2, 3)), {}, "shape"),
        (np.eye(3), {"constraints": Constraints(budget=0.0)}, "budget=0"),
        (np.eye(3), {"constraints": Constraints(cost=0.1, previous=np.zeros(3))}, "cost"),
        (np.eye(3), {"warm": np.zeros(3)}, "warm"),
    ],
)
def test_what_makes_no_sense_is_named(covariance, more, said) -> None:
    with pytest.raises(RiskError, match=said):
        risk_parity(covariance, **more)


def test_a_large_matrix_that_is_not_semidefinite_is_refused_when_it_shows() -> None:
    matrix = np.full((300, 300), -0.01)
    matrix.flat[::301] = 1.0
    with pytest.raises(RiskError, match="semi-definite"):
        risk_parity(matrix)


def test_two_assets_that_cancel_have_no_risk_to_share() -> None:
    with pytest.raises(UnsolvedError):
        risk_parity(np.array([[1.0, -1.0], [-1.0, 1.0]]))
