"""What a generator has to beat: GARCH(1,1), the stationary bootstrap, independent draws.

Path p of each is a function of the seed, p and the length. A bootstrap copies pieces of the history, so it cannot be
beaten on what the history alone knows, and makes nothing that has not happened.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nt_ray.backtest.research.bootstrap import stationary_rows
from nt_ray.neural.problems import NeuralError
from nt_ray.philox import generator
from nt_ray.types import FloatArray

GARCH, BLOCKS = 30, 31
"""Streams of random numbers."""
BLOCK = 60.0
"""Mean length of a piece in rows: about three months of days."""
BURN_IN = 500
PERCENT = 100.0
"""The optimiser of GARCH is at home in percent."""

Paths = Callable[[int, int, int], FloatArray]
"""`paths(count, length, seed)`: returns (count, length)."""


@dataclass(frozen=True, slots=True)
class Garch:
    """r_t = mean + e_t, variance_t = omega + alpha e_{t-1}^2 + beta variance_{t-1}, Gaussian e_t; in percent."""

    mean: float
    omega: float
    alpha: float
    beta: float

    @classmethod
    def fit(cls, returns: FloatArray) -> "Garch":
        """Fit by maximum likelihood to returns (n,)."""
        # The package brings pandas along: only who needs it pays.
        from arch import arch_model

        found = arch_model(returns * PERCENT, mean="Constant", vol="GARCH", p=1, q=1).fit(
            disp="off", show_warning=False
        )
        if found.convergence_flag != 0:
            raise NeuralError(f"GARCH(1,1) found no optimum in {len(returns)} returns. Give more of them.")
        mean, omega, alpha, beta = (float(value) for value in found.params)
        if alpha + beta >= 1.0:
            raise NeuralError(
                f"GARCH(1,1) has no stationary paths at alpha + beta = {alpha + beta:g}. Give more returns."
            )
        return cls(mean, omega, alpha, beta)

    def paths(self, count: int, length: int, seed: int = 0) -> FloatArray:
        """Simulate returns (count, length) that have forgotten where they began."""
        total = length + BURN_IN
        shocks = np.stack([generator(seed, GARCH, path).standard_normal(total) for path in range(count)], axis=1)
        variance = np.full(count, self.omega / (1.0 - self.alpha - self.beta))
        out = np.empty((total, count))
        for row in range(total):
            out[row] = np.sqrt(variance) * shocks[row]
            variance = self.omega + self.alpha * out[row] ** 2 + self.beta * variance
        kept: FloatArray = np.ascontiguousarray(out[BURN_IN:].T + self.mean) / PERCENT
        return kept


def bootstrap_paths(returns: FloatArray, count: int, length: int, *, block: float = BLOCK, seed: int = 0) -> FloatArray:
    """Resample pieces of mean length `block` of returns (n,); 1 draws each return by itself."""
    pieces = -(-length // len(returns))
    rows = [
        np.concatenate([stationary_rows(len(returns), block, seed, path * pieces + i, BLOCKS) for i in range(pieces)])
        for path in range(count)
    ]
    drawn: FloatArray = returns[np.array(rows)[:, :length]]
    return drawn


def rivals(returns: FloatArray) -> dict[str, Paths]:
    """Each rival, fitted to returns (n,)."""
    garch = Garch.fit(returns)
    return {
        "GARCH(1,1)": garch.paths,
        "stationary bootstrap": lambda count, length, seed: bootstrap_paths(returns, count, length, seed=seed),
        "independent draws": lambda count, length, seed: bootstrap_paths(returns, count, length, block=1.0, seed=seed),
    }
