"""Scores of quantiles, intervals and whole distributions, on whatever was observed.

Truth is NaN where nothing was observed. Quantiles stand in a last axis of length Q, at increasing levels (Q,) inside
(0, 1). All scores are proper but for coverage and width, which belong together. None where nothing was observed.

Sources: Gneiting and Raftery (2007), Strictly proper scoring rules, prediction, and estimation, JASA 102 (pinball,
CRPS, interval score); Jordan, Krüger and Lerch (2019), Evaluating probabilistic forecasts with scoringRules, JSS 90
(closed forms).
"""

from math import pi, sqrt

import numpy as np
import torch

from nt_ray.neural.scoring.scores import ScoreError, observed
from nt_ray.neural.scoring.student import lgamma, student_cdf, student_density
from nt_ray.types import FloatArray


def pinball(truth: FloatArray, quantiles: FloatArray, levels: FloatArray) -> FloatArray | None:
    """Mean pinball loss at each level, (Q,): max(a (y - q), (a - 1) (y - q)).

    Parameters
    ----------
    truth
        (...,).
    quantiles, levels
        (..., Q) and (Q,).
    """
    y, q = _with_quantiles(truth, quantiles, levels)
    if len(y) == 0:
        return None
    return np.array([np.mean(_pinball(y, q[:, i], a)) for i, a in enumerate(levels.tolist())])


def crps_from_quantiles(truth: FloatArray, quantiles: FloatArray, levels: FloatArray) -> float | None:
    """Continuous ranked probability score from quantiles alone: twice the integral of the pinball loss over levels.

    The integral is a sum over cells: each level stands for the levels nearer to it than to another one, the outer two
    up to 0 and 1. That is an approximation; with a few levels it lies below the score of the whole distribution, as
    tails are not seen, so compare it only among forecasts with the same levels. It tends to the CRPS as levels fill
    (0, 1).
    """
    losses = pinball(truth, quantiles, levels)
    return None if losses is None else float(2.0 * losses @ level_weights(levels))


def level_weights(levels: FloatArray) -> FloatArray:
    """Length of the cell of each level, (Q,); they sum to 1."""
    middles = (levels[1:] + levels[:-1]) / 2.0
    return np.diff(np.concatenate(([0.0], middles, [1.0])))


def crps_samples(truth: FloatArray, samples: FloatArray) -> float | None:
    """CRPS of the empirical distribution of samples (..., M), exact: mean |x - y| - mean |x - x'| / 2."""
    if samples.shape[:-1] != truth.shape or samples.shape[-1] < 1:
        raise ScoreError(f"Samples of shape {samples.shape} do not fit a truth of shape {truth.shape}.")
    known = ~np.isnan(truth)
    y, x = truth[known], np.sort(samples[known], axis=1)
    if len(y) == 0:
        return None
    if not np.isfinite(x).all():
        raise ScoreError("Samples of observed values are not all finite. Mend the forecaster.")
    count = x.shape[1]
    # Sum over all pairs of |x - x'| from the order statistics, in M log M instead of M^2.
    weights = 2.0 * np.arange(1, count + 1) - count - 1.0
    spread = x @ weights / count**2
    return float(np.mean(np.abs(x - y[:, None]).mean(axis=1) - spread))


def crps_normal(truth: FloatArray, mean: FloatArray, deviation: FloatArray) -> float | None:
    """CRPS of normal forecasts, closed form: s (z (2 Phi(z) - 1) + 2 phi(z) - 1 / sqrt(pi)), z = (y - m) / s."""
    y, m, s = observed(truth, mean, deviation)
    if len(y) == 0:
        return None
    _positive(s, "deviation")
    z = (y - m) / s
    below = torch.special.ndtr(torch.from_numpy(z)).numpy()
    density = np.exp(-0.5 * z**2) / sqrt(2.0 * pi)
    return float(np.mean(s * (z * (2.0 * below - 1.0) + 2.0 * density - 1.0 / sqrt(pi))))


def crps_student_t(truth: FloatArray, location: FloatArray, scale: FloatArray, freedom: FloatArray) -> float | None:
    """CRPS of Student-t forecasts with more than one degree of freedom v, closed form.

    s (z (2 F(z) - 1) + 2 f(z) (v + z^2) / (v - 1) - 2 sqrt(v) B(1/2, v - 1/2) / ((v - 1) B(1/2, v/2)^2)).
    All arrays of one shape.
    """
    y, m, s, v = observed(truth, location, scale, freedom)
    if len(y) == 0:
        return None
    _positive(s, "scale")
    _positive(v - 1.0, "degrees of freedom above one")
    z = (y - m) / s
    half = np.full_like(v, 0.5)
    ratio = np.exp(_log_beta(half, v - 0.5) - 2.0 * _log_beta(half, v / 2.0))
    spread = 2.0 * np.sqrt(v) / (v - 1.0) * ratio
    inner = z * (2.0 * student_cdf(z, v) - 1.0) + 2.0 * student_density(z, v) * (v + z**2) / (v - 1.0)
    return float(np.mean(s * (inner - spread)))


