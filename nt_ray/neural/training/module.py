"""The training run as a Lightning module, for trainers that speak Lightning; its steps are those of `Training`.

Lightning's loop gives the steps their turn and nothing else: windows, gradients, averages over the workers and the
optimiser are the run's own, so that the weights equal those of the plain loop bit for bit. Checkpoints are those of the
run (`TrainingModule.run.save`); switch Lightning's own off, which would pickle.
"""

from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from nt_ray.neural.models.base import Forecaster
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.series.portion import Portion
from nt_ray.neural.training.recipe import Recipe
from nt_ray.neural.training.team import joined
from nt_ray.neural.training.training import READ, Training


class TrainingModule(pl.LightningModule):
    """A run of training on one panel; `resume` is the folder of a checkpoint to go on from.

    Fit it with `Trainer(max_epochs=1, enable_checkpointing=False)`: one pass over the steps that are left. It logs
    `train_loss` and `validation_loss` where they are read.
    """

    def __init__(
        self,
        panel: SeriesPanel,
        recipe: Recipe,
        *,
        resume: Path | None = None,
        device: str = "cpu",
        portion: Portion | None = None,
        network: Forecaster | None = None,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        # Before the workers find each other the run is that of one; `on_fit_start` tells it of the others.
        self.run = Training(panel, recipe, device=device, portion=portion, network=network)
        if resume is not None:
            self.run.load(resume)
        self.network = self.run.task.network

    def configure_optimizers(self) -> list[Any]:
        """Leave the optimiser to the run."""
        return []

    def train_dataloader(self) -> range:
        """Numbers of the steps that are left."""
        return range(self.run.step, self.run.recipe.steps)

    def on_fit_start(self) -> None:
        """Take the rows of the batch that are this worker's."""
        if self.device != self.run.task.device:
            raise NeuralError(
                f"The run lies on {self.run.task.device}, and the trainer moved its network to {self.device}. "
                "Give the module the device of the trainer."
            )
        self.run.join(joined())

    def training_step(self, batch: Any, batch_idx: int) -> None:
        """Take the next step."""
        del batch, batch_idx
        run = self.run
        run.advance()
        if run.step % READ == 0 or run.done:
            self.log("train_loss", run.progress.loss)
            if run.validations:
                self.log("validation_loss", run.validations[-1][1])
        if run.done:
            self.trainer.should_stop = True
