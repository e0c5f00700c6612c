"""Conformal intervals that follow a changing world: rolling scores, and a level that learns from every miss.

Adaptive conformal inference (ACI): the level a of misses moves after each truth, a <- a + g (target - missed), so the
share of misses tends to the target whatever the series does. With several rates g the level is their mean under
weights that learn which rate does best (DtACI). One rate of 0 is rolling split conformal.

Nothing is used before it is known: the score of a forecast h steps ahead enters h rows after its origin. Scores come
from `conformal`; a radius is infinite while scores are too few or the level asks for certainty, and the smallest
score where the level gives up. Every series and step ahead is a lane of its own.

Sources: Gibbs and Candès (2021), Adaptive conformal inference under distribution shift; Gibbs and Candès (2024),
Conformal inference for online prediction with arbitrary distribution shifts, JMLR 25.
"""

from dataclasses import dataclass
from math import log, sqrt

import numpy as np
from numba import float64, int64, njit, void

from nt_ray.neural.scoring.conformal import conformal_rank
from nt_ray.neural.scoring.ordered import as_lanes, check_course, place, remember, score_of_rank
from nt_ray.neural.scoring.scores import ScoreError
from nt_ray.types import FloatArray, IntArray

RATES = (0.001, 0.002, 0.004, 0.008, 0.0160, 0.032, 0.064, 0.128)
"""Rates of DtACI, as in its source."""
WINDOW = 500
"""Scores a radius is drawn from."""
_MEMORY = 500
"""Rows over which DtACI's weights aim to be best; sets their rate and mixing as in the source."""


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """Radii of all forecasts, each from what was known at its origin."""

    radius: FloatArray
    """(S, O, H), as `conformal.Bounds.around` takes it."""
    level: FloatArray
    """(S, O, H) level of misses that was aimed at; outside of [0, 1] the interval is everything, or nearly nothing."""


def adaptive_radii(
    scores: FloatArray,
    origins: IntArray,
    coverage: float,
    *,
    rates: tuple[float, ...] = (0.01,),
    window: int = WINDOW,
) -> Course:
    """Go along the origins, with every score as soon as its truth is known.

    Parameters
    ----------
    scores
        (S, O, H) scores of the forecasts of each origin; NaN where the truth is missing, which teaches nothing.
    origins
        (O,) rows, increasing: step h of origin o is known at row o + h.
    coverage
        Wanted share of covered truths.
    rates
        One for ACI, several for DtACI (`RATES`), (0.0,) for rolling split conformal. They hold for truths that come
        before the next origin; one that comes d origins late moves the level by g / sqrt(d), since answers that are
        under way together add up and would swing it.
    window
        Most recent scores that a radius is drawn from.
    """
    conformal_rank(0, coverage)
    check_course(scores, origins, window)
    if not rates or min(rates) < 0.0:
        raise ScoreError(f"Rates {rates} cannot adapt. Use one or more of 0 or above.")
    lanes, steps = as_lanes(scores)
    radius, level = np.empty(lanes.shape), np.empty(lanes.shape)
    spacing = float(np.median(np.diff(origins))) if len(origins) > 1 else 1.0
    pace = 1.0 / np.sqrt(np.maximum(steps / spacing, 1.0))
    _follow(
        lanes, steps, pace, np.ascontiguousarray(origins, dtype=np.int64), 1.0 - coverage,
        np.array(rates, dtype=np.float64), np.array(_weighting(len(rates), 1.0 - coverage)), window, radius, level,
    )  # fmt: skip
    s, o, h = scores.shape
    shaped = [np.ascontiguousarray(v.reshape(s, h, o).swapaxes(1, 2)) for v in (radius, level)]
    return Course(shaped[0], shaped[1])


def _weighting(rates: int, missed: float) -> tuple[float, float]:
    """Learning rate and mixing of the weights: the source's eta and sigma."""
    spread = (1.0 - missed) ** 2 * missed**3 + missed**2 * (1.0 - missed) ** 3
    eta = sqrt(3.0 / _MEMORY * (log(rates * _MEMORY) + 2.0) / spread)
    return eta, 1.0 / (2.0 * _MEMORY)


@njit(
    void(float64[::1], float64[::1], float64[::1], float64, float64[::1], float64, float64[::1]),
    cache=True,
    nogil=True,
)
def _learn(
    levels: FloatArray,
    weights: FloatArray,
    said: FloatArray,
    certainty: float,
    rates: FloatArray,
    missed: float,
    tuning: FloatArray,
) -> None:
    """Move the level of each rate and its weight by what each had `said` when the forecast was made.

    `certainty` is the least level at which that truth was missed.
    """
    total = 0.0
    for k in range(len(rates)):
        loss = max(missed * (certainty - said[k]), (missed - 1.0) * (certainty - said[k]))
        weights[k] *= np.exp(-tuning[0] * loss)
        total += weights[k]
        levels[k] += rates[k] * (missed - (1.0 if certainty <= said[k] else 0.0))
    for k in range(len(rates)):
        weights[k] = (1.0 - tuning[1]) * weights[k] / total + tuning[1] / len(rates)


@njit(
    void(
        float64[:, ::1], int64[::1], float64[::1], int64[::1], float64, float64[::1], float64[::1], int64,
        float64[:, ::1], float64[:, ::1],
    ),
    cache=True,
    nogil=True,
)  # fmt: skip
def _follow(
    lanes: FloatArray,
    steps: IntArray,
    pace: FloatArray,
    origins: IntArray,
    missed: float,
    rates: FloatArray,
    tuning: FloatArray,
    window: int,
    radius: FloatArray,
    level: FloatArray,
) -> None:
    """Follow each lane (L, O); write radii and levels (L, O)."""
    count_of = lanes.shape[1]
    ordered, ring, certainty = np.empty(window), np.empty(window), np.empty(count_of)
    levels, weights, said = np.empty(len(rates)), np.empty(len(rates)), np.empty((count_of, len(rates)))
    for lane in range(lanes.shape[0]):
        levels[:], weights[:] = missed, 1.0 / len(rates)
        count, taken, known = 0, 0, 0
        for o in range(count_of):
            while known < o and origins[known] + steps[lane] <= origins[o]:
                score = lanes[lane, known]
                if not np.isnan(score):
                    if certainty[known] >= 0.0:
                        _learn(levels, weights, said[known], certainty[known], rates * pace[lane], missed, tuning)
                    taken = remember(ordered, ring, taken, score)
                    count = min(taken, window)
                known += 1
            aim = 0.0
            for k in range(len(rates)):
                aim += weights[k] * levels[k]
            said[o] = levels
            level[lane, o] = aim
            radius[lane, o] = score_of_rank(ordered, count, 1.0 - aim)
            # Conformal p-value of the truth to come, kept shut until it is known; below zero: nothing to learn yet.
            score = lanes[lane, o]
            certainty[o] = -1.0
            if count > 0 and not np.isnan(score):
                certainty[o] = (1.0 + count - place(ordered, count, score)) / (count + 1.0)
