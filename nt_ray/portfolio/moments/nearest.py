"""The nearest positive semi-definite matrix, always with a report of what it cost.

Nothing calls this unasked: who repairs a matrix decides to, and can show by how much it was changed.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from nt_ray.errors import RiskError
from nt_ray.portfolio.moments.checks import check_covariance
from nt_ray.portfolio.moments.standard import join, split
from nt_ray.types import FloatArray

RepairMethod: TypeAlias = Literal["higham", "clip"]
_ITERATIONS = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """A positive semi-definite matrix and how it differs from what was given."""

    matrix: FloatArray
    """(N, N); its diagonal is that of the given one."""
    method: str
    changed: bool
    smallest_before: float
    """Smallest eigenvalue of the given correlations."""
    smallest_after: float
    distance: float
    """Frobenius norm of the change of the correlations."""
    largest_change: float
    """Largest change of one correlation."""
    iterations: int

    def describe(self) -> str:
        """Say in one sentence what was changed."""
        if not self.changed:
            return "The matrix was positive semi-definite and is unchanged."
        return (
            f"Correlations were repaired ({self.method}): the smallest eigenvalue rose from {self.smallest_before:.3g} "
            f"to {self.smallest_after:.3g}, no correlation moved by more than {self.largest_change:.3g}."
        )


def nearest_psd(
    covariance: npt.ArrayLike, *, method: RepairMethod = "higham", floor: float = 0.0, tolerance: float = 1e-10
) -> Repair:
    """Return the covariance or correlation matrix (N, N) with the same variances that is positive semi-definite.

    Parameters
    ----------
    covariance
        (N, N), finite and symmetric, with positive variances.
    method
        higham: the nearest correlations in the Frobenius norm, by alternating projections. clip: eigenvalues below
        the floor are raised to it and the diagonal is scaled back to one; one decomposition, but not the nearest.
    floor
        Smallest eigenvalue that the correlations shall have, 0 <= floor < 1; above zero the result can be inverted.
    tolerance
        Relative change of one round of projections at which they stop.

    Notes
    -----
    Source: Higham (2002), Computing the nearest correlation matrix, IMA Journal of Numerical Analysis 22, 329-343,
    algorithm 3.3, whose example the test holds.
    """
    if method not in get_args(RepairMethod):
        raise RiskError(f"Unknown method {method!r}. Known: {', '.join(get_args(RepairMethod))}.")
    if not 0.0 <= floor < 1.0:
        raise RiskError(f"floor={floor} does not lie in [0, 1). Use a small value such as 1e-8.")
    matrix = check_covariance(covariance)
    given, volatilities = split(matrix)
    given = (given + given.T) * 0.5
    before = float(np.linalg.eigvalsh(given)[0])
    if before >= floor:
        return Repair(
            matrix=matrix, method=method, changed=False, smallest_before=before, smallest_after=before, distance=0.0,
            largest_change=0.0, iterations=0,
        )  # fmt: skip
    found, iterations = (_clip(given, floor), 0) if method == "clip" else _alternate(given, floor, tolerance)
    found = _lift(found, floor)
    change = found - given
    return Repair(
        matrix=join(found, volatilities), method=method, changed=True, smallest_before=before,
        smallest_after=float(np.linalg.eigvalsh(found)[0]), distance=float(np.linalg.norm(change)),
        largest_change=float(np.abs(change).max()), iterations=iterations,
    )  # fmt: skip


def _alternate(given: FloatArray, floor: float, tolerance: float) -> tuple[FloatArray, int]:
    """Project on the semi-definite matrices and on unit diagonals in turn, with Dykstra's correction."""
    current = given.copy()
    correction = np.zeros_like(given)
    for iteration in range(1, _ITERATIONS + 1):
        shifted = current - correction
        raised = _raise(shifted, floor)
        correction = raised - shifted
        following = raised.copy()
        np.fill_diagonal(following, 1.0)
        # The gap between the two sets bounds how far the result is from both.
        if float(np.linalg.norm(following - current)) <= tolerance * float(np.linalg.norm(following)):
            return following, iteration
        current = following
    raise RiskError(
        f"The nearest correlations were not reached in {_ITERATIONS} rounds. Use method='clip' or a wider tolerance."
    )


def _raise(matrix: FloatArray, floor: float) -> FloatArray:
    values, vectors = np.linalg.eigh(matrix)
    raised = (vectors * np.maximum(values, floor)) @ vectors.T
    return np.asarray((raised + raised.T) * 0.5)


def _clip(matrix: FloatArray, floor: float) -> FloatArray:
    raised, _ = split(_raise(matrix, floor))
    return np.asarray((raised + raised.T) * 0.5)


def _lift(matrix: FloatArray, floor: float) -> FloatArray:
    """Blend in as much of the identity as lifts the smallest eigenvalue, off by little, to the floor."""
    smallest = float(np.linalg.eigvalsh(matrix)[0])
    if smallest >= floor:
        return matrix
    share = (floor - smallest) / (1.0 - smallest)
    lifted = (1.0 - share) * matrix
    np.fill_diagonal(lifted, 1.0)
    return np.asarray(lifted)
