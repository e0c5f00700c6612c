import numpy as np
import pytest

from nt_ray.errors import RiskError
from nt_ray.portfolio.optimise.constraints import Constraints
from nt_ray.portfolio.optimise.objectives import OBJECTIVES, Task, optimise


@pytest.fixture(scope="module")
def task() -> Task:
    returns = np.random.default_rng(5).normal(0.001, 0.01, (400, 3)) * np.array([1.0, 1.5, 2.0])
    return Task(
        covariance=np.cov(returns.T) * 252.0,
        expected=np.array([0.04, 0.07, 0.12]),
        scenarios=returns,
        bars=252.0,
        constraints=Constraints(upper=0.9),
        target=0.09,
    )


@pytest.mark.parametrize("name", sorted(set(OBJECTIVES) - {"target_volatility", "kelly"}))
def test_every_objective_gives_allowed_weights_that_sum_to_one(task: Task, name: str) -> None:
    weights = optimise(name, task).weights
    assert weights.sum() == pytest.approx(1.0)
    assert weights.min() >= -1e-12
    assert weights.max() <= 0.9 + 1e-9
    if name in ("target_return", "min_cvar"):
        assert weights @ task.expected >= 0.09 - 1e-9


def test_uncorrelated_minimum_variance_is_inverse_to_variance() -> None:
    variances = np.array([0.01, 0.04, 0.16])
    task = Task(covariance=np.diag(variances), expected=np.zeros(3), scenarios=np.zeros((2, 3)))
    inverse = 1.0 / variances
    np.testing.assert_allclose(optimise("minimum_variance", task).weights, inverse / inverse.sum(), atol=1e-10)
    np.testing.assert_allclose(optimise("risk_parity", task).weights, [4 / 7, 2 / 7, 1 / 7], atol=1e-9)


def test_kelly_is_excess_over_variance_and_borrows_nothing() -> None:
    calm = Task(
        covariance=np.diag([0.09, 0.16]), expected=np.array([0.05, 0.04]), scenarios=np.zeros((2, 2)), rate=0.02
    )
    np.testing.assert_allclose(optimise("kelly", calm).weights, [0.03 / 0.09, 0.02 / 0.16], atol=1e-10)
    bold = Task(covariance=np.diag([0.01, 0.16]), expected=np.array([0.05, 0.04]), scenarios=np.zeros((2, 2)))
    assert optimise("kelly", bold).weights.sum() == pytest.approx(1.0)


def test_the_volatility_asked_for_is_the_one_reached(task: Task) -> None:
    found = optimise("target_volatility", Task(**{**{k: getattr(task, k) for k in task.__slots__}, "target": 0.2}))
    assert np.sqrt(found.weights @ task.covariance @ found.weights) == pytest.approx(0.2)


def test_unknown_names_and_missing_targets_are_refused(task: Task) -> None:
    with pytest.raises(RiskError, match="'max_sharpe'"):
        optimise("max_sharp", task)
    bare = Task(covariance=task.covariance, expected=task.expected, scenarios=task.scenarios)
    with pytest.raises(RiskError, match="target"):
        optimise("target_return", bare)
