"""Training on Ray, and where not on Ray: one entry for one process and for many workers.

One worker takes the plain loop, in this process or as a task on the cluster; several take Ray Train with Lightning
around the same steps. A run belongs to its folder: called again with the same it goes on from the newest checkpoint,
after a worker was killed as after the whole driver was, and ends with the weights of a run that was not, bit for bit at
the same number of workers. On several nodes the folder has to be one that all of them reach.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

import actors.cluster  # noqa: F401  prepares the environment Ray reads

import ray  # isort: skip  after actors.cluster, which prepares its environment

from ray.exceptions import RayError, RayTaskError

from actors.training_data import PanelShards, TrainingData, WholePanel, read_portion, survey_shards
from nt_ray.errors import NeuralTraderError, ServiceError
from nt_ray.neural.models.base import Forecaster
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.series.shards import Shards
from nt_ray.neural.training.durable import DEFAULT_PACE, OnStep, Pace, newest, train_durably
from nt_ray.neural.training.recipe import Recipe
from nt_ray.neural.training.trained import Trained
from nt_ray.neural.training.training import Progress, Training
from nt_ray.neural.training.training_log import read_log

Route = Literal["process", "task", "lightning"]
GROUP: Final = "workers"
WATCH_S: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """Who trains: `workers` (least, most) on Ray, the group taking as many as there is room for; (0, 0) trains here."""

    workers: tuple[int, int] = (0, 0)
    gpu: bool = False
    pace: Pace = DEFAULT_PACE
    failures: int = 3
    """Deaths of workers that are put up with."""
    look_s: float = 60.0
    """Seconds between looks whether there is room for more workers, where their number may change."""

    def __post_init__(self) -> None:
        least, most = self.workers
        if not 0 <= least <= most or (least == 0 < most):
            raise NeuralError(
                f"workers = {least}:{most} cannot train. Give 0 for this process, a number, or LEAST:MOST from 1 on."
            )

    @property
    def path(self) -> Route:
        """Way that training takes: `process` and `task` are the plain loop of one worker."""
        if self.workers == (0, 0):
            return "process"
        return "task" if self.workers == (1, 1) else "lightning"


@dataclass(frozen=True, slots=True, eq=False)
class TrainedOnShards:
    """What was trained, some series of every shard, and the names of all series."""

    trained: Trained
    shown: SeriesPanel
    names: tuple[str, ...]


HERE: Final = Scaling()


def train_on_ray(
    panel: SeriesPanel,
    recipe: Recipe,
    folder: Path,
    scaling: Scaling = HERE,
    on_step: OnStep | None = None,
    network: Forecaster | None = None,
) -> Trained:
    """Train, or go on with what `folder` holds; Ray has to be connected where `scaling` has workers.

    `on_step` hears of the readings of the losses; with workers it is called from a thread of its own. `network` has the
    weights to start from; a new one where None.
    """
    if scaling.path == "process":
        device = "cuda" if scaling.gpu else "cpu"
        return train_durably(panel, recipe, folder, pace=scaling.pace, device=device, on_step=on_step, network=network)
    # A run that would be refused is refused here, before workers start.
    _check_room(scaling)
    run = Training(panel, recipe, network=network)
    folder = folder.resolve()
    stored = ray.put(panel)
    with _watched(folder, recipe.steps, on_step):
        alone = scaling.path == "task"
        work = (
            _as_task(stored, recipe, folder, scaling, network)
            if alone
            else _as_group(WholePanel(stored), recipe, folder, scaling, network)
        )
        with work as state:
            run.load(state)
    return run.result()


def train_on_shards(
    shards: Shards, recipe: Recipe, folder: Path, scaling: Scaling, on_step: OnStep | None = None
) -> TrainedOnShards:
    """Train with a group of workers of which each holds its own shards alone.

    Steps are those of a panel in one piece, whose series lie shard by shard, but for rounding.
    """
    least, most = scaling.workers
    held = len(shards.filled())
    if least == 0 or least > held:
        raise NeuralError(
            f"{least or 'No'} workers cannot share {held} shards with series. Use from 1 to {held} workers, or data in "
            "one piece (neural.training.shards = 0)."
        )
    _check_room(scaling)
    facts, shown = survey_shards(shards, recipe)
    panel, portion = read_portion(shards, facts, (0,))
    run = Training(panel, recipe, portion=portion)
    data = PanelShards(shards, ray.put(facts))
    folder = folder.resolve()
    with (
        _watched(folder, recipe.steps, on_step),
        _as_group(data, recipe, folder, replace(scaling, workers=(least, min(most, held)))) as state,
    ):
        run.load(state)
    return TrainedOnShards(run.result(), shown, tuple(name for fact in facts for name in fact.names))


def _check_room(scaling: Scaling) -> None:
    """Refuse workers that the cluster has no room for; Ray would wait for it."""
    least = scaling.workers[0]
    for what, key in (("GPUs", "GPU"), ("CPUs", "CPU"))[0 if scaling.gpu else 1 :]:
        there = int(ray.cluster_resources().get(key, 0))  # type: ignore[no-untyped-call]
        if there < least:
            raise NeuralError(
                f"{least} workers need as many {what}, and the cluster has {there}. "
                f"Use fewer workers{', or gpu = false' if key == 'GPU' else ' or set ray.num_cpus'}."
            )


@ray.remote
def _alone(
    panel: SeriesPanel, recipe: Recipe, folder: Path, pace: Pace, device: str, network: Forecaster | None
) -> None:
    train_durably(panel, recipe, folder, pace=pace, device=device, network=network)


@contextmanager
def _as_task(stored: Any, recipe: Recipe, folder: Path, scaling: Scaling, network: Forecaster | None) -> Iterator[Path]:
    """Run the plain loop as a task that is repeated where its process dies; gives the last state."""
    task = _alone.options(num_cpus=1, num_gpus=int(scaling.gpu), max_retries=scaling.failures)
    try:
        ray.get(task.remote(stored, recipe, folder, scaling.pace, "cuda" if scaling.gpu else "cpu", network))
    except RayTaskError as error:
        if isinstance(error.cause, NeuralTraderError):
            raise error.cause from None
        raise
    except RayError as error:
        raise _broken(error) from error
    state = newest(folder)
    if state is None:
        raise ServiceError(f"The worker left nothing in {str(folder)!r}. Give a folder that all nodes reach.")
    yield state


@contextmanager
def _as_group(
    data: TrainingData, recipe: Recipe, folder: Path, scaling: Scaling, network: Forecaster | None = None
) -> Iterator[Path]:
    """Run Ray Train with Lightning; gives the last state."""
    from ray.train import CheckpointConfig, FailureConfig, RunConfig, ScalingConfig, TrainingFailedError
    from ray.train.torch import TorchTrainer

    least, most = scaling.workers
    # Its type hints know neither elastic groups nor what a worker returns.
    build: Any = TorchTrainer
    group: Any = ScalingConfig
    trainer = build(
        _worker,
        train_loop_config={
            "data": data,
            "recipe": recipe,
            "folder": folder,
            "pace": scaling.pace,
            "network": network,
        },
        scaling_config=group(
            num_workers=least if least == most else (least, most),
            use_gpu=scaling.gpu,
            resources_per_worker={"CPU": 1, "GPU": 1} if scaling.gpu else {"CPU": 1},
            elastic_resize_monitor_interval_s=scaling.look_s,
        ),
        run_config=RunConfig(
            name=GROUP,
            storage_path=str(folder),
            checkpoint_config=CheckpointConfig(num_to_keep=2),
            failure_config=FailureConfig(max_failures=scaling.failures),
        ),
    )
    try:
        result = trainer.fit()
    except TrainingFailedError as error:
        raise _broken(error) from error
    if isinstance(result.return_value, str):
        raise NeuralError(result.return_value)
    if result.checkpoint is None:
        raise ServiceError(f"The workers left nothing in {str(folder)!r}. Give a folder that all nodes reach.")
    with result.checkpoint.as_directory() as place:
        yield Path(place)


def _worker(config: dict[str, Any]) -> str | None:
    # Lightning is imported where it works; the driver has no use for it.
    from actors.training_worker import fit

    return fit(**config)


def _broken(error: Exception) -> ServiceError:
    reason = next((line for line in reversed(str(error).splitlines()) if line.strip()), type(error).__name__)
    return ServiceError(
        f"Training broke off: {reason.strip()}. Look at `ray status`, then run the same again: it goes on from the "
        "last checkpoint."
    )


@contextmanager
def _watched(folder: Path, steps: int, on_step: OnStep | None) -> Iterator[None]:
    """Tell of the readings that workers log while the block runs."""
    if on_step is None:
        yield
        return
    ended = threading.Event()
    watcher = threading.Thread(target=_watch, args=(folder, steps, on_step, ended), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def _watch(folder: Path, steps: int, on_step: Callable[[Progress], None], ended: threading.Event) -> None:
    told = -1
    while True:
        last = ended.wait(WATCH_S)
        rows = [row for row in read_log(folder) if row["event"] == "read"]
        if rows and rows[-1]["step"] != told:
            told = rows[-1]["step"]
            on_step(Progress(told, steps, rows[-1]["loss"], rows[-1]["validation"]))
        if last:
            return
