"""Intervals and quantiles of any method, made from its own past errors as it goes along.

A method that gives points gets intervals around them; one that gives quantiles has those corrected. Both are adaptive
and measured in recent errors, so they hold their coverage through calm and storm. Everything at an origin comes from
truths known there; before there are enough of them intervals are infinite.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nt_ray.neural.scoring.adaptive import WINDOW, adaptive_radii
from nt_ray.neural.scoring.conformal import Bounds, absolute_scores, quantile_scores
from nt_ray.neural.scoring.method import Forecasts
from nt_ray.neural.scoring.ordered import rolling_quantiles
from nt_ray.neural.scoring.spread import HALFLIFE, recent_errors
from nt_ray.types import FloatArray

RATE = 0.03


@dataclass(frozen=True, slots=True)
class Calibration:
    """How intervals learn: rates of the level, scores remembered, half-life of recent errors in origins."""

    rates: tuple[float, ...] = (RATE,)
    window: int = WINDOW
    halflife: float = HALFLIFE


def interval_of(made: Forecasts, truth: FloatArray, share: float, how: Calibration | None = None) -> Bounds:
    """Intervals (S, O, H) that cover a share: the method's own quantiles corrected, else around its points."""
    how = how or Calibration()
    spread = recent_errors(truth, made.mean, made.origins, how.halflife)
    own = own_interval(made, share)
    low, high = (made.mean, made.mean) if own is None else (own.low, own.high)
    scores = absolute_scores(truth, made.mean, spread) if own is None else quantile_scores(truth, low, high, spread)
    course = adaptive_radii(scores, made.origins, share, rates=how.rates, window=how.window)
    return Bounds.around(low, high, course.radius, spread)


def own_interval(made: Forecasts, share: float) -> Bounds | None:
    """Interval between a method's own quantiles at (1 - share) / 2 and (1 + share) / 2; None where it lacks one."""
    ends = [_level(made.levels, (1.0 - share) / 2.0), _level(made.levels, (1.0 + share) / 2.0)]
    if made.quantiles is None or None in ends:
        return None
    return Bounds(made.quantiles[..., ends[0]], made.quantiles[..., ends[1]])


def quantiles_of(
    made: Forecasts, truth: FloatArray, levels: Sequence[float], how: Calibration | None = None
) -> FloatArray:
    """Quantiles (S, O, H, Q) at levels: the method's own where it has all, else its points moved by past errors."""
    how = how or Calibration()
    places = [_level(made.levels, level) for level in levels]
    if made.quantiles is not None and None not in places:
        return np.ascontiguousarray(made.quantiles[..., [p for p in places if p is not None]])
    spread = recent_errors(truth, made.mean, made.origins, how.halflife)
    errors = (truth - made.mean) / spread
    moved = rolling_quantiles(errors, made.origins, np.array(levels), how.window)
    result: FloatArray = made.mean[..., None] + moved * spread[..., None]
    return result


def _level(levels: Sequence[float], wanted: float) -> int | None:
    near = [i for i, level in enumerate(levels) if abs(level - wanted) < 1e-9]
    return near[0] if near else None
