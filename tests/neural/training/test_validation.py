from dataclasses import replace

import numpy as np
import pytest
import torch

from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.series.splits import split_of, validation_windows
from nt_ray.neural.training.recipe import Recipe
from nt_ray.neural.training.training import Training
from nt_ray.neural.training.validation import Best, validation_loss

CPU = torch.device("cpu")


def test_the_best_keeps_a_copy_of_its_weights_and_counts_those_no_better() -> None:
    best = Best()
    moving = {"a": torch.tensor([1.0])}
    for step, loss in ((10, 3.0), (20, 2.0), (30, 2.0), (40, float("nan")), (50, 2.5)):
        best.hear(loss, step, moving)
        moving["a"] += 1.0
    # A loss as good is no better, and what is no number never is.
    assert (best.loss, best.step, best.waited) == (2.0, 20, 3)
    assert best.weights["a"].item() == 2.0
    best.hear(1.0, 60, moving)
    assert (best.step, best.waited) == (60, 0)


@pytest.mark.parametrize("head", ["mse", "mae"])
def test_the_loss_is_the_mean_error_over_what_was_observed(gappy: SeriesPanel, recipe: Recipe, head: str) -> None:
    panel = SeriesPanel(gappy.names, gappy.times, gappy.target)
    recipe = recipe.model_copy(update={"head": head, "scaling": "none", "steps": 20, "validation": 0.5})
    run = Training(panel, recipe)
    run.run()
    held = validation_windows(panel, recipe, split_of(panel, recipe), CPU)
    assert held is not None
    expected = by_hand(run, panel, recipe, held.locate(torch.arange(held.count)))
    assert held.count > 256, "all in one part"
    for batch in (1, 1000):
        task = replace(run.task, recipe=recipe.model_copy(update={"batch": batch}))
        assert validation_loss(task, held) == pytest.approx(expected, rel=1e-5)
    assert run.task.network.training


def by_hand(run: Training, panel: SeriesPanel, recipe: Recipe, windows: tuple[torch.Tensor, torch.Tensor]) -> float:
    """Mean over the observed values of these windows, one forecast at a time."""
    errors: list[float] = []
    run.task.network.eval()
    for series, origin in zip(*(column.tolist() for column in windows), strict=True):
        past = panel.target[series, origin - 11 : origin + 1]
        cut = run.task.data.windows(torch.tensor([series]), torch.tensor([origin]))
        np.testing.assert_allclose(cut.batch.target[0], np.nan_to_num(past), rtol=1e-6)
        with torch.inference_mode():
            forecast = run.task.network(cut.batch)[0, :, 0].double().numpy()
        truth = panel.target[series, origin + 1 : origin + 5]
        residual = (forecast - truth)[~np.isnan(truth)]
        errors += (residual**2 if recipe.head == "mse" else np.abs(residual)).tolist()
    run.task.network.train()
    return float(np.mean(errors))
