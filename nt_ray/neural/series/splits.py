"""Training and validation rows of a panel, and the checks that there is something to train on.

A training window lies with its horizon inside the training rows. A validation window has its horizon after them and
after the rows that are purged; its look-back may reach back into them, as it would in use.
"""

from dataclasses import dataclass

import numpy as np
import torch

from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.series.portion import Portion
from nt_ray.neural.series.valid import ValidWindows, valid_windows
from nt_ray.neural.training.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Split:
    """Training rows [0, train) and validation rows [validation, rows)."""

    train: int
    validation: int
    rows: int


def split_of(panel: SeriesPanel, recipe: Recipe) -> Split:
    """Rows that train and rows that validate."""
    rows = len(panel)
    if not recipe.validation or not recipe.validate_every:
        return Split(rows, rows, rows)
    held = round(rows * recipe.validation)
    return Split(rows - held - recipe.purge, rows - held, rows)


def check_trainable(panel: SeriesPanel, recipe: Recipe, split: Split) -> None:
    """Refuse panels and series that cannot be trained on."""
    need = recipe.lookback + recipe.horizon
    if split.train < need:
        raise NeuralError(
            f"{split.train} of {len(panel)} rows train, and a window takes {recipe.lookback} + {recipe.horizon} "
            f"= {need}. Give longer series, or a shorter look-back, horizon, validation or purge."
        )
    if recipe.unfit == "skip":
        return
    for name, values in zip(panel.names, panel.target[:, : split.train], strict=True):
        known = values[~np.isnan(values)]
        if len(known) < recipe.observed * recipe.lookback + 1:
            raise NeuralError(
                f"Series {name!r} has {len(known)} values in the {split.train} training rows, too few for "
                f"a look-back of {recipe.lookback} and a horizon of {recipe.horizon}. "
                "Leave it out, or set unfit = 'skip'."
            )
        if np.ptp(known) == 0:
            raise NeuralError(
                f"Series {name!r} is {known[0]:g} in every training row: there is nothing to learn. "
                "Leave it out, or set unfit = 'skip'."
            )


def to_train(panel: SeriesPanel, recipe: Recipe, split: Split, device: torch.device) -> ValidWindows:
    """Find the windows that train."""
    seen = ~np.isnan(panel.target)
    if recipe.unfit == "skip":
        trained = panel.target[:, : split.train]
        # These two pass over what is missing, and a series without a value is greater than nothing.
        moves = np.fmax.reduce(trained, axis=1) > np.fmin.reduce(trained, axis=1)
        seen &= moves[:, None]
    origins = (0, split.train - recipe.horizon)
    return valid_windows(seen, recipe.lookback, recipe.horizon, origins, recipe.observed, device)


def to_validate(panel: SeriesPanel, recipe: Recipe, split: Split, device: torch.device) -> ValidWindows | None:
    """Find the windows that validate; None where validation is off."""
    if split.validation == split.rows:
        return None
    origins = (split.validation - 1, split.rows - recipe.horizon)
    seen = ~np.isnan(panel.target)
    return valid_windows(seen, recipe.lookback, recipe.horizon, origins, recipe.observed, device)


def training_windows(
    panel: SeriesPanel, recipe: Recipe, split: Split, device: torch.device, portion: Portion | None = None
) -> ValidWindows:
    """Windows that train, numbered among those of all shards for a portion of these; raises where there are none."""
    found = to_train(panel, recipe, split, device)
    found = found if portion is None else portion.training(found)
    if not found.count:
        raise NeuralError(
            f"No window of {recipe.lookback} + {recipe.horizon} rows has {recipe.observed:.0%} of its look-back "
            "observed. Give fuller series, or a lower recipe.observed or look-back."
        )
    return found


def validation_windows(
    panel: SeriesPanel, recipe: Recipe, split: Split, device: torch.device, portion: Portion | None = None
) -> ValidWindows | None:
    """Windows that validate, numbered alike; None where validation is off, an error where it is on without any."""
    found = to_validate(panel, recipe, split, device)
    if found is None:
        return None
    found = found if portion is None else portion.validation(found)
    if not found.count:
        raise NeuralError(
            f"{split.rows - split.validation} validation rows hold no window with a horizon of {recipe.horizon}. "
            "Give a larger share for validation, or validation = 0."
        )
    return found
