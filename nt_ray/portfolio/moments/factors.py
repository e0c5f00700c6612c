"""Covariances in factor form: factors that are given, by regression, or found, by principal components."""

import numpy as np
import numpy.typing as npt
from scipy.linalg import eigh

from nt_ray.errors import RiskError
from nt_ray.portfolio.inputs import check_returns, is_whole
from nt_ray.portfolio.moments.factor_covariance import FactorCovariance
from nt_ray.types import FloatArray


def given_factors(returns: npt.ArrayLike, factors: npt.ArrayLike) -> FactorCovariance:
    """Estimate the covariance of returns (T, N) from factor returns (T, k) by least squares with an intercept.

    Specific variances are those of the residuals with T - k - 1 degrees of freedom. NaN is refused, and so are
    factors that depend on each other.
    """
    drivers = check_returns(factors, what="Factors")
    count = drivers.shape[1]
    values = check_returns(returns, least=count + 2)
    if drivers.shape[0] != values.shape[0]:
        raise RiskError(
            f"Factors have {drivers.shape[0]} periods and returns {values.shape[0]}. Give both for the same periods."
        )
    centred = drivers - drivers.mean(axis=0)
    answers = values - values.mean(axis=0)
    loadings, _, rank, _ = np.linalg.lstsq(centred, answers)
    if rank < count:
        raise RiskError(f"Only {rank} of {count} factors are independent. Leave out those that follow from others.")
    residuals = answers - centred @ loadings
    specific = np.einsum("ti,ti->i", residuals, residuals) / (values.shape[0] - count - 1)
    return FactorCovariance(loadings.T, _square(centred.T @ centred / (values.shape[0] - 1)), specific)


def principal_factors(returns: npt.ArrayLike, *, count: int) -> FactorCovariance:
    """Estimate the covariance of returns (T, N) with its first `count` principal components as factors.

    Each asset keeps its sample variance: what the factors leave of it is specific. Loadings are orthonormal and each
    column sums to zero or more; factors are ordered by variance. Works with fewer periods than assets. NaN is refused.
    """
    values = check_returns(returns)
    periods, assets = values.shape
    if not is_whole(count, 1) or count > min(periods - 1, assets):
        raise RiskError(
            f"count={count} factors cannot be found in {periods} periods of {assets} assets. Give 1 to "
            f"{min(periods - 1, assets)}."
        )
    centred = (values - values.mean(axis=0)) / np.sqrt(periods - 1)
    variances, loadings = _principal(centred, int(count))
    left = np.einsum("ti,ti->i", centred, centred) - (loadings * loadings) @ variances
    return FactorCovariance(loadings, np.diag(variances), np.maximum(left, 0.0))


def _principal(centred: FloatArray, count: int) -> tuple[FloatArray, FloatArray]:
    """First eigenvalues (k,) and eigenvectors (N, k) of centred'centred, from the smaller of the two products."""
    periods, assets = centred.shape
    wide = assets > periods
    gram = centred @ centred.T if wide else centred.T @ centred
    size = gram.shape[0]
    values, vectors = eigh(gram, subset_by_index=(size - count, size - 1), check_finite=False)
    values, vectors = np.maximum(values[::-1], 0.0), vectors[:, ::-1]
    if wide:
        vectors = centred.T @ vectors
        lengths = np.linalg.norm(vectors, axis=0)
        vectors = vectors / np.where(lengths > 0.0, lengths, 1.0)
    return np.asarray(values), np.asarray(vectors * np.where(vectors.sum(axis=0) < 0.0, -1.0, 1.0))


def _square(matrix: FloatArray) -> FloatArray:
    return np.asarray((matrix + matrix.T) * 0.5)
