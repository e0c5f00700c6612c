"""What every optimiser answers: weights, which solver found them, and how far they are from the proof of an optimum."""

from dataclasses import dataclass, field
from typing import Any

from nt_ray.errors import RiskError
from nt_ray.types import FloatArray


class InfeasibleError(RiskError):
    """No weights satisfy all constraints."""

    code = "infeasible"

    def __init__(self, conflicts: tuple[str, ...]) -> None:
        super().__init__(
            f"No weights satisfy these constraints together: {'; '.join(conflicts)}. Relax at least one of them."
        )
        self.conflicts = conflicts


class UnsolvedError(RiskError):
    """No solver reached the required accuracy."""

    code = "unsolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """An optimum, or the best of a rule that is no optimisation (HRP)."""

    weights: FloatArray
    """(N,) weights, in the order of the assets."""
    objective: float
    """Value of the stated objective at the weights, in the caller's units."""
    solver: str
    """Who answered: active_set, piqp, clarabel, highs, coordinate_descent, closed_form, cvxpy, ..."""
    residual: float
    """Largest violation of the optimality conditions, relative to the problem's scale; NaN where a method has none."""
    iterations: int
    seconds: float
    repairs: tuple[str, ...] = ()
    """What was changed in the input because the caller asked for it; empty otherwise."""
    gap: float = 0.0
    """Proven distance to the best possible objective, relative; above zero only where whole choices were cut short."""
    warm: Any = field(default=None, repr=False, compare=False)
    """Where the next solve of a similar problem may start."""
