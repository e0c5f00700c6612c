"""One step of the active set: the linear system that a guess leaves, and what disagrees with its solution.

Weights sit at a breakpoint (even place 2j) or on the piece after it (odd place 2j + 1); rows sit at their low (-1),
inside (0) or at their high (1). Fixing all of that leaves one linear system in the free weights.
"""

from typing import Final

import numpy as np
from numba import float64, int8, int64, njit, types
from scipy.linalg.lapack import dpotrf, dpotrs

from nt_ray.portfolio.optimise.curvature import Solver
from nt_ray.portfolio.optimise.point import Point
from nt_ray.portfolio.optimise.problem import Problem
from nt_ray.types import ByteArray, FloatArray, IntArray

_SLACK: Final = 1e-12
"""Relative distance that counts as rounding when deciding what moves."""
_REPEATED: Final = 1e-7
"""Relative pivot below which active rows say the same of the free weights."""
_CANCELLED: Final = 1e2
"""How much larger than the weights a solution may be before multipliers are taken off."""

_MATRIX = types.Array(float64, 2, "C", readonly=True)
_VECTOR = types.Array(float64, 1, "C", readonly=True)


class System:
    """The linear system that one guess of the active set leaves."""

    def __init__(self, problem: Problem, places: ByteArray, sides: ByteArray) -> None:
        self.problem, self.places, self.sides = problem, places, sides
        self.indefinite = False
        self._start()

    def _start(self) -> None:
        self.fixed = np.empty(self.problem.assets)
        self.free = _place(self.problem.breaks, self.places, self.fixed)
        self.gradient = self.problem.linear + self.problem.curvature.product(self.fixed)

    def free_more(self, rows: FloatArray) -> bool:
        """Free one more weight, since rows need free weights to hold them: at a vertex as many as there are rows.

        The row furthest from its limit is filled by the weights that cost least at the given multipliers, each
        up to its next breakpoint; the one in which it is met becomes free.
        """
        problem, places = self.problem, self.places
        weights = np.where(places % 2 == 1, np.clip(0.0, problem.lower, problem.upper), self.fixed)
        loadings, short = self._shortest_row(weights)
        towards = np.sign(loadings) * (1.0 if short >= 0.0 else -1.0)
        return self._fill(loadings, short, towards, rows) or (
            short == 0.0 and self._fill(loadings, 0.0, -towards, rows)
        )

    def _fill(self, loadings: FloatArray, short: float, towards: FloatArray, rows: FloatArray) -> bool:
        """Fill one row by moving weights one way; return whether some weight could move."""
        problem, places = self.problem, self.places.copy()
        price = (self.gradient + rows @ problem.rows) * towards
        order = np.argsort(price / np.maximum(np.abs(loadings), 1e-300), kind="stable")
        last, last_piece = -1, -1
        for at in order:
            if places[at] % 2 or towards[at] == 0.0:
                continue
            piece = _piece(problem.breaks[at], int(places[at]) // 2, bool(towards[at] > 0.0))
            if piece < 0:
                continue
            room = abs(loadings[at]) * (problem.breaks[at, piece // 2 + 1] - problem.breaks[at, piece // 2])
            last, last_piece = at, piece
            if room >= abs(short):
                break
            short -= np.copysign(room, short)
            places[at] = piece + (1 if towards[at] > 0.0 else -1)
        if last < 0:
            return False
        places[last] = last_piece
        self.places = places
        self._start()
        return True

    def _shortest_row(self, weights: FloatArray) -> tuple[FloatArray, float]:
        """Return the loadings of the active row that is furthest from its limit, and what it misses."""
        problem = self.problem
        worst: tuple[FloatArray, float] = (np.ones(problem.assets), 0.0)
        for row in np.flatnonzero(self.sides[:-2]):
            bound = problem.high[row] if self.sides[row] > 0 else problem.low[row]
            short = float(bound - problem.rows[row] @ weights)
            if row == 0 or abs(short) > abs(worst[1]):
                worst = problem.rows[row], short
        return worst

    def solve(self) -> Point | None:
        """Return the point where the objective is stationary on the free weights, or None where there is none."""
        problem, free = self.problem, self.free
        pieces = (self.places[free] - 1) // 2
        slopes = problem.slopes[:, free, pieces]
        caps = np.flatnonzero(self.sides[-2:])
        held = np.flatnonzero(self.sides[:-2])
        active = np.concatenate([problem.rows[np.ix_(held, free)], slopes[1 + caps]])
        if free.size == 0 and not active.shape[0]:
            return Point(self.fixed, np.zeros(problem.low.size), np.zeros(2))
        if free.size < active.shape[0]:
            return None
        solver = problem.curvature.factorise(free)
        if solver is None:
            self.indefinite = True
            return None
        found = _stationary(solver, self.gradient[free] + slopes[0], active, self._targets(held, caps, slopes))
        if found is None:
            return None
        weights = self.fixed.copy()
        weights[free], multipliers = found
        rows = np.zeros(problem.low.size)
        rows[held] = multipliers[: held.size]
        both = np.zeros(2)
        both[caps] = multipliers[held.size :]
        return Point(weights, rows, both)

    def _targets(self, held: IntArray, caps: IntArray, slopes: FloatArray) -> FloatArray:
        """Return what the free weights must add to each active row."""
        problem = self.problem
        bounds = np.where(self.sides[held] > 0, problem.high[held], problem.low[held])
        targets = bounds - problem.rows[held] @ self.fixed
        if not caps.size:
            return np.asarray(targets)
        kinks = np.stack([problem.previous, np.zeros(problem.assets)])
        spent = np.abs(self.fixed - kinks)
        spent[:, self.free] = -slopes[1:] * kinks[:, self.free]
        limits = np.array(problem.caps) - spent.sum(axis=1)
        return np.concatenate([targets, limits[caps]])

    def moves(self, point: Point) -> tuple[ByteArray, ByteArray, int]:
        """Return the places and sides after everything that disagrees has moved, and how many did."""
        problem = self.problem
        weights = point.weights
        gradient = self.gradient
        if self.free.size:
            gradient = problem.linear + problem.curvature.product(weights)
        grip = max(float(np.abs(gradient).max()), float(np.abs(problem.linear).max()), 1e-300)
        gradient = gradient + point.rows @ problem.rows if point.rows.size else gradient
        slack = _SLACK * max(1e-300, float(np.abs(weights).max()))
        places = self.places.copy()
        slopes = problem.slopes
        count = _move(
            problem.breaks, slopes[0], slopes[1], slopes[2], point.caps, gradient, weights, slack, _SLACK * grip, places
        )
        sides, turned = self._turn(point, grip)
        return places, sides, count + turned

    def _turn(self, point: Point, grip: float) -> tuple[ByteArray, int]:
        problem, sides = self.problem, self.sides.copy()
        if not problem.ranged.size:
            return sides, self._turn_caps(point, grip, sides)
        sums = problem.rows @ point.weights
        reach = np.abs(problem.rows) @ np.abs(point.weights)
        slack = _SLACK * np.maximum(reach, 1e-300)
        turned = 0
        for row in problem.ranged:
            side = sides[row]
            if side == 0:
                sides[row] = int(sums[row] > problem.high[row] + slack[row]) - int(
                    sums[row] < problem.low[row] - slack[row]
                )
            elif side * point.rows[row] < -_SLACK * grip:
                sides[row] = 0
            turned += sides[row] != side
        return sides, turned + self._turn_caps(point, grip, sides)

    def _turn_caps(self, point: Point, grip: float, sides: ByteArray) -> int:
        turned = 0
        if self.problem.uncapped:
            return turned
        spent = self.problem.spent(point.weights)
        for cap, limit in enumerate(self.problem.caps):
            if limit == np.inf:
                continue
            at = sides.size - 2 + cap
            side = sides[at]
            if side == 0:
                sides[at] = spent[cap] > limit * (1.0 + _SLACK) + 1e-300
            elif point.caps[cap] < -_SLACK * grip:
                sides[at] = 0
            turned += sides[at] != side
        return turned


def _stationary(
    solver: Solver, gradient: FloatArray, active: FloatArray, targets: FloatArray
) -> tuple[FloatArray, FloatArray] | None:
    """Return free weights and multipliers where the objective is stationary and rows hold; None where rows repeat.

    Large gradients that the multipliers cancel would cost digits: what they cancel is taken off, and solved again.
    """
    if not active.shape[0]:
        return solver(-gradient[None])[0], np.empty(0)
    solved = solver(np.concatenate([-gradient[None], active]))
    upper, failed = dpotrf(active @ solved[1:].T)
    diagonal = np.abs(upper.diagonal())
    if failed or diagonal.min() <= _REPEATED * diagonal.max():
        return None
    multipliers = np.zeros(active.shape[0])
    plain = solved[0]
    for _ in range(3):
        change = np.atleast_1d(dpotrs(upper, active @ plain - targets)[0])
        multipliers = multipliers + change
        weights = plain - change @ solved[1:]
        if np.abs(plain).max() <= _CANCELLED * np.abs(weights).max():
            break
        plain = solver(-(gradient + multipliers @ active)[None])[0]
    return weights, multipliers


@njit(int8(types.Array(float64, 1, "C", readonly=True), int64, types.boolean), cache=True, nogil=True)
def _piece(breaks: FloatArray, at: int, upwards: bool) -> int:
    """Return the place of the next piece that has a length, from a breakpoint; -1 where there is none."""
    if upwards:
        for j in range(at, breaks.size - 1):
            if breaks[j + 1] > breaks[j]:
                return 2 * j + 1
        return -1
    for j in range(at - 1, -1, -1):
        if breaks[j + 1] > breaks[j]:
            return 2 * j + 1
    return -1


@njit(int64[::1](_MATRIX, types.Array(int8, 1, "C", readonly=True), float64[::1]), cache=True, nogil=True)
def _place(breaks: FloatArray, places: ByteArray, fixed: FloatArray) -> IntArray:
    """Write the weights at breakpoints, zero for free ones; return which are free."""
    free = np.empty(places.size, dtype=np.int64)
    count = 0
    for i in range(places.size):
        if places[i] % 2:
            fixed[i] = 0.0
            free[count] = i
            count += 1
        else:
            fixed[i] = breaks[i, places[i] // 2]
    return free[:count].copy()


@njit(
    int64(
        _MATRIX,
        _MATRIX,
        _MATRIX,
        _MATRIX,
        _VECTOR,
        _VECTOR,
        _VECTOR,
        float64,
        float64,
        int8[::1],
    ),
    cache=True,
    nogil=True,
)
def _move(
    breaks: FloatArray,
    cost: FloatArray,
    turnover: FloatArray,
    gross: FloatArray,
    caps: FloatArray,
    gradient: FloatArray,
    weights: FloatArray,
    slack: float,
    grip: float,
    places: ByteArray,
) -> int:
    """Move each weight that left its piece to the breakpoint it passed, and each that wants to leave its own off it."""
    moved = 0
    for i in range(places.size):
        j = places[i] // 2
        if places[i] % 2:
            if weights[i] < breaks[i, j] - slack:
                places[i] = 2 * j
                moved += 1
            elif weights[i] > breaks[i, j + 1] + slack:
                places[i] = 2 * j + 2
                moved += 1
            continue
        up = _piece(breaks[i], j, True)
        if up >= 0:
            p = up // 2
            if gradient[i] + cost[i, p] + caps[0] * turnover[i, p] + caps[1] * gross[i, p] < -grip:
                places[i] = up
                moved += 1
                continue
        down = _piece(breaks[i], j, False)
        if down >= 0:
            p = down // 2
            if gradient[i] + cost[i, p] + caps[0] * turnover[i, p] + caps[1] * gross[i, p] > grip:
                places[i] = down
                moved += 1
    return moved
