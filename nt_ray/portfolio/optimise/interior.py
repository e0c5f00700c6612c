"""Interior-point solvers for what the active set does not settle: PIQP, then Clarabel.

Each takes a problem written out and returns weights with multipliers, or says why there are none. Their word
is not taken for it: the caller checks the optimality conditions of what they return.
"""

from dataclasses import dataclass
from typing import Any, Final

import clarabel  # type: ignore[import-untyped]
import numpy as np
import piqp  # type: ignore[import-untyped]
from scipy import sparse

from nt_ray.portfolio.optimise.expansion import Expansion
from nt_ray.portfolio.optimise.point import Point
from nt_ray.types import FloatArray, IntArray

_MOST_ITERATIONS: Final = 250
_ACCURACY: Final = 1e-11


@dataclass(frozen=True, slots=True)
class Interior:
    """What an interior-point solver ended with."""

    point: Point
    iterations: int
    infeasible: bool
    unbounded: bool


def solve_piqp(expansion: Expansion) -> Interior:
    """Solve with PIQP, densely where the variables are the weights of a dense covariance."""
    dense = expansion.plain
    solver: Any = piqp.DenseSolver() if dense else piqp.SparseSolver()
    solver.settings.eps_abs = solver.settings.eps_rel = _ACCURACY
    solver.settings.eps_duality_gap_abs = solver.settings.eps_duality_gap_rel = _ACCURACY
    solver.settings.max_iter = _MOST_ITERATIONS

    def form(matrix: sparse.csc_matrix) -> Any:
        return np.asfortranarray(matrix.toarray()) if dense else matrix

    solver.setup(
        form(expansion.quadratic),
        expansion.linear,
        form(expansion.equal) if expansion.equal_to.size else None,
        expansion.equal_to if expansion.equal_to.size else None,
        form(expansion.between) if expansion.high.size else None,
        expansion.low if expansion.high.size else None,
        expansion.high if expansion.high.size else None,
        expansion.lower,
        expansion.upper,
    )
    status = solver.solve()
    result = solver.result
    between = result.z_u - result.z_l if expansion.high.size else np.empty(0)
    return Interior(
        expansion.point(result.x, result.y, between),
        int(result.info.iter),
        status == piqp.PIQP_PRIMAL_INFEASIBLE,
        status == piqp.PIQP_DUAL_INFEASIBLE,
    )


def solve_clarabel(expansion: Expansion) -> Interior:
    """Solve with Clarabel."""
    blocks, sides, kept = _one_sided(expansion)
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.max_iter = _MOST_ITERATIONS
    settings.tol_feas = settings.tol_gap_abs = settings.tol_gap_rel = _ACCURACY
    matrix = sparse.csc_matrix(sparse.vstack([expansion.equal, *blocks]))
    cones = [clarabel.ZeroConeT(expansion.equal_to.size), clarabel.NonnegativeConeT(sum(map(len, sides)))]
    solver = clarabel.DefaultSolver(
        sparse.csc_matrix(sparse.triu(expansion.quadratic)),
        expansion.linear,
        matrix,
        np.concatenate([expansion.equal_to, *sides]),
        cones,
        settings,
    )
    found = solver.solve()
    duals = np.asarray(found.z)
    equal, rest = np.split(duals, [expansion.equal_to.size])
    between = np.zeros(expansion.high.size)
    upper, lower = kept
    between[upper] += rest[: upper.size]
    between[lower] -= rest[upper.size : upper.size + lower.size]
    status = str(found.status)
    return Interior(
        expansion.point(np.asarray(found.x), equal, between),
        int(found.iterations),
        "PrimalInfeasible" in status,
        "DualInfeasible" in status,
    )


def _one_sided(
    expansion: Expansion,
) -> tuple[list[sparse.csc_matrix], list[FloatArray], tuple[IntArray, IntArray]]:
    """Return the finite sides as rows with upper limits: row highs, row lows, variable highs, variable lows."""
    rows, size = expansion.between.tocsr(), expansion.linear.size
    one = sparse.identity(size, format="csr")
    highs, lows = np.flatnonzero(expansion.high < np.inf), np.flatnonzero(expansion.low > -np.inf)
    uppers, lowers = np.flatnonzero(expansion.upper < np.inf), np.flatnonzero(expansion.lower > -np.inf)
    blocks = [rows[highs], -rows[lows], one[uppers], -one[lowers]]
    sides = [expansion.high[highs], -expansion.low[lows], expansion.upper[uppers], -expansion.lower[lowers]]
    return blocks, sides, (highs, lows)
