"""The stationary bootstrap: confidence intervals for any figure of dependent returns.

Blocks of geometric length with mean `block` are drawn from the series bent to a circle, so a resampled series is
stationary. Replication r depends on the seed and r alone. It does not know what the figure is.

Sources: Politis and Romano (1994), The stationary bootstrap, JASA 89; block length: Politis and White (2004),
with the correction of Patton, Politis and White (2009).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nt_ray.backtest.research.problems import ResearchError
from nt_ray.philox import generator
from nt_ray.types import FloatArray, IntArray

STREAM = 1
REPLICATIONS = 2000
LEAST_DEFINED = 0.5
"""Share of replications in which a figure must be defined for its interval to mean anything."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its percentile interval and bootstrap standard error."""

    estimate: float
    low: float
    high: float
    standard_error: float
    confidence: float
    block: float
    replications: int


def stationary_rows(rows: int, block: float, seed: int, replication: int, stream: int = STREAM) -> IntArray:
    """Rows of one resampled series, shape (rows,): blocks of mean length `block` on a circle."""
    rng = generator(seed, stream, replication)
    begins = rng.random(rows) < 1.0 / block
    begins[0] = True
    starts = rng.integers(0, rows, rows)
    place = np.arange(rows)
    last = np.maximum.accumulate(np.where(begins, place, 0))
    result: IntArray = (starts[last] + place - last) % rows
    return result


def optimal_block(returns: FloatArray) -> float:
    """Mean block length that suits the dependence of returns (n,), n >= 10; at least 1, 1 for a constant series."""
    # The package brings pandas along, which takes a second: only who needs it pays.
    from arch.bootstrap import optimal_block_length

    returns = _series(returns)
    if len(returns) < 10 or float(np.std(returns)) == 0.0:
        return 1.0
    found = float(optimal_block_length(returns)["stationary"].iloc[0])
    return max(found, 1.0) if np.isfinite(found) else 1.0


def confidence_interval(
    returns: FloatArray,
    figure: Callable[[FloatArray], float | None],
    *,
    confidence: float = 0.95,
    block: float | None = None,
    replications: int = REPLICATIONS,
    seed: int = 0,
) -> Interval | None:
    """Percentile interval of a figure of returns.

    Parameters
    ----------
    returns
        (n,) returns; NaN is an error.
    figure
        Maps (n,) returns to a number, None where undefined. Undefined replications are left out.
    confidence
        Between 0 and 1.
    block
        Mean block length in rows, `optimal_block` where None.

    Returns
    -------
    None where the figure is undefined on the returns themselves or on half of the replications.
    """
    returns = _series(returns)
    if not 0.0 < confidence < 1.0 or replications < 2:
        raise ResearchError(
            f"confidence={confidence} with {replications} replications cannot be used. "
            "Give a confidence between 0 and 1 and at least 2 replications."
        )
    estimate = figure(returns)
    if estimate is None or len(returns) < 2:
        return None
    block = optimal_block(returns) if block is None else _block(block)
    found = [figure(returns[stationary_rows(len(returns), block, seed, r)]) for r in range(replications)]
    defined = np.array([f for f in found if f is not None])
    if len(defined) < max(LEAST_DEFINED * replications, 2):
        return None
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(defined, [tail, 1.0 - tail]).tolist()
    return Interval(float(estimate), low, high, float(np.std(defined, ddof=1)), confidence, block, replications)


def _block(block: float) -> float:
    if not (np.isfinite(block) and block >= 1.0):
        raise ResearchError(f"block={block} is no block length. Use 1 (independent rows) or more.")
    return float(block)


def _series(returns: FloatArray) -> FloatArray:
    returns = np.asarray(returns, dtype=np.float64)
    if returns.ndim != 1 or len(returns) == 0 or not np.isfinite(returns).all():
        raise ResearchError(f"Returns of shape {returns.shape} cannot be resampled. Give one finite series.")
    return returns
