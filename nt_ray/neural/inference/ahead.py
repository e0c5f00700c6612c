"""What comes after the last row: forecasts of a trained network with intervals learned from its own recent errors.

The network forecasts from many rows of the same series first, and its errors there, as far as their truths are known by
now, set the width of the intervals. Where those rows were trained on, the errors are smaller than they will be.
"""

from dataclasses import dataclass

import numpy as np

from nt_ray.neural.inference.calibration import knows_quantiles
from nt_ray.neural.inference.predictor import Predictor
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.scoring.intervals import interval_of
from nt_ray.neural.scoring.method import Forecasts
from nt_ray.neural.scoring.naive import truth_at
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.training.trained import Trained
from nt_ray.types import FloatArray

HISTORY = 300
"""Earlier forecasts that intervals are learned from."""


@dataclass(frozen=True, slots=True, eq=False)
class Ahead:
    """Forecasts of S series for H rows after the last; intervals for C shares, infinite where errors are too few."""

    mean: FloatArray
    """(S, H)."""
    shares: tuple[float, ...]
    low: FloatArray
    """(S, H, C)."""
    high: FloatArray
    history: int
    """Earlier forecasts whose truth is known at the first step."""


def forecast_ahead(
    trained: Trained, panel: SeriesPanel, shares: tuple[float, ...] = (0.8, 0.9), history: int = HISTORY
) -> Ahead:
    """Forecast the rows after the last one, with intervals that hold these shares of the truths."""
    if any(not 0.0 < share < 1.0 for share in shares) or history < 0:
        raise NeuralError(f"Intervals of {shares} from {history} forecasts make no sense. Use shares such as 0.9.")
    lookback, horizon = trained.signature.lookback, trained.signature.horizon
    last = len(panel) - 1
    if last < lookback - 1:
        raise NeuralError(f"{len(panel)} rows are fewer than the look-back of {lookback}. Give more bars.")
    predictor = Predictor(trained)
    # The last one says what is wrong with its look-back; earlier ones are left out in silence.
    levels = _levels(trained, shares)
    mean = predictor.forecast(panel).mean
    origins = np.arange(max(lookback - 1, last - history), last + 1, dtype=np.int64)
    means, quantiles = predictor.windows(panel, origins, levels, refuse=False)
    made = Forecasts(origins, means, levels, quantiles if levels else None)
    truth = truth_at(panel.target, origins, horizon)
    bounds = [interval_of(made, truth, share) for share in shares]
    shape = (*mean.shape, 0)
    low = np.stack([b.low[:, -1] for b in bounds], axis=-1) if bounds else np.empty(shape)
    high = np.stack([b.high[:, -1] for b in bounds], axis=-1) if bounds else np.empty(shape)
    return Ahead(mean, shares, low, high, len(origins) - 1)


def _levels(trained: Trained, shares: tuple[float, ...]) -> tuple[float, ...]:
    """Quantiles that bound the shares, of a head that has any."""
    if not knows_quantiles(trained.head) or not shares:
        return ()
    ends = {round(e, 9) for share in shares for e in ((1.0 - share) / 2.0, (1.0 + share) / 2.0)}
    return tuple(sorted(ends))
