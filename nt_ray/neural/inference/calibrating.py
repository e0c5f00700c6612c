"""The calibration of a network that was just trained: what it says on windows that it was not trained on."""

from dataclasses import replace
from typing import Final

import torch

from nt_ray.neural.inference.calibration import Calibration
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.series.splits import split_of, to_validate
from nt_ray.neural.series.windows import resident
from nt_ray.neural.training.trained import Trained

COUNT: Final = 500
"""Most windows, evenly spread over the validation rows of all series."""


def calibrated(trained: Trained, panel: SeriesPanel) -> Trained:
    """The same with the calibration of the validation windows of the panel it was trained on, where it has any."""
    recipe = trained.recipe
    device = next((p.device for p in trained.network.parameters()), torch.device("cpu"))
    held = to_validate(panel, recipe, split_of(panel, recipe), device)
    if held is None or not held.count:
        return trained
    data = resident(panel, recipe.lookback, recipe.horizon, recipe.scaling, trained.scaler, device)
    cut = data.windows(*held.locate(held.spread(COUNT)))
    with torch.inference_mode():
        outputs = trained.network.eval()(cut.batch).float().cpu()
    truth = torch.where(cut.truth.mask > 0, cut.truth.target, torch.nan).cpu()
    return replace(trained, calibration=Calibration(outputs.clone(), truth.clone()))
