"""The plain loop with a folder: a log of its losses, checkpoints on the way, and the way back after a kill.

Called again with the same panel, recipe and folder it goes on from the newest checkpoint, and ends with the weights of
a run that was never stopped, bit for bit. A checkpoint appears whole or not at all; the last two are kept.
"""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from nt_ray.neural.models.base import Forecaster
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.training.device import on_threads
from nt_ray.neural.training.recipe import Recipe
from nt_ray.neural.training.trained import Trained
from nt_ray.neural.training.training import READ, Progress, Training
from nt_ray.neural.training.training_log import TrainingLog

CHECKPOINTS: Final = "checkpoints"
KEPT: Final = 2
OnStep = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Pace:
    """When a checkpoint is due: after so many steps, or so many seconds; 0 is never. Looked at every `READ` steps."""

    steps: int = 0
    seconds: float = 30.0

    def __post_init__(self) -> None:
        if self.steps < 0 or not self.seconds >= 0.0:
            raise NeuralError(f"Checkpoints every {self.steps} steps or {self.seconds} s make no sense. Use 0 or more.")

    def clock(self, step: int) -> "Clock":
        """Start counting at a step."""
        return Clock(self, step)


@dataclass(slots=True)
class Clock:
    """Steps and seconds since the last checkpoint."""

    pace: Pace
    step: int
    since: float = field(default_factory=time.monotonic)

    def due(self, step: int) -> bool:
        """Say whether a checkpoint should be made after this many steps."""
        by_steps = 0 < self.pace.steps <= step - self.step
        return by_steps or 0.0 < self.pace.seconds <= time.monotonic() - self.since

    def made(self, step: int) -> None:
        """Count from here."""
        self.step, self.since = step, time.monotonic()


DEFAULT_PACE: Final = Pace()


def train_durably(
    panel: SeriesPanel,
    recipe: Recipe,
    folder: Path,
    *,
    pace: Pace = DEFAULT_PACE,
    device: str = "cpu",
    threads: int = 1,
    on_step: OnStep | None = None,
    network: Forecaster | None = None,
) -> Trained:
    """Train in this process, or go on with the training that `folder` holds.

    `network` has the weights to start from; a new one where None. Sums depend on the number of threads in their last
    bits, and small networks are slowed by more than one.
    """
    with on_threads(threads):
        run = Training(panel, recipe, device=device, network=network)
        return _run(run, folder, pace, on_step)


def _run(run: Training, folder: Path, pace: Pace, on_step: OnStep | None) -> Trained:
    found = newest(folder)
    if found is not None:
        run.load(found)
    log = TrainingLog(folder, run.step)
    clock = pace.clock(run.step)
    while not run.done:
        # The end of a stretch is a place where the losses are read anyway.
        run.run(until=run.step - run.step % READ + READ)
        log.add(run.progress)
        if on_step is not None:
            on_step(run.progress)
        if run.done or clock.due(run.step):
            keep(run, folder)
            clock.made(run.step)
    return run.result()


def newest(folder: Path) -> Path | None:
    """Newest checkpoint of a run's folder; None where there is none."""
    return max((folder / CHECKPOINTS).glob("step-*"), default=None)


def keep(run: Training, folder: Path) -> None:
    """Write a checkpoint beside the earlier ones, of which the newest stays too."""
    place = folder / CHECKPOINTS
    run.save(place / f"step-{run.step:012d}")
    for old in sorted(place.glob("step-*"))[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    for half in place.glob(".step-*"):
        shutil.rmtree(half, ignore_errors=True)
