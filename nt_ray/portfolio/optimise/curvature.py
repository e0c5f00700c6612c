"""The quadratic form of a problem: a dense covariance, or one in factor form that is never multiplied out.

Guarantees that a factorisation is a proof: `factorise` succeeds only where the form is positive definite on the
assets it is asked for. It knows nothing of constraints.
"""

from collections.abc import Callable
from copy import copy
from typing import Protocol, TypeAlias

import numpy as np
from numba import float64, int64, njit, types, void
from scipy.linalg.lapack import dpotrf, dpotrs

from nt_ray.portfolio.moments.checks import SEMIDEFINITE, check_covariance, check_semidefinite
from nt_ray.portfolio.moments.factor_covariance import FactorCovariance
from nt_ray.types import FloatArray, IntArray

Covariance: TypeAlias = FloatArray | FactorCovariance
Solver: TypeAlias = Callable[[FloatArray], FloatArray]
"""Solves the form on the free assets for right-hand sides (r, n), one a row; returns (r, n)."""

_PROVEN_ASSETS = 256
"""Up to here the whole matrix is proven semi-definite; beyond, the part on the free assets is, at each step."""

_SAMPLE = 32
"""Assets whose mean covariance with each asset stands for the market's when a start is guessed."""


_MATRIX = types.Array(float64, 2, "C", readonly=True)
_VECTOR = types.Array(float64, 1, "C", readonly=True)


class Curvature(Protocol):
    """A positive semi-definite quadratic form w'Pw of `assets` weights."""

    @property
    def assets(self) -> int:
        """Number of weights."""

    @property
    def scale(self) -> float:
        """Mean diagonal element, the unit in which solvers see the form."""

    def product(self, weights: FloatArray) -> FloatArray:
        """Return P w."""

    def dense(self) -> FloatArray:
        """Return P (N, N)."""

    def shifted(self, amount: float | FloatArray) -> "Curvature":
        """Return P with an amount, one for all or (N,), added to its diagonal."""

    def factorise(self, free: IntArray) -> Solver | None:
        """Return a solver on the free assets, or None where the form is not positive definite there."""

    def index_model(self, least: float) -> tuple[FloatArray, FloatArray]:
        """Return loadings (N,) and specific variances (N,) of a similar single-index model, for a first guess."""


