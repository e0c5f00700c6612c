"""Stress scenarios: how far a price may go in the days to come, by the generator's paths.

Without a history they start from anywhere the generator may be; with one, from where it is most like the end of that
history in recent volatility and drift. Those are chosen among many paths (approximate Bayesian computation by nearest
candidates): exact in nothing, but free of any assumption on how the state enters the network. `mismatch` says how like
they are.
"""

from dataclasses import dataclass

import numpy as np

from nt_ray.neural.problems import NeuralError
from nt_ray.neural.synthetic.source import CHUNK, PathSource
from nt_ray.types import FloatArray

SPANS = (5, 22, 66)
"""Days over which recent volatility is measured: a week, a month, a quarter."""
CANDIDATES = 20
"""Paths drawn for each that is kept."""
LEAST_VOLATILITY = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class Scenarios:
    """Simple returns since the start (paths, horizon), and those of each day.

    `mismatch` is the root mean square gap between the recent past of the kept paths and of the history, in
    deviations of the candidates; None without a history. Above about 1 the generator hardly knows such a state.
    """

    cumulative: FloatArray
    daily: FloatArray
    mismatch: float | None

    def worst(self, share: float = 0.05) -> FloatArray:
        """Cumulative returns of the share of paths that end lowest, worst first."""
        if not 0.0 < share <= 1.0:
            raise NeuralError(f"share={share} is no share of the paths. Use a number above 0, at most 1.")
        count = max(1, round(share * len(self.cumulative)))
        found: FloatArray = self.cumulative[np.argsort(self.cumulative[:, -1], kind="stable")[:count]]
        return found


def scenarios(
    source: PathSource, count: int, horizon: int, *, history: FloatArray | None = None, seed: int = 0
) -> Scenarios:
    """Draw scenarios from a generator of logarithmic returns.

    Parameters
    ----------
    source
        Trained on logarithmic returns.
    count, horizon
        Paths and steps ahead.
    history
        (n,) logarithmic returns up to now, n >= 66, finite; the scenarios then start from a state like its end.
    """
    if history is None:
        return _of(source.paths(count, horizon, seed=seed), None)
    history = np.asarray(history, dtype=np.float64)
    if history.ndim != 1 or len(history) < SPANS[-1] or not np.isfinite(history).all():
        raise NeuralError(
            f"A history of shape {history.shape} tells no state. "
            f"Give {SPANS[-1]} or more finite returns, the latest last."
        )
    if min(count, horizon) < 1:
        raise NeuralError(f"{count} paths of {horizon} steps cannot be drawn. Use 1 or more.")
    kept, gap = _nearest(source, count, horizon, history, seed)
    return _of(kept, gap)


def _nearest(source: PathSource, count: int, horizon: int, history: FloatArray, seed: int) -> tuple[FloatArray, float]:
    """Futures (count, horizon) of the candidates with the past most like the history's, by number, and their gap."""
    past = SPANS[-1]
    # Twice over the kept ones: the pasts of all candidates are few numbers, their futures may not be.
    total = max(count * CANDIDATES, CHUNK)
    states = np.concatenate(
        [_states(source.paths(CHUNK, past, seed=seed, first=first)) for first in range(0, total, CHUNK)]
    )[:total]
    spread = np.maximum(states.std(axis=0), LEAST_VOLATILITY)
    gaps = np.sqrt(np.mean(np.square((states - _states(history[None, -past:])) / spread), axis=1))
    chosen = np.sort(np.argsort(gaps, kind="stable")[:count])
    futures = np.empty((count, horizon))
    for first in np.unique(chosen // CHUNK * CHUNK).tolist():
        here = chosen // CHUNK * CHUNK == first
        futures[here] = source.paths(CHUNK, past + horizon, seed=seed, first=first)[chosen[here] - first, past:]
    return futures, float(np.sqrt(np.mean(np.square(gaps[chosen]))))


def _states(returns: FloatArray) -> FloatArray:
    """Log volatility over each span and the last week's drift in its volatility, (paths, 4), of returns (paths, n)."""
    sizes = [np.sqrt(np.mean(np.square(returns[:, -span:]), axis=1)) for span in SPANS]
    logs = [np.log(np.maximum(size, LEAST_VOLATILITY)) for size in sizes]
    drift = returns[:, -SPANS[0] :].sum(axis=1) / np.maximum(sizes[1], LEAST_VOLATILITY)
    return np.stack([*logs, drift], axis=1)


def _of(daily: FloatArray, mismatch: float | None) -> Scenarios:
    return Scenarios(np.expm1(np.cumsum(daily, axis=1)), np.expm1(daily), mismatch)
