"""Few names and least positions against every possible choice."""

import itertools

import numpy as np
import pytest

from nt_ray.portfolio.optimise.cardinality import select
from nt_ray.portfolio.optimise.certificate import PROVEN
from nt_ray.portfolio.optimise.constraints import Constraints
from nt_ray.portfolio.optimise.curvature import curvature
from nt_ray.portfolio.optimise.mean_variance import mean_variance, minimum_variance
from nt_ray.portfolio.optimise.problem import Problem
from nt_ray.portfolio.optimise.solution import InfeasibleError
from nt_ray.types import FloatArray


def _moments(assets: int, seed: int) -> tuple[FloatArray, FloatArray]:
    returns = np.random.default_rng(seed).normal(4e-4, 0.01, size=(80, assets))
    return returns.mean(axis=0), np.cov(returns.T)


def _best_of_all(means: FloatArray, matrix: FloatArray, names: int, least: float, short: bool) -> float:
    """Solve each choice of assets and signs as a problem of its own."""
    best = -np.inf
    for count in range(1, names + 1):
        for chosen in itertools.combinations(range(means.size), count):
            for signs in itertools.product((1, -1) if short else (1,), repeat=count):
                lower, upper = np.zeros(means.size), np.zeros(means.size)
                for at, sign in zip(chosen, signs, strict=True):
                    lower[at], upper[at] = (least, 0.6) if sign > 0 else (-0.6, -least)
                try:
                    found = mean_variance(means, matrix, 5.0, Constraints(lower=lower, upper=upper))
                except InfeasibleError:
                    continue
                best = max(best, found.objective)
    return best


@pytest.mark.parametrize(("seed", "short"), [(0, False), (1, False), (2, True)])
def test_the_choice_is_the_best_of_all_choices(seed: int, short: bool) -> None:
    means, matrix = _moments(5 if short else 7, seed)
    names, least = (2, 0.25) if short else (3, 0.2)
    constraints = Constraints(lower=-0.6 if short else 0.0, upper=0.6, max_names=names, min_position=least)
    found = mean_variance(means, matrix, 5.0, constraints)
    assert found.objective == pytest.approx(_best_of_all(means, matrix, names, least, short), rel=1e-9)
    assert found.solver == "branch_and_bound"
    assert found.gap <= 1e-9
    assert found.residual <= PROVEN
    held = found.weights[found.weights != 0.0]
    assert held.size <= names
    assert np.abs(held).min() >= least


def test_a_limit_that_does_not_bind_changes_nothing() -> None:
    _, matrix = _moments(8, 3)
    assert minimum_variance(matrix, Constraints(max_names=8)).weights == pytest.approx(
        minimum_variance(matrix).weights, abs=1e-12
    )


def test_a_search_cut_short_tells_what_it_has_not_proven() -> None:
    _, matrix = _moments(12, 4)
    problem = Problem.of(curvature(matrix), np.zeros(12), Constraints())
    early, gap = select(problem, 3, 0.15, most_nodes=2)
    best, none = select(problem, 3, 0.15)
    assert gap > 0.0 == none
    value, least = problem.value(early.point.weights), problem.value(best.point.weights)
    assert least <= value <= least / (1.0 - gap)


def test_names_and_least_positions_that_cannot_be_met_are_infeasible() -> None:
    _, matrix = _moments(6, 5)
    with pytest.raises(InfeasibleError, match="max_names = 2"):
        minimum_variance(matrix, Constraints(upper=0.4, max_names=2))
    with pytest.raises(InfeasibleError, match=r"min_position = 0\.7"):
        minimum_variance(matrix, Constraints(upper=0.65, min_position=0.7))
    with pytest.raises(InfeasibleError) as caught:
        minimum_variance(matrix, Constraints(lower=0.05, max_names=3))
    assert not any("min_position" in conflict for conflict in caught.value.conflicts)


def test_a_variance_of_nothing_is_not_negative() -> None:
    returns = np.random.default_rng(3).normal(size=(8, 4))
    assert minimum_variance(returns @ returns.T * 1e-4, Constraints(lower=-1.0)).objective >= 0.0