class Dense:
    """A checked (N, N) covariance."""

    def __init__(self, matrix: FloatArray) -> None:
        self.matrix = check_covariance(matrix)
        self.assets = self.matrix.shape[0]
        self.scale = float(self.matrix.diagonal().mean())
        self._proven = False
        if self.assets <= _PROVEN_ASSETS:
            self.prove()

    def product(self, weights: FloatArray) -> FloatArray:
        """Return P w, reading only the rows of weights other than zero."""
        result = np.zeros(self.assets)
        _add_rows(self.matrix, weights, np.flatnonzero(weights), result)
        return result

    def dense(self) -> FloatArray:
        """Return the matrix."""
        return self.matrix

    def factorise(self, free: IntArray) -> Solver | None:
        """Return a solver by Cholesky on the free assets, or None where they are not positive definite."""
        block = np.empty((free.size, free.size))
        _gather(self.matrix, free, block)
        factor, failed = dpotrf(block.T, lower=0, clean=0, overwrite_a=1)
        if failed:
            return None

        def solve(sides: FloatArray) -> FloatArray:
            return np.asarray(dpotrs(factor, sides.T, lower=0)[0]).T

        return solve

    def index_model(self, least: float) -> tuple[FloatArray, FloatArray]:
        """Return the single-index model whose index is the mean of a sample of the assets."""
        stride = max(1, self.assets // _SAMPLE)
        market = self.matrix[::stride].mean(axis=0)
        return _index_model(market, float(market[::stride].mean()), self.matrix.diagonal(), least * self.scale)

    def shifted(self, amount: float | FloatArray) -> "Dense":
        """Return the form with an amount added to its diagonal."""
        shifted = copy(self)
        shifted.matrix = self.matrix.copy()
        shifted.matrix.flat[:: self.assets + 1] += amount
        return shifted

    def prove(self) -> None:
        """Refuse the matrix where some portfolio has a negative variance; once is enough."""
        if not self._proven:
            check_semidefinite(self.matrix)
            self._proven = True


class Factor:
    """A covariance in factor form, P = B B' + diag(D), with B the loadings times a root of the factors' covariance."""

    def __init__(self, covariance: FactorCovariance) -> None:
        values, vectors = np.linalg.eigh(covariance.factor_covariance)
        self.loadings = np.ascontiguousarray(covariance.loadings @ (vectors * np.sqrt(np.maximum(values, 0.0))))
        self.specific = covariance.specific
        self.assets = covariance.assets
        self.variances = np.einsum("ij,ij->i", self.loadings, self.loadings) + self.specific
        self.scale = float(self.variances.mean())

    def product(self, weights: FloatArray) -> FloatArray:
        """Return P w in O(N k)."""
        return np.asarray(self.loadings @ (weights @ self.loadings) + self.specific * weights)

    def dense(self) -> FloatArray:
        """Return the matrix multiplied out."""
        return np.asarray(self.loadings @ self.loadings.T + np.diag(self.specific))

    def factorise(self, free: IntArray) -> Solver | None:
        """Return a solver by the Woodbury identity, or None where a free asset has no specific variance."""
        specific = self.specific[free]
        if not (specific > SEMIDEFINITE * self.scale).all():
            return None
        loadings = self.loadings[free]
        scaled = loadings / specific[:, None]
        inner = loadings.T @ scaled
        inner.flat[:: inner.shape[0] + 1] += 1.0
        factor, failed = dpotrf(inner, lower=0, clean=0, overwrite_a=0)
        if failed:
            return None

        def solve(sides: FloatArray) -> FloatArray:
            plain = sides / specific
            inside = dpotrs(factor, (plain @ loadings).T, lower=0)[0]
            return np.asarray(plain - (scaled @ inside).T)

        return solve

    def shifted(self, amount: float | FloatArray) -> "Factor":
        """Return the form with an amount added to its diagonal."""
        shifted = copy(self)
        shifted.specific = self.specific + amount
        return shifted

    def index_model(self, least: float) -> tuple[FloatArray, FloatArray]:
        """Return the single-index model whose index is the mean of all assets."""
        market = self.product(np.full(self.assets, 1.0 / self.assets))
        return _index_model(market, float(market.mean()), self.variances, least * self.scale)


def _index_model(market: FloatArray, variance: float, total: FloatArray, least: float) -> tuple[FloatArray, FloatArray]:
    """Split variances (N,) into what an index explains and the rest, given the covariances (N,) with the index."""
    loadings = market / np.sqrt(variance) if variance > 0.0 else np.zeros_like(market)
    return loadings, np.maximum(total - loadings * loadings, max(least, 1e-300))


def curvature(covariance: Covariance) -> Dense | Factor:
    """Return the checked quadratic form of a covariance."""
    return Factor(covariance) if isinstance(covariance, FactorCovariance) else Dense(covariance)


@njit(void(_MATRIX, int64[::1], float64[:, ::1]), cache=True, nogil=True)
def _gather(matrix: FloatArray, free: IntArray, block: FloatArray) -> None:
    """Copy the lower half of the free rows and columns."""
    for i in range(free.size):
        row = matrix[free[i]]
        for j in range(i + 1):
            block[i, j] = row[free[j]]


@njit(void(_MATRIX, _VECTOR, int64[::1], float64[::1]), cache=True, nogil=True)
def _add_rows(matrix: FloatArray, weights: FloatArray, places: IntArray, result: FloatArray) -> None:
    """Add the weighted rows at some places, four at a time so that the result is read a quarter as often."""
    n = result.size
    whole = places.size - places.size % 4
    for at in range(0, whole, 4):
        a, b, c, d = places[at], places[at + 1], places[at + 2], places[at + 3]
        wa, wb, wc, wd = weights[a], weights[b], weights[c], weights[d]
        for j in range(n):
            result[j] += (wa * matrix[a, j] + wb * matrix[b, j]) + (wc * matrix[c, j] + wd * matrix[d, j])
    for at in range(whole, places.size):
        a = places[at]
        for j in range(n):
            result[j] += weights[a] * matrix[a, j]
