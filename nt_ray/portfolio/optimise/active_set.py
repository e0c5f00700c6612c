"""Block active set: guess which weights and rows are at a limit, solve the rest exactly, move all that disagree.

The rule for what moves is block principal pivoting (Júdice and Pires 1994): everything that disagrees moves at once
while that lowers the number of disagreements, and one at a time where it has stopped doing so.
The answer is proven elsewhere (`certificate`); this file guarantees only that it ends.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from nt_ray.portfolio.optimise.point import ActiveSet, Point
from nt_ray.portfolio.optimise.problem import Problem
from nt_ray.portfolio.optimise.system import System
from nt_ray.types import ByteArray

MOST_STEPS: Final = 30
_PATIENCE: Final = 5
"""Block moves without progress before moving one at a time."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """Where the active set ended."""

    point: Point | None
    active: ActiveSet
    steps: int
    settled: bool
    """Whether nothing wanted to move any more."""
    indefinite: bool = False
    """Whether the form was not positive definite on the free weights."""


def block_active_set(problem: Problem, start: ActiveSet, *, most_steps: int = MOST_STEPS) -> Attempt:
    """Return where block pivoting from a start ends, after at most so many linear systems."""
    places, sides = start.places.copy(), start.sides.copy()
    fewest, patience = problem.assets + sides.size + 1, _PATIENCE
    point = None
    for step in range(1, most_steps + 1):
        system = System(problem, places, sides)
        rows = point.rows if point is not None else np.zeros(problem.low.size)
        point = system.solve()
        for _ in range(1 + np.count_nonzero(sides)):
            if point is not None or system.indefinite or not system.free_more(rows):
                break
            point = system.solve()
        if point is None:
            return Attempt(None, ActiveSet(places, sides), step, False, system.indefinite)
        moved_places, moved_sides, count = system.moves(point)
        if count == 0:
            return Attempt(point, ActiveSet(system.places, sides), step, True)
        if count < fewest:
            fewest, patience = count, _PATIENCE
        elif patience > 0:
            patience -= 1
        else:
            moved_places, moved_sides = _one_move(system.places, sides, moved_places, moved_sides)
        places, sides = moved_places, moved_sides
    return Attempt(point, ActiveSet(places, sides), most_steps, False)


def _one_move(
    places: ByteArray, sides: ByteArray, moved_places: ByteArray, moved_sides: ByteArray
) -> tuple[ByteArray, ByteArray]:
    """Return the guess with only the last of all moves made, rows counting as last."""
    turned = np.flatnonzero(sides != moved_sides)
    places, sides = places.copy(), sides.copy()
    if turned.size:
        sides[turned[-1]] = moved_sides[turned[-1]]
        return places, sides
    last = np.flatnonzero(places != moved_places)[-1]
    places[last] = moved_places[last]
    return places, sides
