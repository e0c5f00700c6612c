"""Is the best of many candidates better than the benchmark, or only lucky? Reality check and SPA test.

With d the candidates' returns less the benchmark's, the null hypothesis is that no candidate has a positive mean.

* White (2000), A reality check for data snooping, Econometrica 68: statistic sqrt(T) max mean(d), every candidate
  recentred at its own mean.
* Hansen (2005), A test for superior predictive ability, JBES 23: statistic max(0, max sqrt(T) mean(d) / omega),
  omega the standard deviation that the stationary bootstrap implies, in closed form. Three recentrings bound the
  p-value: `lower` takes all candidates worse than the benchmark for irrelevant, `upper` none, and `consistent`
  those with t < -sqrt(2 ln ln T). Where no candidate is better at all, the statistic is 0 and every p-value is 1.

Both resample with the stationary bootstrap; replication r depends on the seed and r alone.
"""

from dataclasses import dataclass

import numpy as np

from nt_ray.backtest.research.bootstrap import optimal_block, stationary_rows
from nt_ray.backtest.research.problems import ResearchError
from nt_ray.types import FloatArray, IntArray

STREAM = 2
REPLICATIONS = 1000
_CHUNK = 64


@dataclass(frozen=True, slots=True)
class Superiority:
    """p-values of both tests; small ones speak for the best candidate."""

    reality_check: float
    lower: float
    consistent: float
    upper: float
    best: int
    """Column of the candidate with the highest t-statistic."""
    statistic: float
    """Hansen's."""
    block: float
    replications: int


def superiority(
    returns: FloatArray,
    benchmark: FloatArray | None = None,
    *,
    block: float | None = None,
    replications: int = REPLICATIONS,
    seed: int = 0,
) -> Superiority:
    """Test candidates against a benchmark.

    Parameters
    ----------
    returns
        (T, K) returns; NaN is an error. Candidates that never differ from the benchmark by more or less are left
        out, since they decide nothing.
    benchmark
        (T,) its returns; cash that earns nothing where None.
    block
        Mean block length; where None, the largest `optimal_block` of a candidate's differences among at most the
        ten best.
    """
    excess, columns = _excess(returns, benchmark, replications)
    rows = len(excess)
    means = excess.mean(axis=0)
    if block is None:
        block = max(optimal_block(excess[:, k]) for k in np.argsort(means)[-10:].tolist())
    if not block >= 1.0:
        raise ResearchError(f"block={block} is no block length. Use 1 or more.")
    omega = np.sqrt(bootstrap_variance(excess, block))
    scaled = np.sqrt(rows) * means / omega
    statistic = max(0.0, float(scaled.max()))
    centres = {
        "lower": np.maximum(means, 0.0),
        "consistent": np.where(scaled >= -np.sqrt(2.0 * np.log(np.log(rows))), means, 0.0),
        "upper": means,
    }
    beaten = dict.fromkeys((*centres, "reality_check"), 0)
    for resampled in _resampled_means(excess, block, replications, seed):
        for name, centre in centres.items():
            drawn = np.sqrt(rows) * ((resampled - centre) / omega).max(axis=1)
            beaten[name] += int(np.sum(np.maximum(drawn, 0.0) >= statistic))
        beaten["reality_check"] += int(np.sum((resampled - means).max(axis=1) >= means.max()))
    shares = {name: count / replications for name, count in beaten.items()}
    return Superiority(
        **shares,
        best=int(columns[int(np.argmax(scaled))]),
        statistic=statistic,
        block=float(block),
        replications=replications,
    )


def bootstrap_variance(series: FloatArray, block: float) -> FloatArray:
    """Variance of sqrt(T) times the stationary bootstrap's mean, in closed form, shape (K,) for (T, K).

    gamma_0 + 2 sum of kappa_i gamma_i, kappa_i = (1 - i/T)(1 - p)^i + (i/T)(1 - p)^(T - i), p = 1 / block;
    Politis and Romano (1994), lemma 1.
    """
    rows = len(series)
    centred = series - series.mean(axis=0)
    size = 1 << (2 * rows - 1).bit_length()
    spectrum = np.fft.rfft(centred, size, axis=0)
    covariances = np.fft.irfft(spectrum * np.conj(spectrum), size, axis=0)[:rows] / rows
    lag = np.arange(rows)
    keep = 1.0 - 1.0 / block
    kappa = (1.0 - lag / rows) * keep**lag + lag / rows * keep ** (rows - lag)
    kappa[0] = 0.5
    result: FloatArray = 2.0 * kappa @ covariances
    return result


def _resampled_means(excess: FloatArray, block: float, replications: int, seed: int) -> list[FloatArray]:
    """Means of each replication's resample, in pieces of (at most _CHUNK, K)."""
    rows = len(excess)
    pieces = []
    for first in range(0, replications, _CHUNK):
        numbers = range(first, min(first + _CHUNK, replications))
        # How often each row is drawn is all that a mean needs to know.
        counts = np.array([np.bincount(stationary_rows(rows, block, seed, r, STREAM), minlength=rows) for r in numbers])
        pieces.append(counts @ excess / rows)
    return pieces


def _excess(returns: FloatArray, benchmark: FloatArray | None, replications: int) -> tuple[FloatArray, IntArray]:
    returns = np.asarray(returns, dtype=np.float64)
    if returns.ndim != 2 or len(returns) < 10 or not np.isfinite(returns).all():
        raise ResearchError(
            f"Trial returns of shape {returns.shape} cannot be tested. Give a finite (T, K) table of 10 rows or more."
        )
    if replications < 1:
        raise ResearchError(f"replications={replications} is not positive. Use at least 1, better 1000.")
    if benchmark is not None:
        if np.shape(benchmark) != (len(returns),) or not np.isfinite(benchmark).all():
            raise ResearchError(
                f"The benchmark has shape {np.shape(benchmark)}. Give a finite return for each of {len(returns)} rows."
            )
        returns = returns - np.asarray(benchmark)[:, None]
    alive = np.flatnonzero(returns.std(axis=0) > 1e-12).astype(np.int64)
    if len(alive) == 0:
        raise ResearchError("No candidate differs from the benchmark. Test at least one that trades.")
    return returns[:, alive], alive
