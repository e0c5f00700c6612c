"""The general route against the fast one and against skfolio's own numbers."""

import cvxpy
import numpy as np
import pytest

from nt_ray.errors import RiskError
from nt_ray.portfolio.optimise.constraints import Constraints, sector
from nt_ray.portfolio.optimise.frontier import max_sharpe
from nt_ray.portfolio.optimise.general import general, mean_risk
from nt_ray.portfolio.optimise.mean_variance import minimum_variance
from nt_ray.portfolio.optimise.solution import InfeasibleError
from nt_ray.types import FloatArray

_CONSTRAINTS = Constraints(lower=-0.1, upper=0.3, linear=(sector("first", range(5), 20, upper=0.25),), max_gross=1.3)


def test_a_convex_objective_finds_the_optimum_of_the_fast_route(stocks: FloatArray) -> None:
    matrix = np.cov(stocks.T) * 1e4
    found = general(lambda weights: cvxpy.quad_form(weights, matrix), 20, _CONSTRAINTS)
    exact = minimum_variance(matrix, _CONSTRAINTS)
    assert found.objective == pytest.approx(exact.objective, rel=1e-8)
    assert found.weights == pytest.approx(exact.weights, abs=1e-4)
    assert found.solver == "cvxpy/clarabel"
    assert found.residual <= 1e-8


def test_log_wealth_over_scenarios_is_kelly_for_a_coin() -> None:
    """Thorp: a coin won with probability 0.6 at even odds is worth a bet of 0.2."""
    outcomes = np.array([1.0, -1.0])
    chances = np.array([0.6, 0.4])
    found = general(lambda bet: -chances @ cvxpy.log(1 + outcomes * bet[0]), 1, Constraints(upper=0.9, budget=None))
    assert found.weights[0] == pytest.approx(0.2, abs=1e-5)


def test_skfolio_answers_behind_the_same_call(stocks: FloatArray) -> None:
    constraints = Constraints(upper=0.3, linear=(sector("first", range(5), 20, upper=0.25),))
    calm = mean_risk(stocks, "VARIANCE", constraints=constraints)
    assert calm.weights == pytest.approx(minimum_variance(np.cov(stocks.T), constraints).weights, abs=5e-4)
    bold = mean_risk(stocks, "VARIANCE", "maximize_ratio", constraints)
    exact = max_sharpe(stocks.mean(axis=0), np.cov(stocks.T), 0.0, constraints)
    assert bold.weights == pytest.approx(exact.weights, abs=5e-3)
    assert np.isnan(calm.residual)


def test_what_the_general_route_cannot_honour_is_refused(stocks: FloatArray) -> None:
    with pytest.raises(RiskError, match="choose names"):
        general(cvxpy.sum_squares, 5, Constraints(max_names=2))
    with pytest.raises(RiskError, match="not convex"):
        general(lambda weights: -cvxpy.sum_squares(weights), 5)
    with pytest.raises(InfeasibleError, match="budget"):
        general(cvxpy.sum_squares, 5, Constraints(upper=0.1))
    with pytest.raises(RiskError, match="max_gross"):
        mean_risk(stocks, "VARIANCE", constraints=_CONSTRAINTS)
    with pytest.raises(RiskError, match="'VOLATILITY'"):
        mean_risk(stocks, "VOLATILITY")
