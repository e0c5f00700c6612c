"""How concentrated a portfolio is: in names, in groups, in bets that move together.

Weights are fractions of equity; shorts count by their size. Drawdowns are measured in `nt_ray.backtest.measures`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nt_ray.errors import RiskError
from nt_ray.portfolio.inputs import check_series
from nt_ray.portfolio.moments.checks import check_covariance, check_semidefinite
from nt_ray.types import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """What a group of positions holds, as fractions of equity."""

    gross: float
    net: float
    names: int
    """Positions other than zero."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Concentration:
    """Concentration of one portfolio."""

    gross: float
    """Sum of |w|, which is the leverage of positions at their full notional."""
    net: float
    long: float
    short: float
    """Size of all shorts, positive."""
    names: int
    """Positions other than zero."""
    largest: float
    """Largest |w|."""
    hhi: float
    """Herfindahl-Hirschman index of |w| / gross: from 1 / names to 1."""
    effective_names: float
    """1 / HHI: as many equal positions are as concentrated."""


def concentration(weights: npt.ArrayLike) -> Concentration:
    """Measure the concentration of (N,) weights, of which at least one is not zero."""
    w = check_series(weights, what="Weights")
    sizes = np.abs(w)
    gross = float(sizes.sum())
    if not gross > 0.0:
        raise RiskError(f"All {w.size} weights are zero. Measure a portfolio with a position.")
    hhi = float(np.sum((sizes / gross) ** 2))
    return Concentration(
        gross=gross,
        net=float(w.sum()),
        long=float(w[w > 0.0].sum()),
        short=float(-w[w < 0.0].sum()),
        names=int(np.count_nonzero(w)),
        largest=float(sizes.max()),
        hhi=hhi,
        effective_names=1.0 / hhi,
    )


def exposures(weights: npt.ArrayLike, groups: Sequence[str]) -> dict[str, Exposure]:
    """Sum (N,) weights by group, such as sector, issuer or currency; groups in order of first appearance."""
    w = check_series(weights, what="Weights")
    if len(groups) != w.size:
        raise RiskError(f"{len(groups)} groups were given for {w.size} weights. Give one a weight.")
    members = {name: np.array([group == name for group in groups]) for name in dict.fromkeys(groups)}
    return {
        name: Exposure(
            gross=float(np.abs(w[held]).sum()), net=float(w[held].sum()), names=int(np.count_nonzero(w[held]))
        )
        for name, held in members.items()
    }


def diversification_ratio(weights: npt.ArrayLike, covariance: npt.ArrayLike) -> float:
    """Return sum |w_i| s_i over the portfolio's volatility; 1 is no diversification.

    Parameters
    ----------
    weights
        (N,) weights; a short counts with the volatility of its size.
    covariance
        (N, N) covariance.

    Notes
    -----
    Choueifaty and Coignard (2008), Toward maximum diversification. Its square is the number of independent bets of
    equal risk that diversify as much.
    """
    w, matrix = _held(weights, covariance)
    return float(np.abs(w) @ np.sqrt(matrix.diagonal())) / float(np.sqrt(_variance(w, matrix)))


def effective_bets(weights: npt.ArrayLike, covariance: npt.ArrayLike) -> float:
    """Return the effective number of uncorrelated bets: exp of the entropy of variance over principal components.

    Notes
    -----
    Meucci (2009), Managing diversification: p_k = (w'e_k)^2 l_k / w'Sw over eigenvectors e_k and eigenvalues l_k.
    Where eigenvalues coincide the components are not unique, and neither is the figure.
    """
    w, matrix = _held(weights, covariance)
    values, vectors = np.linalg.eigh(matrix)
    shares = (vectors.T @ w) ** 2 * np.maximum(values, 0.0)
    _variance(w, matrix)
    shares = shares[shares > 0.0] / shares.sum()
    return float(np.exp(-np.sum(shares * np.log(shares))))


def _held(weights: npt.ArrayLike, covariance: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    w, matrix = check_series(weights, what="Weights"), check_covariance(covariance)
    check_semidefinite(matrix)
    if len(matrix) != w.size:
        raise RiskError(f"Covariance of {len(matrix)} assets does not fit {w.size} weights. Give one row a weight.")
    return w, matrix


def _variance(w: FloatArray, matrix: FloatArray) -> float:
    variance = float(w @ matrix @ w)
    if not variance > 0.0:
        raise RiskError(f"The portfolio's variance is {variance:g}. Give positions and a covariance that vary.")
    return variance
