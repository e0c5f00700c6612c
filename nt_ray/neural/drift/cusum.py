"""Change detection by cumulated log-likelihood ratios, with a false-alarm rate that is proven rather than tuned.

S_t = max(0, S_{t-1} + g_t), g_t the log-likelihood ratio of "changed" against "as before"; an alarm where S reaches
log(A). As long as the mean of exp(g) given the past is at most 1, the mean number of observations to a false alarm is
at least A (Page 1954; Lorden 1971). After a change the alarm comes after about log(A) / E[g] observations.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from nt_ray.neural.problems import NeuralError

Floats = npt.NDArray[np.float64]

SHIFT: Final = 0.5
"""Rise of the mean that the normal ratio is made for, in standard deviations."""


@dataclass(frozen=True, slots=True)
class Watch:
    """What a detector saw: highest and last S, the threshold, first alarm and where the change began, by row."""

    highest: float
    last: float
    threshold: float
    alarm: int | None
    began: int | None
    rows: int


def cusum(ratios: Floats, run_length: float, start: float = 0.0) -> Watch:
    """Cumulate log-likelihood ratios (n,), oldest first; `start` carries S over from the rows before.

    `run_length` is A. NaN is refused: a row without an observation is left out by the caller.
    """
    if not run_length > 1 or not np.isfinite(run_length):
        raise NeuralError(f"A run length of {run_length} between false alarms makes no detector. Use more than 1.")
    if ratios.size and not np.isfinite(ratios).all():
        raise NeuralError("A detector of change was given rows without a value. Leave them out.")
    threshold = math.log(run_length)
    sums = start + np.cumsum(ratios)
    lowest = np.minimum.accumulate(np.concatenate(([0.0], sums)))[1:] if ratios.size else sums
    levels = sums - np.minimum(lowest, 0.0)
    over = np.flatnonzero(levels >= threshold)
    alarm = int(over[0]) if over.size else None
    began = None
    if alarm is not None:
        # The change began after the last row at which S was zero.
        zero = np.flatnonzero(levels[: alarm + 1] <= 0.0)
        began = int(zero[-1]) + 1 if zero.size else 0
    last = float(levels[-1]) if levels.size else start
    return Watch(float(levels.max(initial=start)), last, threshold, alarm, began, int(ratios.size))


def normal_ratios(scores: Floats, shift: float = SHIFT) -> Floats:
    """Log-likelihood ratios of a normal mean of `shift` against 0, variance 1, of scores (n,)."""
    return shift * (scores - shift / 2)


def miss_ratios(missed: npt.NDArray[np.bool_], before: float, after: float) -> Floats:
    """Log-likelihood ratios of a miss rate `after` against `before`, of misses (n,)."""
    if not 0 < before < after < 1:
        raise NeuralError(
            f"Miss rates of {before} before and {after} after a change fit no test. Use 0 < before < after < 1."
        )
    return np.where(missed, math.log(after / before), math.log((1 - after) / (1 - before)))
