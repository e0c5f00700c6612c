"""The training loop: steps, readings, validation, checkpoints, and what comes out.

The state of a run is its weights, its moments and one integer, the step. A run that was stopped anywhere and resumed
from its checkpoint ends with the very weights of one that was not, on the same hardware with the same number of
workers. Losses are read every `READ` steps; one that is not finite ends the run with the number of its step.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from nt_ray.neural.heads.heads import Head
from nt_ray.neural.models.base import Forecaster
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.series.portion import Portion
from nt_ray.neural.series.scaling import fit_scaler
from nt_ray.neural.series.signature import signature_of
from nt_ray.neural.series.splits import check_trainable, split_of, training_windows, validation_windows
from nt_ray.neural.series.windows import resident
from nt_ray.neural.training.building import build_head, build_network
from nt_ray.neural.training.checkpoint import read_checkpoint, write_checkpoint
from nt_ray.neural.training.closed_form import check_solvable, solutions
from nt_ray.neural.training.device import find_device
from nt_ray.neural.training.graph import GraphStep, capturable
from nt_ray.neural.training.optimiser import AdamW
from nt_ray.neural.training.recipe import Recipe
from nt_ray.neural.training.step import PlainStep, Task
from nt_ray.neural.training.team import ALONE, Team
from nt_ray.neural.training.trained import Trained
from nt_ray.neural.training.validation import Best, validation_loss

READ = 50
"""Steps between two readings of the losses."""


@dataclass(frozen=True, slots=True, eq=False)
class Progress:
    """Where a run stands: steps taken, the latest training loss, the latest validation loss (None before any)."""

    step: int
    steps: int
    loss: float
    validation: float | None


class Training:
    """One run of training, step by step.

    `network` replaces the one that the recipe would build. With a `portion` the panel has the series of its shards, and
    the others of the team hold the rest.
    """

    def __init__(
        self,
        panel: SeriesPanel,
        recipe: Recipe,
        *,
        device: str | torch.device = "cpu",
        team: Team = ALONE,
        network: Forecaster | None = None,
        head: Head | None = None,
        plain: bool = False,
        portion: Portion | None = None,
    ) -> None:
        place = find_device(device)
        if recipe.solver == "ridge":
            check_solvable(recipe, recipe.penalties)
        check_alone(recipe, together=team.size > 1 or portion is not None)
        split = split_of(panel, recipe)
        check_trainable(panel, recipe, split)
        self.recipe = recipe
        self.signature = signature_of(panel, recipe)
        if portion is None:
            self.data = panel.digest()
            self.scaler = fit_scaler(panel, split.train, recipe.scaling == "fold", recipe.inputs == "fold")
        else:
            self.signature = self.signature.model_copy(update={"gaps": portion.gaps})
            self.data, self.scaler = portion.digest, portion.scaler
        head = head or build_head(recipe)
        if network is None:
            network = build_network(recipe, self.signature, head.width)
        network = network.to(place).train()
        data = resident(panel, recipe.lookback, recipe.horizon, recipe.scaling, self.scaler, place)
        windows = training_windows(panel, recipe, split, place, portion)
        self.task = Task(recipe, network, head, data, windows, team)
        self.optimiser = AdamW(network.parameters(), recipe.weight_decay, recipe.clip)
        self._held_out = validation_windows(panel, recipe, split, place, portion)
        self._plain = plain or place.type != "cuda" or team.size > 1 or not capturable(network)
        self._steps: PlainStep | GraphStep | None = None
        self._losses: list[npt.NDArray[np.float32]] = []
        self.validations: list[tuple[int, float]] = []
        self.best = Best()
        self.step = 0

    @property
    def done(self) -> bool:
        """Whether there is nothing left to train."""
        return self.step >= self.recipe.steps or 0 < self.recipe.patience <= self.best.waited

    @property
    def progress(self) -> Progress:
        """Where the run stands, at the last reading."""
        loss = float(self._losses[-1][-1]) if self._losses else float("nan")
        return Progress(self.step, self.recipe.steps, loss, self.validations[-1][1] if self.validations else None)

    def join(self, team: Team) -> None:
        """Train with other workers from here on."""
        check_alone(self.recipe, together=team.size > 1)
        self.task = replace(self.task, team=team)
        self._plain = self._plain or team.size > 1
        self._steps = None

    def advance(self) -> None:
        """Take one step, and validate where it is time to; a closed form takes all steps at once."""
        if self.recipe.solver == "ridge":
            self._solve()
            return
        if self._steps is None:
            self._steps = (PlainStep if self._plain else GraphStep)(self.task, self.optimiser)
        self._steps.run(self.step)
        self.step += 1
        validate = self._held_out is not None and self.step % self.recipe.validate_every == 0
        if validate or self.step % READ == 0 or self.step == self.recipe.steps:
            self.read()
        if validate:
            self._validate()

    def run(self, until: int | None = None, on_step: Callable[[Progress], None] | None = None) -> None:
        """Train to the end, or until a number of steps are taken; `on_step` hears of every reading of the losses."""
        last = self.recipe.steps if until is None else min(until, self.recipe.steps)
        devices = [self.task.device] if self.task.device.type == "cuda" else []
        # On a CPU nothing is drawn from the generator of the process, and other threads may.
        with torch.random.fork_rng(devices=devices, enabled=bool(devices)):
            while self.step < last and not self.done:
                self.advance()
                if on_step is not None and (self.step % READ == 0 or self.step == last):
                    on_step(self.progress)
        self.read()

    def read(self) -> None:
        """Read the losses since the last reading, and refuse one that is not finite."""
        if self._steps is None:
            return
        losses = self._steps.read().numpy()
        bad = np.flatnonzero(~np.isfinite(losses))
        if len(bad):
            step = self.step - len(losses) + int(bad[0])
            raise NeuralError(
                f"The training loss is {losses[bad[0]]} at step {step}. Lower lr (now {self.recipe.lr:g}), set clip, "
                "add warm-up steps, or train in fp32."
            )
        if len(losses):
            self._losses.append(losses)

    def save(self, folder: Path) -> None:
        """Write a checkpoint; every worker calls it, and the first one writes."""
        self.read()
        if self.task.team.rank == 0:
            write_checkpoint(self, folder)

    def load(self, folder: Path, free: Collection[str] = ()) -> None:
        """Go on from a checkpoint of the same data and recipe, but for the fields that are `free` to differ."""
        state = read_checkpoint(self, folder, free)
        self.step, self.best, self.validations = state.step, state.best, state.validations
        self._losses = [state.losses] if len(state.losses) else []
        self._steps = None

    def losses(self) -> npt.NDArray[np.float32]:
        """Training losses read so far, (steps,)."""
        return np.concatenate(self._losses) if self._losses else np.empty(0, np.float32)

    def result(self) -> Trained:
        """What was trained, with the best weights; training cannot go on after it."""
        self.read()
        network = self.task.network
        if self.best.weights:
            network.load_state_dict(self.best.weights)
        return Trained(
            network=network.eval(),
            head=self.task.head,
            recipe=self.recipe,
            signature=self.signature,
            scaler=self.scaler,
            losses=self.losses(),
            validations=tuple(self.validations),
            step=self.step,
            best=self.best.step if self.best.weights else self.step,
            data=self.data,
        )

    def _solve(self) -> None:
        """Take the weights of the penalty that validates best; validations count the penalties."""
        recipe, network = self.recipe, self.task.network
        for number, weights in enumerate(solutions(self.task, recipe.penalties), 1):
            network.load_state_dict(weights)
            self.step = number
            self._validate()
        if self.best.weights:
            network.load_state_dict(self.best.weights)
        self._losses = [np.array([validation_loss(self.task, self.task.windows)], np.float32)]
        self.step = recipe.steps

    def _validate(self) -> None:
        if self._held_out is None:
            return
        loss = validation_loss(self.task, self._held_out)
        if not np.isfinite(loss):
            raise NeuralError(f"The validation loss is {loss} after {self.step} steps. Lower lr or set clip.")
        self.validations.append((self.step, loss))
        self.best.hear(loss, self.step, self.task.network.state_dict())


def check_alone(recipe: Recipe, *, together: bool) -> None:
    """Refuse to share among workers, or to cut into shards, what one process has to solve."""
    if together and recipe.solver == "ridge":
        raise NeuralError(
            "A closed form is solved by one process on series in one piece. Set neural.training.workers = 0 and "
            "shards = 0, or solver = 'steps'."
        )


def train(
    panel: SeriesPanel,
    recipe: Recipe,
    *,
    until: int | None = None,
    resume: Path | None = None,
    checkpoint: Path | None = None,
    on_step: Callable[[Progress], None] | None = None,
    device: str | torch.device = "cpu",
    network: Forecaster | None = None,
    head: Head | None = None,
) -> Trained:
    """Train a network on a panel.

    Parameters
    ----------
    until
        Steps after which the run pauses; `checkpoint` then holds what `resume` goes on from.
    checkpoint
        Folder that is written at the end and at each validation.
    network
        Weights to start from, such as those of an earlier version; a new network where None.
    """
    run = Training(panel, recipe, device=device, network=network, head=head)
    if resume is not None:
        run.load(resume)
    run.run(until, on_step)
    if checkpoint is not None:
        run.save(checkpoint)
    return run.result()
