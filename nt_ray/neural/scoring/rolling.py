"""Rolling forecasts: one global network, fitted anew as time goes on, forecasts every row up to the next fit.

A fit at row r trains on rows up to and including r and forecasts from origins r on, so every forecast is out of sample
and known at its origin. Each origin is forecast from its own look-back by itself: what comes later, and how many rows
there are, changes no bit of it. Before the first fit there is none, nor is there for a series that had too little to
train on. Training runs on one thread, whose order of sums is the same on every run.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch

from nt_ray.neural.inference.predictor import Predictor
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.scoring.method import Forecasts
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.training.recipe import Recipe
from nt_ray.neural.training.training import train
from nt_ray.types import IntArray

OnFit = Callable[[int, int], None]
"""Told how many fits are done, and of how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rolling:
    """When a network is fitted; lengths in rows of the panel."""

    train: int
    """Rows before the first fit, and of every fit where the window rolls."""
    every: int
    """Rows from one fit to the next."""
    anchored: bool = True
    """A fit trains on all rows there are; otherwise on the last `train`."""

    def __post_init__(self) -> None:
        if self.train < 1 or self.every < 1:
            raise NeuralError(f"train={self.train} and every={self.every} fit nothing. Use at least 1 row for each.")

    def fits(self, rows: int, since: int = 0) -> list[tuple[int, int, int]]:
        """First training row, first origin and that of the next fit, of each fit that rows from `since` need."""
        starts = [r for r in range(self.train - 1, rows, self.every) if r + self.every > since]
        return [(0 if self.anchored else r + 1 - self.train, r, min(r + self.every, rows)) for r in starts]


def forecast_rolling(
    panel: SeriesPanel,
    recipe: Recipe,
    rolling: Rolling,
    *,
    since: int = 0,
    device: str = "cpu",
    on_fit: OnFit | None = None,
) -> Forecasts:
    """Forecast from every row that a fit is known at, the last one included.

    Parameters
    ----------
    since
        Row before which no forecast is needed: fits that serve earlier rows alone are left out.

    Returns
    -------
    Means (S, O, H) from O rows, the first of which is that of a fit; NaN for a series without a forecast there.
    """
    fits = rolling.fits(len(panel), since)
    if not fits:
        raise NeuralError(
            f"The panel has {len(panel)} rows, and the first fit takes {rolling.train}. "
            "Give more rows, or fit on fewer."
        )
    parts = []
    with _one_thread():
        for number, (first, origin, after) in enumerate(fits, 1):
            parts.append(_stretch(panel, recipe, first, np.arange(origin, after, dtype=np.int64), device))
            if on_fit is not None:
                on_fit(number, len(fits))
    return Forecasts.joined(parts)


def _stretch(panel: SeriesPanel, recipe: Recipe, first: int, origins: IntArray, device: str) -> Forecasts:
    """Fit at the first origin and forecast from all."""
    mean = np.full((len(panel.names), len(origins), recipe.horizon), np.nan)
    known = panel.rows(first, int(origins[0]) + 1)
    able = _able(known, recipe)
    if able:
        predictor = Predictor(train(known.select([panel.names[s] for s in able]), recipe, device=device))
        chosen, last = panel.select([panel.names[s] for s in able]), np.array([recipe.lookback - 1])
        for place, origin in enumerate(origins.tolist()):
            if origin + 1 >= recipe.lookback:
                window = chosen.rows(origin + 1 - recipe.lookback, origin + 1).until(recipe.horizon)
                mean[able, place] = predictor.windows(window, last, refuse=False)[0][:, 0]
    return Forecasts(origins, mean)


def _able(known: SeriesPanel, recipe: Recipe) -> list[int]:
    """Series with enough to train on: a window's worth of values that are not all the same."""
    least = recipe.lookback + recipe.horizon
    values = [row[~np.isnan(row)] for row in known.target]
    return [s for s, row in enumerate(values) if len(row) >= least and np.ptp(row) > 0.0]


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
