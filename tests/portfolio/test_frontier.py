"""Portfolios on the frontier against published critical lines, closed forms and skfolio."""

import numpy as np
import pytest
from skfolio import RiskMeasure
from skfolio.optimization import MeanRisk, ObjectiveFunction

from nt_ray.errors import RiskError
from nt_ray.portfolio.optimise.certificate import PROVEN
from nt_ray.portfolio.optimise.constraints import Constraints, sector
from nt_ray.portfolio.optimise.frontier import frontier, max_sharpe, target_return, target_volatility
from nt_ray.portfolio.optimise.mean_variance import mean_variance, minimum_variance, tracking_error
from nt_ray.portfolio.optimise.solution import InfeasibleError
from nt_ray.types import FloatArray

_MEANS = np.array([1.175, 1.19, 0.396, 1.12, 0.346, 0.679, 0.089, 0.73, 0.481, 1.08])
_LOWER_HALF = """
0.40755159
0.03175842 0.9063047
0.05183923 0.03136385 0.19490901
0.05663904 0.02687256 0.04408485 0.19528471
0.0330226 0.01917171 0.03006772 0.02777345 0.34059105
0.00827775 0.00934384 0.01322738 0.00526665 0.00777064 0.15983874
0.02165938 0.02495043 0.03525971 0.01375808 0.02067844 0.02105575 0.68056711
0.01332419 0.00761036 0.0115493 0.00780878 0.00736409 0.00518686 0.01377882 0.95526918
0.0343476 0.02874874 0.0427563 0.02914176 0.02542659 0.01723743 0.04627027 0.0106553 0.31681584
0.02249903 0.01336866 0.02057303 0.01640377 0.01284075 0.00723779 0.01926088 0.00760955 0.01854318 0.11079287
"""


def _published() -> FloatArray:
    matrix = np.zeros((10, 10))
    for at, line in enumerate(_LOWER_HALF.split("\n")[1:-1]):
        matrix[at, : at + 1] = matrix[: at + 1, at] = [float(value) for value in line.split()]
    return matrix


@pytest.mark.parametrize(
    ("price", "earned", "risk"),
    [
        (58.303, 1.190, 0.952),
        (4.174, 1.180, 0.546),
        (1.946, 1.160, 0.417),
        (0.165, 1.111, 0.267),
        (0.147, 1.108, 0.265),
        (0.056, 1.022, 0.230),
        (0.052, 1.015, 0.228),
        (0.037, 0.973, 0.220),
        (0.031, 0.950, 0.216),
    ],
)
def test_turning_points_are_those_of_bailey_and_lopez_de_prado(price: float, earned: float, risk: float) -> None:
    """Bailey and López de Prado 2013, An open-source implementation of the critical-line algorithm, ten assets."""
    solution = mean_variance(_MEANS, _published(), 1.0 / price)
    assert float(_MEANS @ solution.weights) == pytest.approx(earned, abs=2e-3)
    assert float(solution.weights @ _published() @ solution.weights) ** 0.5 == pytest.approx(risk, abs=1e-3)


def test_the_ends_and_the_largest_ratio_are_those_of_bailey_and_lopez_de_prado() -> None:
    """Same source: least risk 0.205 at a return of 0.803, largest Sharpe ratio 4.4535."""
    calm = minimum_variance(_published())
    assert calm.objective**0.5 == pytest.approx(0.205, abs=5e-4)
    assert float(_MEANS @ calm.weights) == pytest.approx(0.803, abs=5e-4)
    assert max_sharpe(_MEANS, _published()).objective == pytest.approx(4.4535, abs=5e-5)


def test_the_tangency_portfolio_without_bounds_is_the_inverse_times_excess_returns() -> None:
    rate = 0.05
    tangency = np.linalg.solve(_published(), _MEANS - rate)
    free = Constraints(lower=-np.inf, upper=np.inf)
    solution = max_sharpe(_MEANS, _published(), rate, free)
    assert solution.weights == pytest.approx(tangency / tangency.sum(), abs=1e-9)
    assert solution.objective == pytest.approx(float(np.sqrt((_MEANS - rate) @ tangency)), rel=1e-12)
    assert solution.residual <= PROVEN


def test_no_portfolio_of_the_frontier_has_a_larger_ratio() -> None:
    constraints = Constraints(upper=0.3, linear=(sector("low", [2, 4, 6], 10, lower=0.2),))
    best = max_sharpe(_MEANS, _published(), 0.1, constraints)
    ratios = [
        float((_MEANS - 0.1) @ point.weights) / point.objective**0.5
        for point in frontier(_MEANS, _published(), 40, constraints)
    ]
    assert max(ratios) <= best.objective * (1 + 1e-12)
    assert max(ratios) > 0.999 * best.objective


def test_costs_lower_the_ratio_and_move_less() -> None:
    previous = np.full(10, 0.1)
    plain = max_sharpe(_MEANS, _published())
    dear = max_sharpe(_MEANS, _published(), constraints=Constraints(previous=previous, cost=0.2))
    net = float(_MEANS @ dear.weights) - 0.2 * float(np.abs(dear.weights - previous).sum())
    assert dear.objective == pytest.approx(net / float(dear.weights @ _published() @ dear.weights) ** 0.5, rel=1e-12)
    assert np.abs(dear.weights - previous).sum() < np.abs(plain.weights - previous).sum()
    for weights in np.random.default_rng(0).dirichlet(np.ones(10), 500):
        earned = float(_MEANS @ weights) - 0.2 * float(np.abs(weights - previous).sum())
        assert earned / float(weights @ _published() @ weights) ** 0.5 <= dear.objective


