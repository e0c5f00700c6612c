"""Propagation: what the rest of a market does when a few of its assets or factors are given, E[x2 | x1 = s].

The conditional expectation of jointly normal (more widely: elliptical) returns with mean zero, S21 S11^-1 s, and the
covariance that is left, S22 - S21 S11^-1 S12. Kupiec (1998), Stress testing in a value at risk framework.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from nt_ray.errors import RiskError
from nt_ray.portfolio.inputs import check_names
from nt_ray.portfolio.moments.checks import check_covariance, check_semidefinite
from nt_ray.risk.stress.book import Book
from nt_ray.risk.stress.shocks import Shock
from nt_ray.types import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Propagated:
    """A shock carried to all, and the covariance around it; zero for what was given."""

    returns: FloatArray
    """(N,)"""
    covariance: FloatArray
    """(N, N)"""


def propagate(covariance: npt.ArrayLike, places: Sequence[int], given: npt.ArrayLike) -> Propagated:
    """Carry given returns (k,) at some places to all assets or factors of a covariance (N, N)."""
    matrix = check_covariance(covariance)
    check_semidefinite(matrix)
    known, shock = np.array(places, dtype=np.int64), np.asarray(given, dtype=np.float64)
    if known.ndim != 1 or not known.size or shock.shape != known.shape or not np.isfinite(shock).all():
        raise RiskError(f"Given returns {shock} do not fit the places {list(places)}. Give one finite return a place.")
    if len(set(known.tolist())) != known.size or known.min() < 0 or known.max() >= matrix.shape[0]:
        raise RiskError(f"Places {list(places)} are not distinct places among {matrix.shape[0]}. Give each once.")
    try:
        slopes = cho_solve(cho_factor(matrix[np.ix_(known, known)]), matrix[known])
    except LinAlgError as error:
        raise RiskError("The given returns are not independent: their covariance is singular. Give fewer.") from error
    returns = shock @ slopes
    returns[known] = shock
    left = matrix - matrix[:, known] @ slopes
    left[known], left[:, known] = 0.0, 0.0
    return Propagated(returns=returns, covariance=0.5 * (left + left.T))


def conditional_shock(book: Book, given: Mapping[str, float], *, name: str = "conditional") -> Shock:
    """Shock in which some assets of a book are given and the others follow by their covariance."""
    if book.covariance is None:
        raise RiskError("The book has no covariance, so nothing says how the others follow. Give it one.")
    carried = propagate(book.covariance, check_names(list(given), book.names), list(given.values()))
    return Shock(
        name=name,
        by_asset=dict(zip(book.names, carried.returns.tolist(), strict=True)),
        assumptions=(f"given: {_listed(given)}; the others follow as elliptical returns of mean zero would",),
    )


def factor_shock(
    book: Book,
    factors: Sequence[str],
    loadings: FloatArray,
    given: Mapping[str, float],
    *,
    covariance: npt.ArrayLike | None = None,
    name: str = "factors",
) -> Shock:
    """Shock of some factors, carried to the assets by their loadings.

    Parameters
    ----------
    factors, loadings
        Names (k,) and sensitivities (N, k) of the book's assets.
    given
        Return of each shocked factor.
    covariance
        (k, k) of the factors: the others follow by it. None: the others stay still, which the assumptions say.
    """
    table = np.asarray(loadings, dtype=np.float64)
    if table.shape != (len(book.names), len(factors)) or not np.isfinite(table).all():
        raise RiskError(
            f"Loadings have shape {table.shape} for {len(book.names)} assets and {len(factors)} factors. Give (N, k)."
        )
    places = check_names(list(given), factors)
    moves = np.zeros(len(factors))
    moves[list(places)] = list(given.values())
    rest = "the other factors stay still"
    if covariance is not None:
        moves = propagate(covariance, places, list(given.values())).returns
        rest = "the other factors follow by their covariance"
    return Shock(
        name=name,
        by_asset=dict(zip(book.names, (table @ moves).tolist(), strict=True)),
        assumptions=(f"factors given: {_listed(given)}; {rest}; no specific return",),
    )


def _listed(given: Mapping[str, float]) -> str:
    return ", ".join(f"{key} {value:+.4g}" for key, value in given.items())
