import math

import cvxpy as cp
import numpy as np
import pytest

from nt_ray.portfolio.optimise.constraints import Constraints
from nt_ray.portfolio.optimise.solution import InfeasibleError
from nt_ray.risk.kelly.drawdown import drawdown_controlled, drawdown_controlled_quadratic
from nt_ray.risk.kelly.ruin import largest_share
from nt_ray.risk.kelly.scenario import log_optimal

LEVEL, PROBABILITY = 0.7, 0.1
INVESTED = Constraints(lower=0.0, upper=1.0, budget=1.0)


@pytest.fixture(scope="module")
def gamble() -> tuple[np.ndarray, np.ndarray]:
    """Twenty bets in a hundred outcomes, drawn as Busseti, Ryu and Boyd describe theirs; the last one is cash."""
    rng = np.random.default_rng(0)
    chances = rng.uniform(size=100)
    gross = rng.uniform(0.7, 1.3, (100, 20))
    rare = rng.permutation(100 * 19)[:60]
    bets = gross[:, :-1].ravel()
    bets[rare[:30]], bets[rare[30:]] = 0.2, 2.0
    gross[:, :-1] = bets.reshape(100, 19)
    gross[:, -1] = 1.0
    return gross - 1.0, chances / chances.sum()


def fallen(gains: np.ndarray, chances: np.ndarray, stakes: np.ndarray) -> float:
    """Share of 5,000 simulated paths of 300 periods that fall below the level."""
    rng = np.random.default_rng(1)
    logs = np.log1p(gains @ stakes)
    draws = rng.choice(chances.size, size=(5000, 300), p=chances)
    return float(np.mean(np.cumsum(logs[draws], axis=1).min(axis=1) < math.log(LEVEL)))


def test_the_optimum_agrees_with_an_exponential_cone_solver(gamble: tuple[np.ndarray, np.ndarray]) -> None:
    gains, chances = gamble
    answer = drawdown_controlled(gains, chances, level=LEVEL, probability=PROBABILITY, constraints=INVESTED)
    stakes = cp.Variable(20)
    exponent = math.log(PROBABILITY) / math.log(LEVEL)
    wealth = 1.0 + gains @ stakes
    limits = [cp.sum(stakes) == 1, stakes >= 0, cp.log_sum_exp(np.log(chances) - exponent * cp.log(wealth)) <= 0]
    problem = cp.Problem(cp.Maximize(chances @ cp.log(wealth)), limits)
    problem.solve(cp.CLARABEL)
    assert answer.growth == pytest.approx(problem.value, abs=1e-7)
    assert answer.residual < 1e-8
    assert chances @ (1.0 + gains @ answer.fractions) ** -exponent <= 1.0 + 1e-9


def test_control_trades_growth_for_a_drawdown_risk_that_simulation_confirms(
    gamble: tuple[np.ndarray, np.ndarray],
) -> None:
    # As in the paper: Kelly falls below 0.7 nearly four times in ten, the controlled stakes less than once.
    gains, chances = gamble
    kelly = log_optimal(gains, chances, constraints=INVESTED)
    exact = drawdown_controlled(gains, chances, level=LEVEL, probability=PROBABILITY, constraints=INVESTED)
    square = drawdown_controlled_quadratic(gains, chances, level=LEVEL, probability=PROBABILITY, constraints=INVESTED)
    assert fallen(gains, chances, kelly.fractions) > 0.3
    assert 0.04 < fallen(gains, chances, exact.fractions) < PROBABILITY
    assert fallen(gains, chances, square.fractions) < 0.13
    assert 0.0 < exact.growth < kelly.growth
    assert square.growth <= kelly.growth
    assert square.residual < 1e-8
    assert "the exact condition holds" in square.notes[1]


def test_a_slack_limit_changes_nothing(gamble: tuple[np.ndarray, np.ndarray]) -> None:
    gains, chances = gamble
    kelly = log_optimal(gains, chances, constraints=INVESTED)
    slack = drawdown_controlled(gains, chances, level=0.1, probability=0.9, constraints=INVESTED)
    assert slack.fractions == pytest.approx(kelly.fractions, abs=1e-7)


def test_losing_bets_are_left_alone() -> None:
    answer = drawdown_controlled(np.array([[0.5], [-0.6]]), level=LEVEL, probability=PROBABILITY)
    assert answer.fraction == pytest.approx(0.0, abs=1e-7)


def test_a_limit_that_nothing_satisfies_is_named_and_so_is_ruin() -> None:
    gains = np.array([[0.5, 0.4], [-0.6, -0.5]])
    with pytest.raises(InfeasibleError, match="drawdown limit"):
        drawdown_controlled(gains, level=LEVEL, probability=PROBABILITY, constraints=INVESTED)
    ruin = np.array([[0.5, 0.4], [-1.0, -1.0]])
    with pytest.raises(InfeasibleError, match="some wealth must be left"):
        drawdown_controlled(ruin, level=LEVEL, probability=PROBABILITY, constraints=INVESTED)
    with pytest.raises(InfeasibleError, match="some wealth must be left"):
        log_optimal(ruin, constraints=INVESTED)


def test_hostile_gambles_are_solved_with_proof_or_refused_with_reason() -> None:
    # Fat tails, repeated bets, cash, rounded gains, more bets than outcomes, no cash at all.
    rng = np.random.default_rng(12)
    solved = 0
    for number in range(40):
        outcomes, bets = int(rng.integers(2, 40)), int(rng.integers(1, 20))
        scale = 10.0 ** rng.uniform(-4.0, 0.3)
        gains = np.maximum(rng.standard_t(3, (outcomes, bets)) * scale + scale * rng.uniform(-0.5, 0.5, bets), -1.0)
        if number % 5 == 0:
            gains[:, -1] = 0.0
        if number % 7 == 0:
            gains[:, 0] = gains[:, bets - 1]
        if number % 11 == 0:
            gains = np.round(gains, 1)
        rule = INVESTED if number % 3 == 0 else None
        try:
            answer = drawdown_controlled(gains, level=LEVEL, probability=PROBABILITY, constraints=rule)
        except InfeasibleError:
            assert rule is INVESTED
            continue
        solved += 1
        assert answer.residual <= 1e-8
        assert (answer.fractions >= 0.0).all()
        assert np.mean((1.0 + gains @ answer.fractions) ** -(math.log(PROBABILITY) / math.log(LEVEL))) <= 1.0 + 1e-7
    assert solved >= 27


def test_without_other_constraints_the_quadratic_form_is_the_diffusions_share_of_kelly() -> None:
    rng = np.random.default_rng(8)
    gains = rng.normal(0.002, 0.05, (400, 4))
    mean, second = gains.mean(axis=0), gains.T @ gains / 400
    free = Constraints(lower=-np.inf, upper=np.inf, budget=None)
    answer = drawdown_controlled_quadratic(gains, level=LEVEL, probability=PROBABILITY, constraints=free)
    share = largest_share(LEVEL, PROBABILITY)
    assert answer.fractions == pytest.approx(share * np.linalg.solve(second, mean), rel=1e-6)
