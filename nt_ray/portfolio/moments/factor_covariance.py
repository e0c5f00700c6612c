"""A covariance in factor form: few common factors and a specific variance for each asset.

Guarantees a valid shape, a positive semi-definite factor block and specific variances of zero or more; the dense
matrix is formed only when asked for, since every optimiser can work on the factors.
"""

from dataclasses import dataclass

import numpy as np

from nt_ray.errors import RiskError
from nt_ray.types import FloatArray

_NEGATIVE = -1e-12
"""Eigenvalues of the factor block down to this, relative to the largest, are rounding."""


@dataclass(frozen=True, slots=True)
class FactorCovariance:
    """Covariance `loadings @ factor_covariance @ loadings.T + diag(specific)`."""

    loadings: FloatArray
    """(N, k) sensitivity of each asset to each factor."""
    factor_covariance: FloatArray
    """(k, k) covariance of the factors."""
    specific: FloatArray
    """(N,) variance of each asset that no factor explains."""

    def __post_init__(self) -> None:
        for name in ("loadings", "factor_covariance", "specific"):
            values = np.ascontiguousarray(getattr(self, name), dtype=np.float64)
            if not np.isfinite(values).all():
                place = tuple(int(at[0]) for at in np.nonzero(~np.isfinite(values)))
                raise RiskError(f"{name} at {place}: {values[place]} is not a number. Give finite values.")
            object.__setattr__(self, name, values)
        self._check_shapes()
        self._check_variances()

    def _check_shapes(self) -> None:
        if self.loadings.ndim != 2 or 0 in self.loadings.shape:
            raise RiskError(f"loadings have shape {self.loadings.shape}. Give one row an asset, one column a factor.")
        assets, factors = self.loadings.shape
        if self.factor_covariance.shape != (factors, factors):
            raise RiskError(
                f"factor_covariance has shape {self.factor_covariance.shape} for {factors} factors. Give one row and "
                "one column a factor."
            )
        if self.specific.shape != (assets,):
            raise RiskError(
                f"specific has shape {self.specific.shape} for {assets} assets. Give one variance an asset."
            )

    def _check_variances(self) -> None:
        if (self.specific < 0.0).any():
            at = int(np.argmax(self.specific < 0.0))
            raise RiskError(f"specific of asset {at} is {self.specific[at]:g}. Give a variance of zero or more.")
        block = self.factor_covariance
        if not np.allclose(block, block.T, rtol=1e-9, atol=1e-12 * float(np.abs(block).max())):
            raise RiskError("factor_covariance is not symmetric. Give a symmetric matrix.")
        values = np.linalg.eigvalsh(block)
        if values[0] < _NEGATIVE * max(abs(values[-1]), abs(values[0])):
            raise RiskError(
                f"factor_covariance has the eigenvalue {values[0]:g}. Give a positive semi-definite one, or repair it "
                "with nearest_psd."
            )

    @property
    def assets(self) -> int:
        """Number of assets."""
        return int(self.loadings.shape[0])

    @property
    def factors(self) -> int:
        """Number of factors."""
        return int(self.loadings.shape[1])

    def dense(self) -> FloatArray:
        """Return the (N, N) matrix."""
        matrix = self.loadings @ self.factor_covariance @ self.loadings.T
        matrix = (matrix + matrix.T) * 0.5
        matrix.flat[:: self.assets + 1] += self.specific
        return matrix

    def times(self, weights: FloatArray) -> FloatArray:
        """Return the product with weights (N,) without forming the matrix."""
        exposures = self.factor_covariance @ (self.loadings.T @ weights)
        return np.asarray(self.loadings @ exposures + self.specific * weights)

    def variance(self, weights: FloatArray) -> float:
        """Return the variance of a portfolio of weights (N,)."""
        return float(weights @ self.times(weights))
