"""Interior point: the minimum of a smooth convex function in a region, under at most one smooth convex limit.

Primal-dual, started from anywhere inside the function's domain: Boyd and Vandenberghe (2004), section 11.7, with slacks
so that constraints need not hold at the start. The residual it returns is that of the KKT conditions, computed afresh
from the multipliers; nothing above `ACCEPTED` is ever returned.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from nt_ray.errors import RiskError
from nt_ray.portfolio.optimise.solution import UnsolvedError
from nt_ray.risk.kelly.objectives import NegativeGrowth, Smooth
from nt_ray.risk.kelly.region import Region
from nt_ray.types import FloatArray

TARGET, ACCEPTED = 1e-13, 1e-8
MOST_STEPS = 200
SMALLEST_SLACK = 1e-100
PATIENCE, LAST_PATIENCE = 4, 30
"""Steps without a residual halved after which an accepted one is taken, or any other given up."""
FARTHEST = 1e9
"""Stakes beyond this multiple of wealth say that growth has no bound."""


@dataclass(frozen=True, slots=True)
class Optimum:
    """A minimum, its multipliers and its proof."""

    x: FloatArray
    multipliers: FloatArray
    """Of the region's inequalities, in the order of `Region.violations`, then of the limit if there is one."""
    residual: float
    iterations: int


@dataclass(slots=True)
class _State:
    """Point, slacks, multipliers of inequalities and of equalities."""

    x: FloatArray
    s: FloatArray
    z: FloatArray
    y: FloatArray


class _Problem:
    """Residuals and Newton steps of the KKT conditions, with the objective scaled to a slope of order one.

    A growth -sum p log(w) joins the inequalities: w > 0 are rows whose slack times multiplier must come to p instead of
    zero. Newton then sees multipliers instead of p / w^2 and does not crawl where an unlikely outcome nearly ruins.
    """

    def __init__(self, objective: Smooth, region: Region, limit: Smooth | None, scale: float) -> None:
        self.objective, self.plain, self.limit, self.scale = objective, region, limit, scale
        self.region, self.fixed, self.logs = region, np.zeros(0), slice(0, 0)
        if isinstance(objective, NegativeGrowth):
            outcomes = objective.probabilities.size
            ordinary = region.ceilings.size + region.floors.size + region.limits.size
            self.region = region.with_rows(-objective.returns, np.full(outcomes, objective.base), "wealth")
            self.fixed, self.logs = objective.probabilities / scale, slice(ordinary, ordinary + outcomes)

    def inequalities(self, x: FloatArray) -> FloatArray:
        plain = self.region.violations(x)
        return plain if self.limit is None else np.append(plain, self.limit.value(x))

    def ordinary(self, values: FloatArray) -> FloatArray:
        """Leave out the rows that carry the growth."""
        return np.delete(values, self.logs)

    def targets(self, size: int, target: float) -> FloatArray:
        """What slacks times multipliers shall come to."""
        found = np.full(size, target)
        found[self.logs] = self.fixed
        return found

    def inside(self, x: FloatArray) -> bool:
        held = np.isfinite(self.objective.value(x))
        return bool(held and (self.limit is None or np.isfinite(self.limit.value(x))))

    def residuals(self, at: _State) -> tuple[FloatArray, FloatArray, FloatArray]:
        plain = at.z if self.limit is None else at.z[:-1]
        slope = self.region.pull(plain) + self.region.equal.T @ at.y
        if not self.fixed.size:
            slope = slope + self.objective.gradient(at.x) / self.scale
        if self.limit is not None:
            slope = slope + at.z[-1] * self.limit.gradient(at.x)
        return slope, self.inequalities(at.x) + at.s, self.region.equal @ at.x - self.region.values

    def proof(self, at: _State) -> float:
        """Largest violation of the KKT conditions, with slacks and the growth's slope taken from the point itself."""
        z = self.ordinary(at.z)
        slope = self.objective.gradient(at.x) / self.scale + self.plain.equal.T @ at.y
        slope = slope + self.plain.pull(z if self.limit is None else z[:-1])
        if self.limit is not None:
            slope = slope + z[-1] * self.limit.gradient(at.x)
        violation = self.ordinary(self.inequalities(at.x))
        equal = self.plain.equal @ at.x - self.plain.values
        sizes = (np.abs(slope), violation, np.abs(z * violation), np.abs(equal))
        return float(max(part.max(initial=0.0) for part in sizes))

    def newton(self, at: _State) -> "_Newton":
        weights = at.z / at.s
        size = at.x.size
        matrix = np.zeros((size, size)) if self.fixed.size else self.objective.hessian(at.x) / self.scale
        normal = None
        if self.limit is None:
            matrix = matrix + self.region.curvature(weights)
        else:
            normal = self.limit.gradient(at.x)
            matrix = matrix + self.region.curvature(weights[:-1]) + at.z[-1] * self.limit.hessian(at.x)
            matrix += weights[-1] * np.outer(normal, normal)
        return _Newton(self.region, normal, matrix)