def coverage(truth: FloatArray, low: FloatArray, high: FloatArray) -> float | None:
    """Share of truths in [low, high]; bounds may be infinite."""
    covered = _covered(truth, low, high)
    return float(np.mean(covered)) if covered.size else None


def rolling_coverage(truth: FloatArray, low: FloatArray, high: FloatArray, window: int) -> FloatArray:
    """Share of truths covered over the last `window` origins.

    Parameters
    ----------
    truth, low, high
        (S, O, H).

    Returns
    -------
    (O - window + 1,), the first one over origins 0 .. window - 1; NaN where nothing was observed.
    """
    if not 1 <= window <= truth.shape[1]:
        raise ScoreError(f"A window of {window} does not fit {truth.shape[1]} origins. Use a shorter one.")
    known = ~np.isnan(truth)
    hits = (known & (truth >= low) & (truth <= high)).sum(axis=(0, 2))
    counts = known.sum(axis=(0, 2))
    sums = [np.convolve(v, np.ones(window), mode="valid") for v in (hits, counts)]
    share: FloatArray = np.where(sums[1] > 0, sums[0] / np.maximum(sums[1], 1.0), np.nan)
    return share


def width(truth: FloatArray, low: FloatArray, high: FloatArray) -> float | None:
    """Mean width of the intervals where the truth was observed; infinite where one is."""
    spans = (high - low)[~np.isnan(truth)]
    return float(np.mean(spans)) if spans.size else None


def interval_score(truth: FloatArray, low: FloatArray, high: FloatArray, level: float) -> float | None:
    """Interval score at coverage `level` = 1 - a: width + 2/a (low - y)+ + 2/a (y - high)+; less is better."""
    y, lower, upper = observed(truth, low, high)
    if len(y) == 0:
        return None
    missed = np.maximum(lower - y, 0.0) + np.maximum(y - upper, 0.0)
    return float(np.mean(upper - lower + 2.0 / (1.0 - level) * missed))


def calibration(truth: FloatArray, quantiles: FloatArray, levels: FloatArray) -> FloatArray | None:
    """Share of truths at or below the quantile of each level, (Q,); a calibrated forecast gives the levels."""
    y, q = _with_quantiles(truth, quantiles, levels)
    return (y[:, None] <= q).mean(axis=0) if len(y) else None


def pit_cells(truth: FloatArray, quantiles: FloatArray, levels: FloatArray) -> FloatArray | None:
    """Histogram of the probability integral transform, (Q + 1,): density of truths between neighbouring quantiles.

    1 everywhere for a calibrated forecast; high outer cells tell of intervals that are too narrow. Diebold, Gunther
    and Tay (1998), Evaluating density forecasts.
    """
    below = calibration(truth, quantiles, levels)
    if below is None:
        return None
    ends = [np.concatenate(([0.0], v, [1.0])) for v in (below, levels)]
    density: FloatArray = np.diff(ends[0]) / np.diff(ends[1])
    return density


def _covered(truth: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
    if low.shape != truth.shape or high.shape != truth.shape:
        raise ScoreError(f"Bounds of shape {low.shape} and {high.shape} do not fit a truth of shape {truth.shape}.")
    known = ~np.isnan(truth)
    if np.isnan(low[known]).any() or np.isnan(high[known]).any():
        raise ScoreError("Bounds of observed values are NaN somewhere. Leave those origins out.")
    return ((truth >= low) & (truth <= high))[known].astype(np.float64)


def _pinball(y: FloatArray, q: FloatArray, level: float) -> FloatArray:
    loss: FloatArray = np.maximum(level * (y - q), (level - 1.0) * (y - q))
    return loss


def _with_quantiles(truth: FloatArray, quantiles: FloatArray, levels: FloatArray) -> tuple[FloatArray, FloatArray]:
    inside = levels.ndim == 1 and len(levels) > 0 and float(levels[0]) > 0.0 and float(levels[-1]) < 1.0
    if not inside or (np.diff(levels) <= 0.0).any():
        raise ScoreError(f"Levels {levels.tolist()} are no increasing levels between 0 and 1. Sort them.")
    if quantiles.shape != (*truth.shape, len(levels)):
        raise ScoreError(f"Quantiles of shape {quantiles.shape} do not fit {truth.shape} and {len(levels)} levels.")
    known = ~np.isnan(truth)
    y, q = truth[known], quantiles[known]
    if not np.isfinite(q).all() or not np.isfinite(y).all():
        raise ScoreError("Quantiles of observed values are not all finite. Mend the forecaster.")
    return y, q


def _positive(values: FloatArray, what: str) -> None:
    if (values <= 0.0).any():
        raise ScoreError(f"A {what} of {float(values.min()):g} is not positive. Mend the forecaster.")


def _log_beta(a: FloatArray, b: FloatArray) -> FloatArray:
    return lgamma(a) + lgamma(b) - lgamma(a + b)
