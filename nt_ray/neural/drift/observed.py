"""What is watched of a model: the columns it reads, its errors and the hits of its intervals, as training and later.

A column is the target of a series, under its name, or an input of it, as SERIES.INPUT; calendar inputs cannot drift and
are left out. Errors and hits are of one row ahead, one for each origin, so that they do not overlap: the mean absolute
error over the series in units of the target, and whether the interval of one series, in turns, held its truth.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np

from nt_ray.neural.drift.drift_reference import FEWEST
from nt_ray.neural.inference.calibration import knows_quantiles
from nt_ray.neural.inference.predictor import Predictor
from nt_ray.neural.inference.quantiles import Intervals
from nt_ray.neural.series.calendar import CALENDAR
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.series.splits import split_of
from nt_ray.neural.training.trained import Trained
from nt_ray.types import BoolArray, FloatArray, IntArray

MOST: Final = 1 << 14
"""Windows of all series that errors are taken from."""
SHARE: Final = 0.9
ENDS: Final = (0.05, 0.95)
"""Share that the watched interval is meant to hold, and its levels; conformal where the model was calibrated."""


def columns_of(panel: SeriesPanel, first: int, last: int) -> dict[str, FloatArray]:
    """Columns (n,) of rows `first` to `last` (not included) by name."""
    rows = slice(first, last)
    found = dict(zip(panel.names, panel.target[:, rows], strict=True))
    for names, values in ((panel.past_names, panel.past), (panel.future_names, panel.future)):
        for place, name in enumerate(names):
            if name not in CALENDAR:
                found |= {column(series, name): values[s, rows, place] for s, series in enumerate(panel.names)}
    return found


def column(series: str, name: str) -> str:
    """Name of the column of an input."""
    return f"{series}.{name}"


def validation_errors(trained: Trained, panel: SeriesPanel) -> FloatArray | None:
    """Errors (n,) on the validation rows; None where there are too few, or no validation."""
    split = split_of(panel, trained.recipe)
    origins = origins_of(trained, panel, split.validation - 1)
    if split.validation == split.rows or len(origins) < FEWEST:
        return None
    errors, _ = errors_of(trained, panel, origins)
    return errors if np.isfinite(errors).sum() >= FEWEST else None


def origins_of(trained: Trained, panel: SeriesPanel, first: int) -> IntArray:
    """Origins from row `first` on whose next row is known; the last ones where there are many."""
    signature = trained.signature
    ahead = panel.future.shape[1] - signature.horizon if signature.future else len(panel)
    last = min(len(panel) - 1, ahead)
    origins = np.arange(max(first, signature.lookback - 1), last, dtype=np.int64)
    return origins[-max(FEWEST, MOST // len(panel.names)) :]


def errors_of(trained: Trained, panel: SeriesPanel, origins: IntArray) -> tuple[FloatArray, Mapping[float, BoolArray]]:
    """Errors (n,) of origins, NaN where no series has one, and hits (m,) of the interval that it gives, if any."""
    held = trained.calibration
    corrected = held is not None and held.allows(ENDS[0])
    levels = ENDS if corrected or knows_quantiles(trained.head) else ()
    intervals: Intervals = "conformal" if corrected else "model"
    mean, quantiles = Predictor(trained).windows(panel, origins, levels, refuse=False, intervals=intervals)
    truth = panel.target[:, origins + 1]
    gaps = np.abs(mean[:, :, 0] - truth)
    seen = np.isfinite(gaps)
    errors = np.where(seen, gaps, 0.0).sum(axis=0) / np.where(seen.any(axis=0), seen.sum(axis=0), np.nan)
    if not levels:
        return errors, {}
    series, place = np.arange(len(origins)) % len(panel.names), np.arange(len(origins))
    inside = (quantiles[:, :, 0, 0] <= truth) & (truth <= quantiles[:, :, 0, 1])
    return errors, {SHARE: inside[series, place][seen[series, place]]}
