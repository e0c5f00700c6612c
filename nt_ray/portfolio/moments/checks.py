"""Checks of covariance matrices, separate by price: finite and symmetric in one pass, semi-definite by Cholesky.

Nothing is repaired here; `nearest_psd` repairs, and reports what it changed.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from numba import float64, int64, njit, types
from scipy.linalg import eigh
from scipy.linalg.lapack import dpotrf

from nt_ray.errors import RiskError
from nt_ray.types import FloatArray

SYMMETRY = 1e-9
"""Largest |a_ij - a_ji|, relative to the largest variance, that counts as rounding."""

SEMIDEFINITE = 1e-10
"""An eigenvalue down to minus this times the largest variance counts as zero."""

_TILE = 32
_MATRIX = types.Array(float64, 2, "C", readonly=True)


@njit(int64(types.Array(float64, 2, "C", readonly=True), float64), cache=True, nogil=True)
def _bad_pairs(matrix: FloatArray, slack: float) -> int:
    """Count rows of tiles with a pair that is not finite or not symmetric."""
    n = matrix.shape[0]
    whole = n - n % _TILE
    turned = np.empty((_TILE, _TILE))
    bad = 0
    for top in range(0, whole, _TILE):
        for left in range(top, whole, _TILE):
            # The mirrored tile is read row by row: its columns would collide in the cache.
            for j in range(_TILE):
                for i in range(_TILE):
                    turned[i, j] = matrix[left + j, top + i]
            for i in range(_TILE):
                wrong = 0.0
                for j in range(_TILE):
                    # Infinity less infinity is NaN, and a comparison with NaN is false.
                    wrong += 0.0 if abs(matrix[top + i, left + j] - turned[i, j]) <= slack else 1.0
                bad += wrong > 0.0
    for i in range(whole, n):
        for j in range(i + 1):
            bad += not abs(matrix[i, j] - matrix[j, i]) <= slack
    return bad


def check_covariance(
    covariance: npt.ArrayLike, *, names: Sequence[str] | None = None, what: str = "Covariance"
) -> FloatArray:
    """Return a covariance (N, N) that is finite and symmetric, with variances of zero or more.

    Whether it is positive semi-definite is a question for `check_semidefinite`, at the price of a Cholesky factor.
    """
    matrix = np.ascontiguousarray(covariance, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.shape[0] == 0:
        raise RiskError(f"{what} has shape {matrix.shape}. Give one row and one column an asset.")
    variances = matrix.diagonal()
    if not np.isfinite(variances).all() or variances.min() < 0.0:
        at = int(np.argmin(np.where(np.isfinite(variances), variances, -np.inf)))
        raise RiskError(f"{what}: the variance of {_label(at, names)} is {variances[at]}. Give one of zero or more.")
    if _bad_pairs(matrix, SYMMETRY * float(variances.max())):
        _name_bad_pair(matrix, float(variances.max()), names, what)
    return matrix


def check_semidefinite(matrix: FloatArray, *, what: str = "Covariance") -> None:
    """Refuse a checked covariance (N, N) that gives some portfolio a negative variance.

    A Cholesky factor proves most matrices definite; only where it fails is the smallest eigenvalue computed.
    """
    if dpotrf(matrix.T, lower=1, clean=0, overwrite_a=0)[1] == 0:
        return
    smallest = float(eigh(matrix, eigvals_only=True, subset_by_index=(0, 0), check_finite=False)[0])
    if smallest < -SEMIDEFINITE * float(matrix.diagonal().max()):
        raise RiskError(
            f"{what} is not positive semi-definite: its smallest eigenvalue is {smallest:.6g}. Estimate it from more "
            "observations or by shrinkage, or repair it with nearest_psd."
        )


def _name_bad_pair(matrix: FloatArray, scale: float, names: Sequence[str] | None, what: str) -> None:
    with np.errstate(invalid="ignore"):
        close = np.abs(matrix - matrix.T) <= SYMMETRY * scale
    i, j = (int(at[0]) for at in np.nonzero(~close))
    pair = f"{_label(i, names)} and {_label(j, names)}"
    if not (np.isfinite(matrix[i, j]) and np.isfinite(matrix[j, i])):
        raise RiskError(f"{what} of {pair}: {matrix[i, j]} is not a number. Fill or drop it first.")
    raise RiskError(
        f"{what} is not symmetric: {pair} have {matrix[i, j]:.9g} one way and {matrix[j, i]:.9g} the other. "
        "Give a symmetric matrix."
    )


def _label(at: int, names: Sequence[str] | None) -> str:
    return str(at) if names is None else names[at]
