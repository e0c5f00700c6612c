from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.series.splits import check_trainable, split_of, training_windows, validation_windows
from nt_ray.neural.series.valid import ValidWindows
from nt_ray.neural.training.recipe import Recipe

CPU = torch.device("cpu")


def located(windows: ValidWindows | None) -> set[tuple[int, int]]:
    assert windows is not None
    series, origins = windows.locate(torch.arange(windows.count))
    return set(zip(series.tolist(), origins.tolist(), strict=True))


def panel_of(*series: np.ndarray) -> SeriesPanel:
    target = np.stack(series).astype(np.float64)
    times = np.datetime64("2026-01-01", "us") + np.arange(target.shape[1]) * np.timedelta64(1, "D")
    return SeriesPanel(tuple(f"s{number}" for number in range(len(target))), times, target)


@settings(max_examples=60)
@given(
    rows=st.integers(40, 80), lookback=st.integers(1, 8), horizon=st.integers(1, 4),
    validation=st.sampled_from([0.1, 0.2, 0.33]), purge=st.integers(0, 5),
)  # fmt: skip
def test_no_row_that_a_validation_forecasts_or_that_is_purged_is_seen_in_training(
    rows: int, lookback: int, horizon: int, validation: float, purge: int
) -> None:
    panel = panel_of(np.sin(np.arange(rows)))
    recipe = Recipe(model="rlinear", lookback=lookback, horizon=horizon, validation=validation, purge=purge)
    split = split_of(panel, recipe)
    trained = located(training_windows(panel, recipe, split, CPU))
    judged = located(validation_windows(panel, recipe, split, CPU))
    held = round(rows * validation)
    # Counted from the text of the protocol: the last rows are held out, and every window that fits is taken.
    assert {o for _, o in judged} == set(range(max(rows - held, lookback) - 1, rows - horizon))
    assert {o for _, o in trained} == set(range(lookback - 1, rows - held - purge - horizon))
    assert max(o + horizon for _, o in trained) == rows - held - purge - 1
    assert min(o + 1 for _, o in judged) == rows - held


@pytest.mark.parametrize("off", [{"validation": 0.0}, {"validate_every": 0}])
def test_without_validation_every_row_trains(off: dict[str, float], waves: SeriesPanel, recipe: Recipe) -> None:
    recipe = recipe.model_copy(update={**off, "purge": 7})
    split = split_of(waves, recipe)
    assert (split.train, split.rows) == (300, 300)
    assert validation_windows(waves, recipe, split, CPU) is None


def changed(panel: SeriesPanel, values: np.ndarray | float, series: int = 1) -> SeriesPanel:
    target = panel.target.copy()
    target[series] = values
    return replace(panel, target=target)


def test_what_cannot_be_trained_on_is_refused_by_name_and_can_be_skipped(waves: SeriesPanel, recipe: Recipe) -> None:
    split = split_of(waves, recipe)
    mute = waves.target[1].copy()
    mute[6 : split.train] = np.nan
    # A series that moves only where it is held out has nothing to teach either.
    late = np.where(np.arange(300) < split.train, 5.0, waves.target[1])
    refused = {"'b' is 5 ": (5.0, late), "'b' has 6 values": (mute,), "'b' has 0 values": (np.nan,)}
    for words, values in ((words, values) for words, kinds in refused.items() for values in kinds):
        bad = changed(waves, values)
        with pytest.raises(NeuralError, match=words):
            check_trainable(bad, recipe, split)
        skipping = recipe.model_copy(update={"unfit": "skip"})
        check_trainable(bad, skipping, split)
        assert {series for series, _ in located(training_windows(bad, skipping, split, CPU))} == {0, 2}
    check_trainable(waves, recipe, split)


def test_panels_without_a_window_are_refused_with_the_remedy(waves: SeriesPanel, recipe: Recipe) -> None:
    long = recipe.model_copy(update={"lookback": 240})
    with pytest.raises(NeuralError, match=r"240 of 300 rows train, and a window takes 240 \+ 4"):
        check_trainable(waves, long, split_of(waves, long))
    # Every other value is missing, and the recipe wants all of each look-back.
    sparse = replace(waves, target=np.where(np.arange(300) % 2, np.nan, waves.target))
    full = recipe.model_copy(update={"observed": 1.0})
    with pytest.raises(NeuralError, match=r"has 100% of its look-back.*lower recipe\.observed"):
        training_windows(sparse, full, split_of(sparse, full), CPU)
    ending = replace(waves, target=np.where(np.arange(300) < 240, waves.target, np.nan))
    with pytest.raises(NeuralError, match="60 validation rows hold no window with a horizon of 4"):
        validation_windows(ending, recipe, split_of(ending, recipe), CPU)
