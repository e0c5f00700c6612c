"""A generator trained with a folder: checkpoints on the way, and the way back after a kill, to the same bits."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from nt_ray.neural.synthetic.settings import GanSettings
from nt_ray.neural.synthetic.training import TEXT, GanTraining
from nt_ray.types import FloatArray

CHECKPOINT: Final = "checkpoint"
EVERY: Final = 25
"""Steps from one checkpoint to the next."""


def train_generator(
    returns: FloatArray, settings: GanSettings, folder: Path, on_step: Callable[[int, int], None] | None = None
) -> GanTraining:
    """Train on returns (n,), or go on with the training that `folder` holds; `on_step` hears of steps done, and all."""
    run, place = GanTraining(returns, settings), folder / CHECKPOINT
    if (place / TEXT).exists():
        run.load(place)
    while run.step < settings.steps:
        run.run(min(settings.steps, run.step - run.step % EVERY + EVERY))
        run.save(place)
        if on_step is not None:
            on_step(run.step, settings.steps)
    return run
