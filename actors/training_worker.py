"""A worker of a training on Ray Train: a Lightning trainer around the run, and reports that lose nothing.

All workers of a group come here. They report together, every so many steps or seconds by the first one's clock; the
first one writes the state (safetensors and JSON), which is uploaded while training goes on. Readings of the losses go
into the run's own log at once, since Ray Train drops those that come without a checkpoint.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import ray.train
import torch
from ray.train import Checkpoint, CheckpointUploadMode
from ray.train.lightning import RayDDPStrategy, RayLightningEnvironment, prepare_trainer
from ray.train.torch import get_device
from torch import distributed

from actors.training_data import TrainingData
from nt_ray.neural.models.base import Forecaster
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.training.durable import Clock, Pace
from nt_ray.neural.training.module import TrainingModule
from nt_ray.neural.training.recipe import Recipe
from nt_ray.neural.training.team import joined
from nt_ray.neural.training.training import READ, Training
from nt_ray.neural.training.training_log import TrainingLog


def fit(data: TrainingData, recipe: Recipe, folder: Path, pace: Pace, network: Forecaster | None = None) -> str | None:
    """Train with the other workers of the group; a sentence where the run is refused, which no retry would change.

    What one worker refuses all refuse, before any of them waits for a step of the others: Ray Train hands on what the
    first one returns. Once training runs they see the same losses, and refuse together.
    """
    device = get_device()
    module, own = None, ""
    try:
        module = _module(data, recipe, str(device), network)
    except NeuralError as error:
        own = str(error)
    refusal = joined().refusal(own, device)
    if module is None or refusal:
        return refusal
    try:
        _train(module, folder, pace)
    except NeuralError as error:
        return str(error)
    return None


def _module(data: TrainingData, recipe: Recipe, device: str, network: Forecaster | None) -> TrainingModule:
    context = ray.train.get_context()
    panel, portion = data.read(context.get_world_rank(), context.get_world_size())
    with _restored() as place:
        return TrainingModule(panel, recipe, resume=place, device=device, portion=portion, network=network)


def _train(module: TrainingModule, folder: Path, pace: Pace) -> None:
    run = module.run
    context = ray.train.get_context()
    size = context.get_world_size()
    log = TrainingLog(folder, run.step, size) if context.get_world_rank() == 0 else None
    reports = Reports(run, pace.clock(run.step), log)
    if run.done:
        # The driver died after the last step: the state only has to be told of again.
        run.join(joined())
        reports.report()
        return
    trainer = pl.Trainer(
        max_epochs=1,
        accelerator="gpu" if run.task.device.type == "cuda" else "cpu",
        devices="auto",
        strategy=RayDDPStrategy(broadcast_buffers=False),  # type: ignore[no-untyped-call]
        plugins=[RayLightningEnvironment()],  # type: ignore[no-untyped-call]
        callbacks=[_Listener(reports)],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    prepare_trainer(trainer).fit(module)


class Reports:
    """Log and checkpoints of one worker's run."""

    def __init__(self, run: Training, clock: Clock, log: TrainingLog | None) -> None:
        self._run = run
        self._clock = clock
        self._log = log

    def hear(self) -> None:
        """Take in that a step was taken; every worker calls it after each."""
        run = self._run
        if run.step % READ and not run.done:
            return
        run.read()
        if self._log is not None:
            self._log.add(run.progress)
        if self._agreed(run.done or self._clock.due(run.step)):
            self.report()
            self._clock.made(run.step)

    def report(self) -> None:
        """Tell Ray Train of the state; returns before it is uploaded."""
        run = self._run
        progress = run.progress
        metrics = {"step": run.step, "loss": progress.loss, "validation": progress.validation}
        if self._log is None:
            run.save(Path())
            ray.train.report(metrics)
            return
        place = Path(tempfile.mkdtemp(prefix="nt-ray-state-"))
        with ExitStack() as failed:
            failed.callback(shutil.rmtree, place, ignore_errors=True)
            run.save(place)
            failed.pop_all()
        ray.train.report(
            metrics,
            checkpoint=Checkpoint.from_directory(str(place)),
            checkpoint_upload_mode=CheckpointUploadMode.ASYNC,
            delete_local_checkpoint_after_upload=True,
        )

    def _agreed(self, due: bool) -> bool:
        """Whether the first worker says it is time: clocks differ, and all have to report equally often."""
        said = torch.tensor([due], dtype=torch.int32, device=self._run.task.device)
        distributed.broadcast(said, src=0)
        return bool(said.item())


class _Listener(pl.Callback):
    def __init__(self, reports: Reports) -> None:
        self._reports = reports

    def on_train_batch_end(self, *_: Any, **__: Any) -> None:
        self._reports.hear()


@contextmanager
def _restored() -> Iterator[Path | None]:
    """Folder of the newest checkpoint that was told of; None at the beginning."""
    found = ray.train.get_checkpoint()
    if found is None:
        yield None
        return
    with found.as_directory() as place:
        yield Path(place)