class _Newton:
    """One factorisation, used for the prediction and for the step itself."""

    def __init__(self, region: Region, normal: FloatArray | None, matrix: FloatArray) -> None:
        self.region, self.normal = region, normal
        self.matrix, self.factor = matrix, _factorise(matrix)
        self.carried = self._solve(region.equal.T) if region.values.size else None

    def step(
        self, at: _State, residuals: tuple[FloatArray, FloatArray, FloatArray], target: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        slope, primal, equal = residuals
        bent = (target - at.s * at.z + at.z * primal) / at.s
        right = -slope - self._pull(bent)
        dx = self._solve(right)
        dy = np.zeros_like(at.y)
        if self.carried is not None:
            schur = self.region.equal @ self.carried
            dy = np.asarray(np.linalg.lstsq(schur, self.region.equal @ dx + equal, rcond=None)[0], dtype=np.float64)
            dx = dx - self.carried @ dy
        moved = self._push(dx)
        return dx, -primal - moved, bent + at.z / at.s * moved, dy

    def _solve(self, right: FloatArray) -> FloatArray:
        """Solve, with two refinements that take back what was added to the diagonal."""
        found = cho_solve(self.factor, right)
        for _ in range(2):
            found = found + cho_solve(self.factor, right - self.matrix @ found)
        return np.asarray(found)

    def _pull(self, z: FloatArray) -> FloatArray:
        if self.normal is None:
            return self.region.pull(z)
        return np.asarray(self.region.pull(z[:-1]) + z[-1] * self.normal)

    def _push(self, dx: FloatArray) -> FloatArray:
        plain = self.region.push(dx)
        return plain if self.normal is None else np.append(plain, self.normal @ dx)


def minimise(
    objective: Smooth, region: Region, *, start: FloatArray, limit: Smooth | None = None, scale: float = 1.0
) -> Optimum:
    """Minimise in a region, subject to limit(x) <= 0.

    Parameters
    ----------
    objective, limit
        Smooth convex functions; the start lies in the domain of both.
    start
        (N,); it need not satisfy the constraints.
    scale
        Typical size of the objective's slope; residuals are relative to it.
    """
    problem = _Problem(objective, region, limit, scale)
    at = _first(problem, start)
    best, iterations, stalled = (problem.proof(at), at), 0, 0
    for iterations in range(1, MOST_STEPS + 1):  # noqa: B007  the count is part of the answer
        moved = _advance(problem, at)
        if moved is None:
            break
        at = moved
        if np.abs(at.x).max() > FARTHEST:
            raise RiskError("Growth has no bound: some mix of bets gains and never loses. Give bounds or a bankroll.")
        seen = (problem.proof(at), at)
        stalled = stalled + 1 if seen[0] > 0.5 * best[0] else 0
        best = min(best, seen, key=lambda found: found[0])
        if best[0] < TARGET or stalled >= (PATIENCE if best[0] <= ACCEPTED else LAST_PATIENCE):
            break
    if not best[0] <= ACCEPTED:
        region.check_feasible()
        raise UnsolvedError(
            f"The interior point stopped at a residual of {best[0]:.3g}, above {ACCEPTED:g}. Rescale or relax the bets."
        )
    residual, at = _settled(problem, *best)
    return Optimum(at.x, at.z, residual, iterations)


def _first(problem: _Problem, start: FloatArray) -> _State:
    x = np.array(start, dtype=np.float64)
    s = np.maximum(-problem.inequalities(x), 0.1)
    z = np.ones(s.size)
    z[problem.logs] = problem.fixed / s[problem.logs]
    return _State(x, s, z, np.zeros(problem.region.values.size))


def _advance(problem: _Problem, at: _State) -> _State | None:
    """One centred Newton step, damped until the residuals shrink; None where none can."""
    if at.s.min(initial=1.0) < SMALLEST_SLACK:
        return None
    residuals = problem.residuals(at)
    newton = problem.newton(at)
    target = problem.targets(at.s.size, 0.0)
    if at.s.size > problem.fixed.size:
        target = problem.targets(at.s.size, _centre(problem, at, newton.step(at, residuals, target)))
    dx, ds, dz, dy = newton.step(at, residuals, target)
    size = _longest(at, ds, dz)
    before = _merit(residuals, at, target)
    for _ in range(25):
        tried = _State(at.x + size * dx, at.s + size * ds, at.z + size * dz, at.y + size * dy)
        if problem.inside(tried.x):
            merit = _merit(problem.residuals(tried), tried, target)
            if merit <= (1.0 - 1e-3 * size) * before:
                return tried
        size /= 2.0
    return None


def _centre(problem: _Problem, at: _State, affine: tuple[FloatArray, ...]) -> float:
    """Mehrotra's choice: aim low where the affine step alone goes far."""
    _, ds, dz, _ = affine
    size = _longest(at, ds, dz)
    gap = float(np.mean(problem.ordinary(at.s * at.z)))
    ahead = float(np.mean(problem.ordinary((at.s + size * ds) * (at.z + size * dz))))
    return gap * float(np.clip((ahead / gap) ** 3, 1e-4, 0.5))


def _longest(at: _State, ds: FloatArray, dz: FloatArray) -> float:
    """Longest step that keeps slacks and multipliers positive, with a margin."""
    size = 1.0
    for value, change in ((at.s, ds), (at.z, dz)):
        falling = change < 0.0
        if falling.any():
            with np.errstate(over="ignore"):
                size = min(size, 0.995 * float(np.min(-value[falling] / change[falling])))
    return size


def _merit(residuals: tuple[FloatArray, FloatArray, FloatArray], at: _State, target: FloatArray) -> float:
    squares = sum(float(part @ part) for part in residuals)
    complement = at.s * at.z - target
    return float(np.sqrt(squares + complement @ complement))


def _settled(problem: _Problem, residual: float, at: _State) -> tuple[float, _State]:
    """Put what lies within rounding of a bound exactly there, so that a stake of nothing is nothing."""
    place, x = problem.region, at.x.copy()
    above, below = place.ceilings, place.floors
    upper = at.z[: above.size] > np.abs(place.upper[above] - x[above])
    lower = at.z[above.size : above.size + below.size] > np.abs(x[below] - place.lower[below])
    x[above[upper]] = place.upper[above[upper]]
    x[below[lower]] = place.lower[below[lower]]
    if not problem.inside(x):
        return residual, at
    settled = _State(x, at.s, at.z, at.y)
    reached = problem.proof(settled)
    return (reached, settled) if reached <= max(2.0 * residual, 1e-9) else (residual, at)


def _factorise(matrix: FloatArray) -> tuple[FloatArray, bool]:
    """Cholesky, with as little added to the diagonal as makes it succeed."""
    size = float(np.abs(np.diag(matrix)).max(initial=0.0)) or 1.0
    diagonal = np.arange(matrix.shape[0])
    for added in (1e-15, 1e-13, 1e-11, 1e-9, 1e-7):
        lifted = matrix.copy()
        lifted[diagonal, diagonal] += added * size
        try:
            factor, low = cho_factor(lifted, lower=True, check_finite=False)
        except LinAlgError:
            continue
        return factor, low
    raise UnsolvedError("The bets' curvature cannot be factorised. Drop bets that repeat one another.")