def test_a_target_volatility_is_met_exactly_and_is_dual_to_its_return() -> None:
    for volatility in (0.21, 0.3, 0.5):
        solution = target_volatility(_MEANS, _published(), volatility)
        assert float(solution.weights @ _published() @ solution.weights) ** 0.5 == pytest.approx(volatility, rel=1e-9)
        back = target_return(_MEANS, _published(), solution.objective)
        assert back.objective**0.5 == pytest.approx(volatility, rel=1e-7)


def test_a_generous_volatility_gives_the_largest_return() -> None:
    assert target_volatility(_MEANS, _published(), 5.0).weights == pytest.approx(np.eye(10)[1], abs=1e-9)


def test_a_frontier_rises_evenly_from_the_least_variance_to_the_largest_return() -> None:
    points = frontier(_MEANS, _published(), 15)
    earned = [float(_MEANS @ point.weights) for point in points]
    assert np.diff(earned) == pytest.approx(np.full(14, (earned[-1] - earned[0]) / 14), rel=1e-6)
    assert np.all(np.diff([point.objective for point in points]) > 0)
    assert points[0].objective == pytest.approx(minimum_variance(_published()).objective, rel=1e-9)
    assert points[-1].weights == pytest.approx(np.eye(10)[1], abs=1e-6)
    assert all(point.residual <= PROVEN for point in points)
    assert len(frontier(np.ones(10), _published(), 15)) == 1


def test_what_lies_outside_the_frontier_is_infeasible() -> None:
    with pytest.raises(InfeasibleError, match=r"target return >= 1\.2"):
        target_return(_MEANS, _published(), 1.2)
    with pytest.raises(InfeasibleError, match=r"volatility <= 0\.2;.*0\.205"):
        target_volatility(_MEANS, _published(), 0.2)
    with pytest.raises(RiskError, match="more than the rate"):
        max_sharpe(_MEANS, _published(), 1.5)


def test_a_benchmark_within_the_bounds_is_tracked_without_error() -> None:
    benchmark = np.full(10, 0.1)
    exact = tracking_error(benchmark, _published())
    assert exact.weights == pytest.approx(benchmark, abs=1e-12)
    assert exact.objective == pytest.approx(0.0, abs=1e-20)
    few = tracking_error(benchmark, _published(), Constraints(upper=np.repeat([0.0, 1.0], 5)))
    others = np.random.default_rng(0).dirichlet(np.ones(5), 300)
    active = np.concatenate([np.zeros((300, 5)), others], axis=1) - benchmark
    assert few.objective <= np.einsum("ij,jk,ik->i", active, _published(), active).min()


@pytest.mark.parametrize("cap", [1.0, 0.1])
def test_skfolio_finds_the_same_on_its_own_data(stocks: FloatArray, cap: float) -> None:
    """skfolio 1.12 MeanRisk with its empirical prior (mean, and covariance with ddof 1)."""
    matrix, means = np.cov(stocks.T), stocks.mean(axis=0)
    constraints = Constraints(upper=cap)
    calm = MeanRisk(risk_measure=RiskMeasure.VARIANCE, max_weights=cap).fit(stocks).weights_
    ours = minimum_variance(matrix, constraints)
    assert ours.objective <= calm @ matrix @ calm
    assert ours.weights == pytest.approx(calm, abs=2e-4)
    best = MeanRisk(ObjectiveFunction.MAXIMIZE_RATIO, RiskMeasure.VARIANCE, max_weights=cap).fit(stocks).weights_
    ratio = max_sharpe(means, matrix, 0.0, constraints)
    assert ratio.objective >= (means @ best) / (best @ matrix @ best) ** 0.5
    assert ratio.weights == pytest.approx(best, abs=2e-3)
    # skfolio's utility has no half, so its risk aversion of 3 is ours of 6.
    bold = MeanRisk(ObjectiveFunction.MAXIMIZE_UTILITY, RiskMeasure.VARIANCE, risk_aversion=3, max_weights=cap)
    weights = bold.fit(stocks).weights_
    assert mean_variance(means, matrix, 6.0, constraints).weights == pytest.approx(weights, abs=2e-3)


@pytest.mark.parametrize(
    "call",
    [
        lambda: frontier(_MEANS, _published(), 1),
        lambda: target_return(_MEANS, _published(), np.nan),
        lambda: target_volatility(_MEANS, _published(), 0.0),
        lambda: max_sharpe(_MEANS, _published(), np.inf),
        lambda: max_sharpe(_MEANS, _published(), 0.0, Constraints(max_names=3)),
        lambda: target_return(_MEANS, _published(), 1.0, Constraints(previous=np.zeros(10), cost=0.1)),
        lambda: max_sharpe([1.0, 0.5], np.zeros((2, 2))),
        # The first asset alone has no variance, up to rounding.
        lambda: max_sharpe([0.1, 0.2, 0.3], np.diag([0.0, 1.0, 2.0])),
        lambda: frontier(_MEANS, _published(), np.nan),  # type: ignore[arg-type]
    ],
)
def test_questions_without_sense_are_refused(call: object) -> None:
    with pytest.raises(RiskError):
        call()  # type: ignore[operator]
