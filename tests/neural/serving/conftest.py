"""Small models, and a registry of them, for the tests of this folder."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nt_ray.neural.inference.bundle import save_bundle
from nt_ray.neural.registry.registry import Registry
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.serving.reference import reference_of, save_reference
from nt_ray.neural.training.recipe import Recipe
from nt_ray.neural.training.trained import Trained
from nt_ray.neural.training.training import train
from nt_ray.storage.objects import S3Access, open_objects

RECIPE = Recipe(model="rlinear", lookback=12, horizon=4, batch=16, steps=5, lr=0.01, validate_every=0)
START = np.datetime64("2026-01-01", "us")

Make = Callable[..., Trained]
Register = Callable[..., int]


@pytest.fixture
def waves() -> SeriesPanel:
    """Three noisy sines of other levels, 120 hours each."""
    rng = np.random.default_rng(7)
    clock = np.arange(120)
    rows = [level + np.sin(clock / period) for level, period in ((10.0, 3.0), (-4.0, 5.0), (100.0, 8.0))]
    return SeriesPanel(
        ("a", "b", "c"), START + clock * np.timedelta64(1, "h"), np.stack(rows) + 0.05 * rng.normal(size=(3, 120))
    )


@pytest.fixture
def rich(waves: SeriesPanel) -> SeriesPanel:
    """The same with inputs of each kind."""
    rng = np.random.default_rng(8)
    return SeriesPanel(
        waves.names,
        waves.times,
        waves.target,
        rng.normal(5.0, 3.0, size=(3, 120, 2)),
        ("volume", "spread"),
        rng.normal(size=(3, 130, 1)),
        ("hour",),
        rng.normal(size=(3, 2)),
        ("size", "age"),
    )


@pytest.fixture
def make(waves: SeriesPanel) -> Make:
    """Maker of trained models, from changes to a small recipe."""

    def trained(panel: SeriesPanel = waves, **change: object) -> Trained:
        return train(panel, RECIPE.model_copy(update=change))

    return trained


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(open_objects(str(tmp_path / "models"), S3Access(None, None)), tmp_path / "cache", by="ann")


@pytest.fixture
def register(registry: Registry, make: Make, waves: SeriesPanel, tmp_path: Path) -> Register:
    """Register a model with its reference windows, under an alias; its version."""

    def one(name: str = "m", alias: str = "live", panel: SeriesPanel = waves, **change: object) -> int:
        trained = make(panel, **change)
        save_bundle(trained, tmp_path / "bundle")
        save_reference(reference_of(panel, trained, 30), tmp_path / "bundle", trained.scaler.names)
        version = registry.register(tmp_path / "bundle", name)
        registry.promote(name, version, alias)
        return version

    return one
