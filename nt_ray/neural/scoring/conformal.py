"""Conformal intervals around any forecaster: from its errors on rows it was not trained on, without a model of them.

A score says how far a truth lies outside of what was forecast; the interval holds every value whose score is at most
the k-th smallest of n calibration scores, k = ceil((n + 1) c) for coverage c. Where calibration and new origins are
exchangeable, it covers with probability at least c, and less than c + 1 / (n + 1) where scores have no ties. With k >
n the interval is infinite: so few scores promise nothing. Every series and step ahead has scores of its own. In time,
where nothing is exchangeable, use `adaptive`.

Sources: Vovk, Gammerman and Shafer (2005); Lei et al. (2018), Distribution-free predictive inference for regression,
JASA 113 (split; scores over a spread); Romano, Patterson and Candès (2019), Conformalized quantile regression.
"""

from dataclasses import dataclass
from math import ceil

import numpy as np

from nt_ray.neural.scoring.scores import ScoreError
from nt_ray.types import FloatArray


def conformal_rank(count: int, coverage: float) -> int:
    """Rank k = ceil((n + 1) c) of the score that bounds the interval; above n: there are too few."""
    if not 0.0 < coverage < 1.0:
        raise ScoreError(f"coverage={coverage} cannot be promised. Use a share between 0 and 1, such as 0.9.")
    # Rounding must not lift a product that is whole, such as 10 x 0.9.
    return ceil(round((count + 1) * coverage, 9))


def absolute_scores(truth: FloatArray, mean: FloatArray, spread: FloatArray | None = None) -> FloatArray:
    """|y - f|, over a spread above zero where there is one; NaN where the truth is."""
    result: FloatArray = np.abs(truth - mean)
    return result if spread is None else result / _positive(spread)


def quantile_scores(
    truth: FloatArray, low: FloatArray, high: FloatArray, spread: FloatArray | None = None
) -> FloatArray:
    """max(low - y, y - high): below zero inside of the interval; NaN where the truth is."""
    result: FloatArray = np.maximum(low - truth, truth - high)
    return result if spread is None else result / _positive(spread)


@dataclass(frozen=True, slots=True, eq=False)
class Bounds:
    """Intervals; `low` is never above `high`."""

    low: FloatArray
    high: FloatArray

    @classmethod
    def around(
        cls, low: FloatArray, high: FloatArray, radius: FloatArray, spread: FloatArray | None = None
    ) -> "Bounds":
        """Widen [low, high] by a radius (times the spread); one below zero narrows it, to its middle at most."""
        by = radius if spread is None else radius * _positive(spread)
        # A spread of any size times an infinite radius stays infinite; half a width bounds a negative one.
        by = np.maximum(by, (low - high) / 2.0)
        return cls(low - by, high + by)


def _positive(spread: FloatArray) -> FloatArray:
    if not (spread > 0.0).all():
        raise ScoreError("A spread is not positive somewhere. Bound it from below.")
    return spread
