"""How large errors have been of late: the yardstick that makes conformal scores comparable through calm and storm.

Source: Lei et al. (2018), section 5.2 (scores over a spread); the exponential average is RiskMetrics (1996).
"""

import numpy as np

from nt_ray.neural.scoring.scores import ScoreError
from nt_ray.types import FloatArray, IntArray

HALFLIFE = 10.0


def recent_errors(truth: FloatArray, mean: FloatArray, origins: IntArray, halflife: float = HALFLIFE) -> FloatArray:
    """Exponential average of absolute errors that are known at each origin.

    Parameters
    ----------
    truth, mean
        (S, O, H); NaN truths teach nothing.
    origins
        (O,) rows, increasing: the error of step h of origin o is known at row o + h.
    halflife
        In origins.

    Returns
    -------
    (S, O, H), above zero; 1 until the first error that is not zero is known.
    """
    if not halflife > 0.0:
        raise ScoreError(f"halflife={halflife} is not positive. Use some origins, such as {HALFLIFE:g}.")
    keep = 0.5 ** (1.0 / halflife)
    errors = np.abs(truth - mean)
    known = np.isfinite(errors)
    # Sum and weight apart, so that an average over few errors is one of those and not of a start.
    total, weight = np.zeros(errors.shape), np.zeros(errors.shape)
    held, count = np.zeros(errors.shape[::2]), np.zeros(errors.shape[::2])
    for o in range(errors.shape[1]):
        seen = known[:, o]
        held = np.where(seen, keep * held + np.where(seen, errors[:, o], 0.0), held)
        count = np.where(seen, keep * count + 1.0, count)
        total[:, o], weight[:, o] = held, count
    average = np.divide(total, weight, out=np.zeros(errors.shape), where=weight > 0.0)
    result = np.ones(errors.shape)
    for h in range(errors.shape[2]):
        latest = np.searchsorted(origins + h + 1, origins, side="right") - 1
        found = np.where(latest >= 0, average[:, np.maximum(latest, 0), h], 0.0)
        result[:, :, h] = np.where(found > 0.0, found, 1.0)
    return result
