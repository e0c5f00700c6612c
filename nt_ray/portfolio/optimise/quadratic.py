"""The route of every quadratic problem: active set, the price of a cap, PIQP, Clarabel; or an error that says why not.

Guarantees that what it returns satisfies the optimality conditions within `certificate.PROVEN` and says who found it.
It never changes the problem and always ends: each stage has an iteration limit.
"""

from dataclasses import dataclass, replace

import numpy as np

from nt_ray.errors import RiskError
from nt_ray.portfolio.optimise.active_set import Attempt, block_active_set
from nt_ray.portfolio.optimise.certificate import PROVEN, residual
from nt_ray.portfolio.optimise.conflicts import conflicts, feasible
from nt_ray.portfolio.optimise.curvature import Dense
from nt_ray.portfolio.optimise.expansion import expand
from nt_ray.portfolio.optimise.interior import Interior, solve_clarabel, solve_piqp
from nt_ray.portfolio.optimise.point import ActiveSet, Point
from nt_ray.portfolio.optimise.priced import price_cap
from nt_ray.portfolio.optimise.problem import Problem
from nt_ray.portfolio.optimise.solution import InfeasibleError, UnsolvedError
from nt_ray.portfolio.optimise.start import guess, located
from nt_ray.types import FloatArray

_NEAR = 1e-6
"""Distance, relative to the largest weight, within which an interior-point answer sits at a breakpoint."""
_SHIFTS = (1e-6, 1e-4)
"""What proximal steps add to the diagonal, relative to the mean variance: fast near the optimum; well conditioned."""
_MOST_PROXIMAL_STEPS = 10


@dataclass(frozen=True, slots=True)
class Answer:
    """A proven optimum of a problem."""

    point: Point
    active: ActiveSet | None
    solver: str
    residual: float
    iterations: int


def solve(problem: Problem, warm: object = None) -> Answer:
    """Return the proven optimum of a convex problem; `warm` is the active set of a similar one."""
    answer = solve_if_feasible(problem, warm)
    if answer is None:
        raise InfeasibleError(conflicts(problem))
    return answer


def solve_if_feasible(problem: Problem, warm: object = None) -> Answer | None:
    """Return the proven optimum, or None where no weights satisfy all constraints."""
    start = warm if isinstance(warm, ActiveSet) and warm.fits(problem) else guess(problem)
    attempt = block_active_set(problem, start)
    answer = _proven(problem, attempt, "active_set")
    if answer is not None:
        return answer
    if attempt.indefinite and isinstance(problem.curvature, Dense):
        problem.curvature.prove()
    priced = None if problem.uncapped else price_cap(problem, start)
    answer = None if priced is None else _proven(problem, priced, "active_set")
    if answer is not None:
        return answer
    return _interior(problem, attempt.steps)


def _interior(problem: Problem, steps: int) -> Answer | None:
    expansion = expand(problem)
    best, doubtful = np.inf, True
    for name, solver in (("piqp", solve_piqp), ("clarabel", solve_clarabel)):
        found = solver(expansion)
        steps += found.iterations
        answer, reached = _finish(problem, found, name)
        if answer is not None:
            return replace(answer, iterations=steps)
        best = min(best, reached)
        if doubtful and not feasible(problem):
            return None
        doubtful = False
        if found.unbounded:
            raise RiskError("The objective has no limit under these constraints. Give finite bounds or a budget.")
    raise UnsolvedError(f"No solver reached a residual of {PROVEN:g}: the best has {best:.3g}. Rescale the inputs.")


def _finish(problem: Problem, found: Interior, name: str) -> tuple[Answer | None, float]:
    """Return the exact answer on the active set that an interior point shows, or else the point where it is proven."""
    point = found.point
    if not np.isfinite(point.weights).all():
        return None, np.inf
    size = float(np.abs(point.weights).max()) or 1.0
    active = located(problem, point.weights, _NEAR * size)
    answer = _proven(problem, block_active_set(problem, active), name) or _proximal(problem, point, active, name)
    if answer is not None:
        return answer, answer.residual
    inside = Point(np.clip(point.weights, problem.lower, problem.upper), point.rows, point.caps)
    reached = residual(problem, inside)
    if reached <= PROVEN:
        return Answer(inside, located(problem, inside.weights, _NEAR * size), name, reached, 0), reached
    return None, reached


def _proximal(problem: Problem, point: Point, active: ActiveSet, name: str) -> Answer | None:
    """Return the exact answer near a point where the form is singular, by proximal steps (Rockafellar 1976).

    Each step adds a little to the diagonal, centred at the last answer, so that its own pull vanishes at the optimum.
    """
    unit = problem.curvature.scale or 1.0
    for shift in _SHIFTS:
        answer = _proximal_at(problem, shift * unit, point.weights, active, name)
        if answer is not None:
            return answer
    return None


def _proximal_at(problem: Problem, amount: float, weights: FloatArray, active: ActiveSet, name: str) -> Answer | None:
    shifted = problem.with_curvature(problem.curvature.shifted(amount))
    for _ in range(_MOST_PROXIMAL_STEPS):
        attempt = block_active_set(replace(shifted, linear=problem.linear - amount * weights), active)
        if attempt.point is None:
            return None
        answer = _proven(problem, attempt, name)
        if answer is not None:
            return answer
        weights, active = attempt.point.weights, attempt.active
    return None


def _proven(problem: Problem, attempt: Attempt, name: str) -> Answer | None:
    if attempt.point is None:
        return None
    point = Point(np.clip(attempt.point.weights, problem.lower, problem.upper), attempt.point.rows, attempt.point.caps)
    reached = residual(problem, point)
    if reached > PROVEN:
        return None
    return Answer(point, attempt.active, name, reached, attempt.steps)
