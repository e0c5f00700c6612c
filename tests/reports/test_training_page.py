import numpy as np
import pytest

from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.training.recipe import Recipe
from nt_ray.neural.training.training import train
from nt_ray.reports.training_page import render_training, write_training


@pytest.fixture
def panel() -> SeriesPanel:
    clock = np.arange(120)
    times = np.datetime64("2026-01-01", "us") + clock * np.timedelta64(1, "h")
    return SeriesPanel(("a",), times, np.sin(clock / 3.0)[None] + 0.1 * np.cos(clock)[None])


@pytest.mark.parametrize("validation", [0.2, 0.0])
def test_the_page_shows_losses_and_what_was_trained(panel: SeriesPanel, validation: float, tmp_path) -> None:  # type: ignore[no-untyped-def]
    recipe = Recipe(
        model="rlinear", lookback=12, horizon=2, batch=8, steps=30, validate_every=10, validation=validation
    )
    trained = train(panel, recipe)
    page = render_training(trained, {"series": ["<b>"], "target": "close"})
    assert "Training of rlinear" in page
    assert "&lt;b&gt;" in page
    assert "<td><b></td>" not in page
    assert ("best validation loss" in page) == bool(validation)
    assert ('"name":"validation"' in page) == bool(validation)
    assert write_training(trained, {}, tmp_path / "page.html").read_text() == render_training(trained, {})
