"""The permutation null of an information coefficient: what forecasts would show that know nothing of what comes.

A draw keeps each side as it is and breaks what ties them: forecasts are given to other series, and moved along the
periods on a circle by at least `gap` of them. So the dependence of each side in time survives (persistent forecasts,
overlapping horizons) and with it the true spread of the mean coefficient; shuffling every period by itself would make
the null too narrow. Draw number r depends on the seed and r alone.

Source: Phipson and Smyth (2010), Permutation p-values should never be zero, SAGMB 9; circular shifts as in Politis and
Romano (1992).
"""

from dataclasses import dataclass

import numpy as np

from nt_ray.neural.scoring.cross_section import correlations, ranks
from nt_ray.neural.scoring.scores import ScoreError
from nt_ray.philox import generator
from nt_ray.types import FloatArray

STREAM = 21
DRAWS = 500


@dataclass(frozen=True, slots=True, eq=False)
class Null:
    """A mean coefficient beside those of forecasts that know nothing."""

    observed: float
    p_value: float
    """Share of draws at least as high, the observed one counted: one-sided, at least 1 / (draws + 1)."""
    draws: FloatArray
    """(R,) mean coefficients."""

    def quantile(self, level: float) -> float:
        """Coefficient that a share `level` of know-nothing forecasts does not exceed."""
        return float(np.quantile(self.draws, level))


def permutation_null(
    truth: FloatArray, forecast: FloatArray, *, rank: bool = True, gap: int = 1, draws: int = DRAWS, seed: int = 0
) -> Null | None:
    """Null of the mean coefficient over periods.

    Parameters
    ----------
    truth, forecast
        (S, N) in time order; NaN where there is no value. Ranks are taken on each side before pairs are formed, so
        that every draw compares the same ranks.
    rank
        Spearman's coefficient instead of Pearson's.
    gap
        Least shift in periods: the horizon in periods, where forecasts overlap.

    Returns
    -------
    None where no period has a coefficient.
    """
    if draws < 1 or gap < 0:
        raise ScoreError(f"draws={draws} with gap={gap} make no null. Use at least 1 draw and a gap of 0 or more.")
    periods = truth.shape[1]
    y, f = (ranks(truth), ranks(forecast)) if rank else (truth, forecast)
    observed = _mean(y, f)
    if observed is None:
        return None
    gap = min(gap, (periods - 1) // 2)
    found = np.empty(draws)
    for r in range(draws):
        rng = generator(seed, STREAM, r)
        shift = int(rng.integers(gap, periods - gap + 1))
        moved = np.roll(f[rng.permutation(len(f))], shift, axis=1)
        mean = _mean(y, moved)
        # Without one pair a draw says nothing, as a forecast that knows nothing would.
        found[r] = 0.0 if mean is None else mean
    p = (1.0 + float(np.count_nonzero(found >= observed))) / (draws + 1.0)
    return Null(observed, p, found)


def _mean(y: FloatArray, f: FloatArray) -> float | None:
    values = correlations(y, f)
    known = values[np.isfinite(values)]
    return float(np.mean(known)) if len(known) else None
