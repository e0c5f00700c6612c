"""The most recent scores in order, kept up to date in a few moves: kernels of rolling conformal quantiles.

A window of W scores lies twice: in the order of time (`ring`) and sorted (`ordered`). The oldest gives way to the
newest.
"""

import numpy as np
from numba import float64, int64, njit, void

from nt_ray.neural.scoring.conformal import conformal_rank
from nt_ray.neural.scoring.scores import ScoreError
from nt_ray.types import FloatArray, IntArray


def rolling_quantiles(scores: FloatArray, origins: IntArray, levels: FloatArray, window: int) -> FloatArray:
    """Conformal quantiles of the scores known at each origin.

    Parameters
    ----------
    scores
        (S, O, H); NaN where the truth is missing.
    origins
        (O,) rows, increasing: step h of origin o is known at row o + h.
    levels
        (Q,) inside (0, 1).
    window
        Most recent scores that count.

    Returns
    -------
    (S, O, H, Q): the score of rank ceil((n + 1) level) of n; infinite where there are too few.
    """
    check_course(scores, origins, window)
    for level in levels.tolist():
        conformal_rank(0, level)
    lanes, steps = as_lanes(scores)
    result = np.empty((*lanes.shape, len(levels)))
    _follow(lanes, steps, np.ascontiguousarray(origins), np.ascontiguousarray(levels), window, result)
    s, o, h = scores.shape
    return np.ascontiguousarray(result.reshape(s, h, o, len(levels)).swapaxes(1, 2))


def check_course(scores: FloatArray, origins: IntArray, window: int) -> None:
    """Refuse scores that do not fit their origins, and an empty window."""
    if scores.ndim != 3 or len(origins) != scores.shape[1] or (np.diff(origins) <= 0).any():
        raise ScoreError(f"Scores of shape {scores.shape} do not fit {len(origins)} increasing origins. Use (S, O, H).")
    if window < 1:
        raise ScoreError(f"window={window} remembers nothing. Use a score or more.")


def as_lanes(scores: FloatArray) -> tuple[FloatArray, IntArray]:
    """Scores (S, O, H) as one lane for each series and step, (S * H, O), and the step of each lane."""
    s, o, h = scores.shape
    lanes = np.ascontiguousarray(scores.swapaxes(1, 2).reshape(s * h, o))
    return lanes, np.tile(np.arange(1, h + 1, dtype=np.int64), s)


@njit(int64(float64[::1], int64, float64), cache=True, nogil=True)
def place(ordered: FloatArray, count: int, value: float) -> int:
    """Number of the first `count` ordered scores that lie below the value."""
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        if ordered[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low


@njit(int64(float64[::1], float64[::1], int64, float64), cache=True, nogil=True)
def remember(ordered: FloatArray, ring: FloatArray, taken: int, value: float) -> int:
    """Take in a score after `taken` earlier ones, the oldest leaving a full window; return how many were taken."""
    window = len(ring)
    hole = min(taken, window)
    if taken >= window:
        hole = place(ordered, window, ring[taken % window])
    # Only what lies between the score that leaves and the one that comes has to move.
    while hole > 0 and ordered[hole - 1] > value:
        ordered[hole] = ordered[hole - 1]
        hole -= 1
    last = min(taken, window - 1)
    while hole < last and ordered[hole + 1] < value:
        ordered[hole] = ordered[hole + 1]
        hole += 1
    ordered[hole] = value
    ring[taken % window] = value
    return taken + 1


@njit(float64(float64[::1], int64, float64), cache=True, nogil=True)
def score_of_rank(ordered: FloatArray, count: int, share: float) -> float:
    """Score of rank ceil((n + 1) share), rounded as in `conformal_rank`; infinite above n, the smallest below 1."""
    rank = int(np.ceil(np.round((count + 1) * share, 9)))
    if count == 0 or rank > count:
        return np.inf
    return float(ordered[max(rank, 1) - 1])


@njit(void(float64[:, ::1], int64[::1], int64[::1], float64[::1], int64, float64[:, :, ::1]), cache=True, nogil=True)
def _follow(
    lanes: FloatArray, steps: IntArray, origins: IntArray, levels: FloatArray, window: int, result: FloatArray
) -> None:
    ordered, ring = np.empty(window), np.empty(window)
    for lane in range(lanes.shape[0]):
        taken, known = 0, 0
        for o in range(lanes.shape[1]):
            while known < o and origins[known] + steps[lane] <= origins[o]:
                if not np.isnan(lanes[lane, known]):
                    taken = remember(ordered, ring, taken, lanes[lane, known])
                known += 1
            for q in range(len(levels)):
                result[lane, o, q] = score_of_rank(ordered, min(taken, window), levels[q])
