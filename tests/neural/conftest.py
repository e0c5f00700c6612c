"""Small panels and networks that train in milliseconds, for the tests of this folder."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nt_ray.neural.models.base import Forecaster
from nt_ray.neural.models.dropout import Dropout
from nt_ray.neural.series.batch import Batch
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.training.recipe import Recipe

START = np.datetime64("2026-01-01", "us")


@pytest.fixture
def waves() -> SeriesPanel:
    """Three noisy sines of other levels, 300 hours each."""
    rng = np.random.default_rng(7)
    clock = np.arange(300)
    rows = [level + np.sin(clock / period) for level, period in ((10.0, 3.0), (-4.0, 5.0), (100.0, 8.0))]
    times = START + clock * np.timedelta64(1, "h")
    return SeriesPanel(("a", "b", "c"), times, np.stack(rows) + 0.05 * rng.normal(size=(3, 300)))


@pytest.fixture
def gappy(waves: SeriesPanel) -> SeriesPanel:
    """The same with missing values, and inputs of each kind, one of them known 12 rows ahead."""
    rng = np.random.default_rng(8)
    target = waves.target.copy()
    target[rng.random(target.shape) < 0.1] = np.nan
    past = rng.normal(5.0, 3.0, size=(3, 300, 2))
    past[1, 40, 0] = np.nan
    return SeriesPanel(
        waves.names,
        waves.times,
        target,
        past,
        ("volume", "spread"),
        rng.normal(size=(3, 312, 1)),
        ("hour",),
        rng.normal(size=(3, 2)),
        ("size", "age"),
    )


class Straight(Forecaster):
    """One linear layer with dropout: every kind of thing that a step changes or draws."""

    def __init__(self, recipe: Recipe, dropout: float = 0.0) -> None:
        super().__init__(recipe.shape(0, 0, 0, 1))
        self.drop = Dropout(dropout)
        self.layer = nn.Linear(recipe.lookback, recipe.horizon)

    def forward(self, batch: Batch) -> Tensor:
        outputs: Tensor = self.layer(self.drop(batch.target))
        return outputs[..., None]


@pytest.fixture
def straight() -> Callable[..., Straight]:
    """Maker of a network, always with the same first weights."""

    def make(recipe: Recipe, dropout: float = 0.0) -> Straight:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return Straight(recipe, dropout)

    return make


@pytest.fixture
def recipe() -> Recipe:
    return Recipe(
        model="rlinear", lookback=12, horizon=4, batch=16, steps=60, lr=0.01, validate_every=20, validation=0.2
    )


@pytest.fixture
def sizes() -> Callable[[str, int, int], dict[str, float]]:
    """Parameters that make a network of this name a small one, of a width and so many layers."""

    def of(name: str, width: int, layers: int) -> dict[str, float]:
        cells = {"hidden": width, "layers": layers}
        known: dict[str, dict[str, float]] = {
            **dict.fromkeys(("lstm", "gru", "deepar"), cells),
            "tcn": {"width": width // 2, "kernel": 3},
            "transformer": {
                "width": width, "heads": 2, "inner": width, "layers": layers, "patch": width // 2, "stride": width // 4
            },
            "nbeats": {"width": width, "layers": layers, "generic": 1},
            "nhits": {"width": width},
            "dlinear": {"kernel": 3},
        }  # fmt: skip
        return known.get(name, {})

    return of
