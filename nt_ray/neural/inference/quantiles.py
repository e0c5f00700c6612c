"""Quantiles of a trained network: its own, from sampled paths where it forecasts step by step, or conformal ones."""

from typing import Final, Literal, get_args

import torch
from torch import Tensor

from nt_ray.neural.inference.calibration import Calibration, knows_quantiles
from nt_ray.neural.series.batch import Batch
from nt_ray.neural.serving.problems import WrongLevelsError
from nt_ray.neural.training.trained import Trained

Intervals = Literal["", "model", "conformal"]
"""The model's own quantiles or conformal ones; empty takes its own, and conformal ones for a head of points."""
WORDS: Final[tuple[str, ...]] = tuple(word for word in get_args(Intervals) if word)


def checked_intervals(text: object) -> Intervals:
    """Read which quantiles are asked for."""
    if text not in ("", *WORDS):
        raise WrongLevelsError(f"intervals is {str(text)[:40]!r}. Say {' or '.join(WORDS)}, or leave it out.")
    return text  # type: ignore[return-value]


def levels_given(trained: Trained) -> tuple[float, ...]:
    """Levels of the quantiles that a model gives unasked; of points those for which it was calibrated."""
    if knows_quantiles(trained.head):
        return trained.recipe.levels
    held = trained.calibration
    return () if held is None else tuple(level for level in trained.recipe.levels if held.allows(level))


def correcting(trained: Trained, levels: tuple[float, ...], intervals: Intervals, name: str = "") -> Calibration | None:
    """Calibration that the quantiles asked for are made with; None for the model's own.

    Refuses what the model cannot give, `name` among the words.
    """
    if not levels:
        return None
    called = f"Model {name}" if name else "The model"
    points, held = not knows_quantiles(trained.head), trained.calibration
    if points and intervals == "model":
        raise WrongLevelsError(
            f"{called} forecasts points and has no quantiles. Ask for conformal ones, or for another model."
        )
    if not points and intervals != "conformal":
        return None
    if held is None:
        words = "forecasts points and has no quantiles, and it was" if points else "was"
        raise WrongLevelsError(
            f"{called} {words} kept without the validation windows that conformal ones need. Ask for the mean alone, "
            "or train it with validation rows."
        )
    held.shifts(trained.head, levels)
    return held


def quantiles_of(
    trained: Trained, batch: Batch, outputs: Tensor, levels: tuple[float, ...], intervals: Intervals = ""
) -> Tensor:
    """Quantiles (B, H, Q) in the scale of a batch, from the outputs (B, H, K) of the network on it."""
    held = correcting(trained, levels, intervals)
    if held is not None:
        return held.quantiles(trained.head, outputs, levels)
    asked = torch.tensor(levels, dtype=torch.float32, device=outputs.device)
    return trained.network.quantiles(batch, outputs, asked, trained.head, trained.recipe.seed)
