"""Random and adversarial quadratic problems, each solved by our route and by Clarabel alone.

    python -m benchmarks.risk_problems [COUNT]       default 2,000

Prints how many each solver answered, how many are infeasible (and whether a linear program agrees), the worst
optimality residual, the worst gap to Clarabel and the longest solve. A gap is relative to the larger of the objective
and its terms, since an objective may cancel to zero.
"""

import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nt_ray.portfolio.moments.factor_covariance import FactorCovariance
from nt_ray.portfolio.optimise.certificate import residual
from nt_ray.portfolio.optimise.constraints import Constraints, Linear, sector
from nt_ray.portfolio.optimise.curvature import Covariance, curvature
from nt_ray.portfolio.optimise.expansion import expand
from nt_ray.portfolio.optimise.interior import solve_clarabel
from nt_ray.portfolio.optimise.problem import Problem
from nt_ray.portfolio.optimise.quadratic import solve
from nt_ray.portfolio.optimise.solution import InfeasibleError, UnsolvedError
from nt_ray.types import FloatArray

SIZES = (1, 2, 3, 5, 10, 20, 50, 120)


def random_problem(seed: int, sizes: tuple[int, ...] = SIZES) -> tuple[Covariance, FloatArray, Constraints]:
    """Return covariance, linear term (N,) and constraints; one seed is one problem, on any machine."""
    draw = np.random.default_rng(seed)
    assets = int(draw.choice(sizes))
    covariance = _random_covariance(draw, assets)
    linear = np.zeros(assets)
    if draw.random() < 0.7:
        linear = -draw.normal(size=assets) * 10 ** draw.uniform(-6, 6)
    return covariance, linear, _random_constraints(draw, assets, float(np.abs(linear).mean()))


def _random_covariance(draw: np.random.Generator, assets: int) -> Covariance:
    if draw.random() < 0.3:
        loadings = draw.normal(size=(assets, min(3, assets))) * 0.01
        specific = 10 ** draw.uniform(-6, -3, assets) * (draw.random(assets) > 0.01)
        return FactorCovariance(loadings, np.eye(loadings.shape[1]), specific)
    days = int(assets * draw.uniform(0.3, 4)) + 2
    returns = draw.normal(size=(days, assets)) * 0.01
    if draw.random() < 0.5:
        returns *= 10 ** draw.uniform(-1, 2, assets)
    returns += draw.normal(size=(days, 1)) * 0.01 * draw.random()
    if draw.random() < 0.2 and assets > 2:
        returns[:, 1] = returns[:, 0]
    if draw.random() < 0.1:
        returns[:, 0] = 0.0
    matrix = returns.T @ returns / days
    if draw.random() < 0.5:
        matrix += np.eye(assets) * 10 ** draw.uniform(-12, -2) * np.trace(matrix) / assets
    return matrix


def _random_bounds(draw: np.random.Generator, assets: int) -> tuple[FloatArray, FloatArray]:
    lower = np.zeros(assets) if draw.random() < 0.5 else -draw.random(assets)
    upper = draw.uniform(1 / assets, 3 / assets, assets) if draw.random() < 0.4 else np.ones(assets)
    kind = draw.random()
    if kind < 0.1:
        upper[:] = 1 / assets
    elif kind < 0.2:
        upper[:] = 0.95 / assets
    elif kind < 0.3:
        half = assets // 2
        lower[:half] = upper[:half] = np.minimum(0.5 / assets, upper[:half])
    return lower, upper


def _random_constraints(draw: np.random.Generator, assets: int, size: float) -> Constraints:
    lower, upper = _random_bounds(draw, assets)
    given: dict[str, Any] = {}
    rows: list[Linear] = []
    if draw.random() < 0.4:
        for at in range(int(draw.integers(1, 4))):
            members = np.flatnonzero(draw.random(assets) < 0.4)
            low = 0.0 if draw.random() < 0.5 else -np.inf
            rows.append(sector(f"sector {at}", members, assets, lower=low, upper=draw.uniform(0.1, 0.8)))
    if draw.random() < 0.2:
        rows.append(Linear(name="beta", loadings=draw.normal(1, 0.3, assets), lower=0.9, upper=1.0))
    if draw.random() < 0.3:
        given["previous"] = draw.dirichlet(np.ones(assets))
        if draw.random() < 0.6:
            given["max_turnover"] = draw.uniform(0, 0.8)
        if draw.random() < 0.5:
            given["cost"] = draw.uniform(0, 0.01) * size
    if draw.random() < 0.2:
        given["max_gross"] = draw.uniform(1, 2)
    budget = None if draw.random() < 0.1 else 1.0
    return Constraints(lower=lower, upper=upper, budget=budget, linear=tuple(rows), **given)


@dataclass
class Tally:
    """What became of many problems."""

    answered: Counter[str] = field(default_factory=Counter)
    worst_residual: float = 0.0
    worst_gap: float = 0.0
    compared: int = 0
    longest: float = 0.0
    unsolved: list[int] = field(default_factory=list)
    disputed: list[int] = field(default_factory=list)
    """Problems called infeasible for which Clarabel has a proven optimum."""

    def add(self, seed: int, sizes: tuple[int, ...] = SIZES) -> None:
        """Solve one problem by both."""
        covariance, linear, constraints = random_problem(seed, sizes)
        problem = Problem.of(curvature(covariance), linear, constraints)
        started = time.perf_counter()
        answer = None
        try:
            answer = solve(problem)
        except InfeasibleError:
            self.answered["infeasible"] += 1
        except UnsolvedError:
            self.answered["unsolved"] += 1
            self.unsolved.append(seed)
        self.longest = max(self.longest, time.perf_counter() - started)
        other = solve_clarabel(expand(problem)).point
        sound = residual(problem, other) <= 1e-6
        if answer is None:
            if sound:
                self.disputed.append(seed)
            return
        self.answered[answer.solver] += 1
        self.worst_residual = max(self.worst_residual, answer.residual)
        if sound:
            self.compared += 1
            self.worst_gap = max(self.worst_gap, relative_gap(problem, answer.point.weights, other.weights))


def relative_gap(problem: Problem, weights: FloatArray, others: FloatArray) -> float:
    """Return by how much the objective at weights is above that at others, relative to its size or its terms'."""
    terms = abs(problem.linear) @ abs(others) + 0.5 * float(others @ problem.curvature.product(others))
    size = max(abs(problem.value(others)), float(terms), 1e-4 * problem.curvature.scale)
    return (problem.value(weights) - problem.value(others)) / (size or 1.0)


def main(count: int) -> None:
    tally = Tally()
    for seed in range(count):
        tally.add(seed)
    print(f"{count} problems of {min(SIZES)} to {max(SIZES)} assets")
    for name, answers in tally.answered.most_common():
        print(f"  {name:12} {answers}")
    print(f"worst residual {tally.worst_residual:.2e}; unsolved {tally.unsolved}; disputed {tally.disputed}")
    print(f"worst gap to Clarabel {tally.worst_gap:.2e} over {tally.compared} compared; longest {tally.longest:.3f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2_000)
