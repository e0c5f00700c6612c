"""A point that a solver claims to be optimal, and the active set that it rests on."""

from dataclasses import dataclass

from nt_ray.portfolio.optimise.problem import Problem
from nt_ray.types import ByteArray, FloatArray


@dataclass(frozen=True, slots=True)
class ActiveSet:
    """Where each weight and each row sits; a start for the next similar problem."""

    places: ByteArray
    """(N,)"""
    sides: ByteArray
    """(m + 2,) rows, then turnover, then the gross sum."""

    def fits(self, problem: Problem) -> bool:
        """Tell whether it was made for a problem of this shape."""
        widest = 2 * (problem.breaks.shape[1] - 1)
        return (
            self.places.shape == (problem.assets,)
            and self.sides.shape == (problem.low.size + 2,)
            and int(self.places.max(initial=0)) <= widest
        )


@dataclass(frozen=True, slots=True)
class Point:
    """Weights with their multipliers: what a solver claims to be optimal."""

    weights: FloatArray
    rows: FloatArray
    """(m,) multiplier of each row, positive at its high."""
    caps: FloatArray
    """(2,) multipliers of turnover and of the gross sum."""
