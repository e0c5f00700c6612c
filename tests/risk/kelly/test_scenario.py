import cvxpy as cp
import numpy as np
import pytest

from nt_ray.errors import RiskError
from nt_ray.market.embedded import load_embedded
from nt_ray.portfolio.optimise.constraints import Constraints, sector
from nt_ray.portfolio.optimise.solution import InfeasibleError
from nt_ray.risk.kelly.region import bankroll
from nt_ray.risk.kelly.scenario import log_optimal
from nt_ray.risk.kelly.single import kelly_fraction


def clarabel(gains: np.ndarray, chances: np.ndarray, *, limits: list, stakes: cp.Variable) -> float:
    problem = cp.Problem(cp.Maximize(chances @ cp.log(1.0 + gains @ stakes)), limits)
    problem.solve(cp.CLARABEL, tol_gap_abs=1e-12, tol_gap_rel=1e-12, tol_feas=1e-12)
    return float(problem.value)


def test_one_bet_is_kellys_formula() -> None:
    answer = log_optimal(np.array([[1.5], [-1.0]]), [0.5, 0.5])
    assert answer.fraction == pytest.approx(kelly_fraction(0.5, 2.5), abs=1e-12)
    assert answer.residual < 1e-10


def test_long_only_weights_agree_with_an_exponential_cone_solver(slate: tuple[np.ndarray, np.ndarray]) -> None:
    gains, chances = slate
    answer = log_optimal(gains, chances)
    stakes = cp.Variable(10)
    best = clarabel(gains, chances, limits=[stakes >= 0, cp.sum(stakes) <= 1], stakes=stakes)
    assert answer.growth == pytest.approx(best, abs=1e-11)
    assert answer.fractions == pytest.approx(stakes.value, abs=1e-6)
    assert answer.residual < 1e-9
    assert (answer.fractions >= 0.0).all()
    assert (answer.fractions == 0.0).any()


def test_boxes_budget_and_rows_agree_with_an_exponential_cone_solver(slate: tuple[np.ndarray, np.ndarray]) -> None:
    gains, chances = slate
    rule = Constraints(lower=-0.2, upper=0.4, budget=0.8, linear=(sector("first", [0, 1, 2], 10, lower=0.1),))
    answer = log_optimal(gains, chances, constraints=rule)
    stakes = cp.Variable(10)
    limits = [stakes >= -0.2, stakes <= 0.4, cp.sum(stakes) == 0.8, cp.sum(stakes[:3]) >= 0.1]
    assert answer.growth == pytest.approx(clarabel(gains, chances, limits=limits, stakes=stakes), abs=1e-10)
    assert answer.total == pytest.approx(0.8, abs=1e-9)
    assert answer.residual < 1e-8


def test_daily_returns_of_twenty_stocks_are_solved_with_proof() -> None:
    closes = load_embedded("sp500").closes[-1001:]
    returns = closes[1:] / closes[:-1] - 1.0
    rule = Constraints(lower=-2.0, upper=5.0, budget=None)
    answer = log_optimal(returns, constraints=rule, rate=1e-4)
    assert answer.residual < 1e-8
    # First order: the slope vanishes inside and points outward at the bounds.
    wealth = 1.0 + 1e-4 + (returns - 1e-4) @ answer.fractions
    slope = np.mean((returns - 1e-4) / wealth[:, None], axis=0)
    inside = (answer.fractions > -2.0) & (answer.fractions < 5.0)
    assert np.abs(slope[inside]).max() < 1e-9
    assert (slope[answer.fractions == 5.0] > 0.0).all()
    assert (slope[answer.fractions == -2.0] < 0.0).all()


def test_an_impossible_scenario_still_must_not_ruin() -> None:
    gains = np.array([[1.0], [-0.1], [-1.0]])
    assert log_optimal(gains, [0.6, 0.4, 0.0], constraints=Constraints(budget=None, upper=5.0)).fraction <= 1.0 + 1e-9
    free = log_optimal(gains[:2], [0.6, 0.4], constraints=Constraints(budget=None, upper=5.0))
    assert free.fraction == pytest.approx(5.0, abs=1e-9)


def test_bets_without_edge_get_nothing_at_all() -> None:
    answer = log_optimal(np.array([[0.9, 0.8], [-1.0, -1.0]]), [0.5, 0.5])
    assert answer.fractions.tolist() == [0.0, 0.0]
    assert answer.growth == 0.0
    assert answer.halving == 0.0


def test_growth_without_bound_is_refused() -> None:
    with pytest.raises(RiskError, match="no bound"):
        log_optimal(np.array([[0.1], [0.2]]), constraints=Constraints(upper=np.inf, budget=None))
    with pytest.raises(RiskError, match="no bound"):
        log_optimal(np.array([[0.0], [0.2]]), [0.99, 0.01], constraints=Constraints(upper=np.inf, budget=None))


def test_contradictions_are_named() -> None:
    rule = Constraints(lower=0.0, upper=0.1, budget=0.9)
    with pytest.raises(InfeasibleError, match=r"budget 0\.9"):
        log_optimal(np.array([[0.5, 0.2], [-0.3, 0.1]]), constraints=rule)


def test_constraints_that_are_not_honoured_are_refused_by_name() -> None:
    gains = np.array([[0.5], [-0.3]])
    for name, rule in (
        ("max_names", Constraints(max_names=1)),
        ("max_gross", Constraints(max_gross=1.0)),
        ("max_turnover", Constraints(max_turnover=0.1)),
        ("cost", Constraints(cost=0.1)),
        ("min_position", Constraints(min_position=0.1)),
    ):
        with pytest.raises(RiskError, match=name):
            log_optimal(gains, constraints=rule)


def test_bad_scenarios_are_refused() -> None:
    with pytest.raises(RiskError, match="is not a number"):
        log_optimal(np.array([[0.5], [np.nan]]))
    with pytest.raises(RiskError, match=r"sum to 0\.9"):
        log_optimal(np.array([[0.5], [-0.5]]), [0.5, 0.4])
    with pytest.raises(RiskError, match="Bankroll limit"):
        bankroll(2, 0.0)
