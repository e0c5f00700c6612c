"""Smooth convex functions of stakes: minus the growth, the drawdown moment, and quadratic forms of either.

Each gives its value (infinite outside its domain) and its derivatives at x (N,).
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.special import logsumexp

from nt_ray.types import FloatArray


class Smooth(Protocol):
    """A convex function with two derivatives."""

    def value(self, x: FloatArray) -> float:
        """Value; infinite outside the domain."""
        ...

    def gradient(self, x: FloatArray) -> FloatArray:
        """(N,) gradient inside the domain."""
        ...

    def hessian(self, x: FloatArray) -> FloatArray:
        """(N, N) second derivatives inside the domain."""
        ...


@dataclass(frozen=True, slots=True)
class NegativeGrowth:
    """-sum p log(base + R x): R is (S, N) net returns, p (S,) are positive."""

    returns: FloatArray
    probabilities: FloatArray
    base: float = 1.0

    def wealth(self, x: FloatArray) -> FloatArray:
        """(S,) wealth in each outcome."""
        return np.asarray(self.base + self.returns @ x)

    def value(self, x: FloatArray) -> float:
        """Minus the expected logarithm of wealth."""
        wealth = self.wealth(x)
        return float(-self.probabilities @ np.log(wealth)) if wealth.min() > 0.0 else np.inf

    def gradient(self, x: FloatArray) -> FloatArray:
        """-R' (p / w)."""
        return -self.returns.T @ (self.probabilities / self.wealth(x))

    def hessian(self, x: FloatArray) -> FloatArray:
        """R' diag(p / w^2) R."""
        scaled = self.returns * (np.sqrt(self.probabilities) / self.wealth(x))[:, None]
        return np.asarray(scaled.T @ scaled)


@dataclass(frozen=True, slots=True)
class DrawdownMoment:
    """log E[w^-lambda] with w = 1 + R x; not above 0 where P(ever fall below a) < a^lambda is imposed."""

    returns: FloatArray
    probabilities: FloatArray
    exponent: float

    def value(self, x: FloatArray) -> float:
        """Logarithm of the moment."""
        wealth = 1.0 + self.returns @ x
        return float(logsumexp(-self.exponent * np.log(wealth), b=self.probabilities)) if wealth.min() > 0 else np.inf

    def gradient(self, x: FloatArray) -> FloatArray:
        """-lambda R' (q / w), q the probabilities tilted by w^-lambda."""
        tilted, wealth = self._tilted(x)
        return -self.exponent * (self.returns.T @ (tilted / wealth))

    def hessian(self, x: FloatArray) -> FloatArray:
        """Return lambda (lambda + 1) R' diag(q / w^2) R - g g', g the gradient."""
        tilted, wealth = self._tilted(x)
        scaled = self.returns * (np.sqrt(tilted) / wealth)[:, None]
        gradient = self.returns.T @ (tilted / wealth)
        factor = self.exponent
        return np.asarray(factor * (factor + 1.0) * (scaled.T @ scaled) - factor**2 * np.outer(gradient, gradient))

    def _tilted(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        wealth = 1.0 + self.returns @ x
        logs = -self.exponent * np.log(wealth)
        weights = self.probabilities * np.exp(logs - logs.max())
        return weights / weights.sum(), wealth


@dataclass(frozen=True, slots=True)
class Quadratic:
    """x' P x / 2 - q' x."""

    matrix: FloatArray
    linear: FloatArray

    def value(self, x: FloatArray) -> float:
        """Value, finite everywhere."""
        return float(0.5 * x @ self.matrix @ x - self.linear @ x)

    def gradient(self, x: FloatArray) -> FloatArray:
        """P x - q."""
        return np.asarray(self.matrix @ x - self.linear)

    def hessian(self, x: FloatArray) -> FloatArray:
        """P."""
        del x
        return self.matrix
