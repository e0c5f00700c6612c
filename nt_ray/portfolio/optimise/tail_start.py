"""Where the search for the smallest expected shortfall begins: plausible assets, plausible tail, a feasible point.

Plausible assets are those that the single-index model holds in its minimum-variance portfolio, which has a closed form
(Elton, Gruber and Padberg, 1976, Simple criteria for optimal portfolio selection): weights go with (1 - beta / cutoff)
/ residual variance. A poor guess costs rounds, never the optimum.
"""

import math

import highspy
import numpy as np

from nt_ray.portfolio.optimise.problem import BUDGET
from nt_ray.portfolio.optimise.segments import Segments
from nt_ray.portfolio.optimise.tail_program import TailProgram, new_solver, starts
from nt_ray.types import BoolArray, FloatArray, IntArray

PLAUSIBLE = 60
"""Segments in each direction to start with."""
COLD_TAIL, WARM_TAIL = 4.0, 1.5
"""Scenarios to start with, in multiples of the tail."""


def start(program: TailProgram, held: FloatArray | None) -> tuple[IntArray, IntArray] | None:
    """Return scenarios and segments to begin with, or None where no point is feasible.

    `held` (N,) are weights that are thought near the optimum, such as yesterday's.
    """
    segments = program.segments
    scores = _scores(program.returns) if held is None else held
    upwards = segments.upper > 0.0
    scores = np.where(upwards, scores[segments.assets], -scores[segments.assets])
    columns = _best(scores, upwards, held) | _best(scores, ~upwards, held)
    feasible = _feasible(segments, scores, columns)
    if feasible is None:
        return None
    columns |= feasible != 0.0
    weights = segments.weights(feasible) if held is None else held
    tail = (1.0 - program.confidence) * len(program.returns)
    count = min(len(program.returns), math.ceil((COLD_TAIL if held is None else WARM_TAIL) * tail) + 1)
    worst = np.argpartition(-program.losses(weights), count - 1)[:count]
    return np.sort(worst), np.flatnonzero(columns)


def _scores(returns: FloatArray) -> FloatArray:
    """(N,) weights, up to a factor, of the single-index minimum-variance portfolio without a limit on shorts."""
    market = returns.mean(axis=1)
    market -= market.mean()
    mass = float(market @ market)
    squares = np.einsum("ti,ti->i", returns, returns) - len(returns) * returns.mean(axis=0) ** 2
    if not mass > 0.0:
        return np.asarray(1.0 / np.maximum(squares, 1e-300))
    beta = (market @ returns) / mass
    residual = np.maximum(squares - beta**2 * mass, 1e-6 * float(squares.mean()) + 1e-300)
    order = np.argsort(beta)
    squared, plain = np.cumsum((beta**2 / residual)[order]), np.cumsum((beta / residual)[order])
    # As long as the betas so far sum to no market risk there is nothing to cut off.
    cutoffs = np.where(plain > 0.0, (1.0 / mass + squared) / np.where(plain > 0.0, plain, 1.0), np.inf)
    held = np.flatnonzero(beta[order] < cutoffs)
    cutoff = cutoffs[held[-1]] if held.size else cutoffs[0]
    scores: FloatArray = (1.0 - beta / cutoff) / residual
    return scores


def _best(scores: FloatArray, side: BoolArray, held: FloatArray | None) -> BoolArray:
    """Segments of one side that score highest; of yesterday's weights, those that were held."""
    chosen = np.zeros(len(scores), dtype=np.bool_)
    if held is not None:
        chosen[side & (scores > 0.0)] = True
        return chosen
    members = np.flatnonzero(side)
    if len(members) > PLAUSIBLE:
        members = members[np.argpartition(-scores[members], PLAUSIBLE)[:PLAUSIBLE]]
    chosen[members] = True
    return chosen


def _feasible(segments: Segments, scores: FloatArray, columns: BoolArray) -> FloatArray | None:
    """(K,) moves that satisfy all rows, or None."""
    if segments.problem.names == (BUDGET,) and len(segments.rows) == 1:
        return _filled(segments, scores, columns, float(segments.row_lower[0]))
    return _vertex(segments)


def _filled(segments: Segments, scores: FloatArray, columns: BoolArray, budget: float) -> FloatArray | None:
    """Fill what scores high until the budget is met, in proportion to the scores and up to the limits."""
    ends = np.where(segments.upper > 0.0, segments.upper, segments.lower)
    right = ends * budget > 0.0
    room = np.where(right, np.abs(ends), 0.0)
    if budget == 0.0:
        return np.zeros(len(room))
    missing = abs(budget)
    if room.sum() < missing * (1.0 - 1e-12):
        return None
    appeal = np.where(columns & right, np.maximum(scores, 0.0), 0.0)
    moved = np.zeros(len(room))
    for _ in range(8):
        open_ = (moved < room) & (appeal > 0.0)
        if missing <= 1e-12 or not open_.any():
            break
        moved[open_] += np.minimum(missing * appeal[open_] / appeal[open_].sum(), (room - moved)[open_])
        missing = abs(budget) - float(moved.sum())
    for at in np.argsort(-np.where(right, scores, -np.inf)):
        if missing <= 1e-12:
            break
        more = min(missing, room[at] - moved[at])
        moved[at] += more
        missing -= more
    return np.asarray(np.sign(budget) * moved)


def _vertex(segments: Segments) -> FloatArray | None:
    """Solve for a vertex that satisfies all rows, or return None."""
    many, deep = len(segments.assets), len(segments.rows)
    solver = new_solver(segments.row_lower, segments.row_upper)
    solver.addCols(
        many, np.zeros(many), segments.lower, segments.upper, many * deep, starts(many, deep),
        np.tile(np.arange(deep, dtype=np.int32), many), np.ascontiguousarray(segments.rows.T).ravel(),
    )  # fmt: skip
    solver.run()
    if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return None
    return np.array(solver.getSolution().col_value)
