"""A training as a whole: where it lies, who trains it, and what it leaves in its folder.

The folder follows from recipe and data, so the same training again goes on where it was stopped, and answers at once
where it was done. Ray is joined or started only where the settings have workers.
"""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from actors.environment import prepare
from nt_ray.config import Settings, to_toml
from nt_ray.errors import StorageError
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.serving.keeping import keep
from nt_ray.neural.training.choice import FIELDS, device_of, label_by, shards_key, workers_of
from nt_ray.neural.training.recipe import Recipe
from nt_ray.neural.training.trained import Trained
from nt_ray.reports.training_page import write_training
from nt_ray.trader.files import SETTINGS, SUMMARY

if TYPE_CHECKING:
    from actors.training import Scaling, TrainedOnShards
    from nt_ray.neural.models.base import Forecaster
    from nt_ray.neural.training.durable import OnStep

BUNDLE: Final = "model"
PAGE: Final = "training.html"
ROUTES: Final = {
    "process": "plain loop in this process",
    "task": "plain loop in a task on Ray",
    "lightning": "Lightning in workers of Ray Train",
    "shards": "Lightning in workers of Ray Train, each with its own shards of the series",
}
SHARDS: Final = ".shards"
"""Folder beside the runs for data in shards."""


def train(
    settings: Settings,
    panel: SeriesPanel,
    recipe: Recipe,
    folder: Path,
    on_step: "OnStep | None" = None,
    network: "Forecaster | None" = None,
) -> Trained:
    """Train as `[neural.training]` says, on Ray only where it has workers, from the weights of `network` if given."""
    from nt_ray.neural.training.durable import Pace, train_durably
    from nt_ray.neural.training.training import check_alone

    chosen = settings.neural.training
    pace = Pace(chosen.checkpoint_steps, chosen.checkpoint_s)
    workers = workers_of(chosen)
    if workers == (0, 0):
        return train_durably(
            panel,
            recipe,
            folder,
            pace=pace,
            device=device_of(chosen),
            threads=chosen.threads,
            on_step=on_step,
            network=network,
        )
    # Before Ray is started, and workers on it.
    check_alone(recipe, together=workers != (1, 1))
    ray = settings.ray
    prepare(ray.address)
    from actors.cluster import connected
    from actors.training import train_on_ray

    with connected(ray.address, num_cpus=ray.num_cpus, object_store_mb=ray.object_store_mb):
        return train_on_ray(panel, recipe, folder, _scaling(settings), on_step, network)


def train_shards(
    settings: Settings, recipe: Recipe, *, fresh: bool, on_step: "OnStep | None"
) -> "tuple[Path, TrainedOnShards]":
    """Cut the data into shards beside the runs, once, and train on them; the run's folder, and what was trained."""
    from nt_ray.neural.training.training import check_alone

    check_alone(recipe, together=True)
    chosen, ray = settings.neural.training, settings.ray
    prepare(ray.address)
    from actors.cluster import connected
    from actors.panel_data import Chosen, lay_out_bars
    from actors.training import train_on_shards

    with connected(ray.address, num_cpus=ray.num_cpus, object_store_mb=ray.object_store_mb):
        place = Path(settings.runs).resolve() / SHARDS / shards_key(settings.data, chosen)
        take = Chosen(FIELDS[chosen.target], chosen.past, chosen.future)
        shards = lay_out_bars(settings.data, take, place, chosen.shards)
        folder = run_folder(settings, label_by(place.name, recipe), fresh=fresh)
        return folder, train_on_shards(shards, recipe, folder, _scaling(settings), on_step)


def _scaling(settings: Settings) -> "Scaling":
    from actors.training import Scaling
    from nt_ray.neural.training.durable import Pace

    chosen = settings.neural.training
    pace = Pace(chosen.checkpoint_steps, chosen.checkpoint_s)
    return Scaling(workers=workers_of(chosen), gpu=chosen.gpu, pace=pace, failures=chosen.failures)


def write(
    settings: Settings, panel: SeriesPanel, trained: Trained, folder: Path, seconds: float, names: Sequence[str]
) -> dict[str, Any]:
    """Write bundle, page, settings and summary of a training on the series of these names; return the summary.

    `panel` shows what they look like: all of them, or some.
    """
    facts: dict[str, Any] = {
        "data": settings.data.source,
        "target": settings.neural.training.target,
        "series": list(names),
        "start": str(panel.times[0].astype("datetime64[s]")),
        "end": str(panel.times[-1].astype("datetime64[s]")),
        "trained_by": ROUTES[_route(settings)],
        "workers": settings.neural.training.workers,
    }
    description = keep(trained, panel, folder / BUNDLE, facts)
    write_training(trained, facts, folder / PAGE)
    summary = {
        "model": trained.recipe.model,
        **facts,
        "steps": trained.step,
        "best_step": trained.best,
        "metrics": description.lineage.metrics,
        "recipe": trained.recipe.model_dump(mode="json"),
        "data_digest": trained.data,
        "seconds": round(seconds, 3),
        "folder": str(folder),
        "bundle": str(folder / BUNDLE),
        "page": str(folder / PAGE),
    }
    try:
        (folder / SETTINGS).write_text(to_toml(settings), encoding="utf-8")
        (folder / SUMMARY).write_text(json.dumps(summary, indent=2), encoding="utf-8")
    except OSError as error:
        raise StorageError(f"{str(folder)!r} cannot be written ({error.strerror}). Give another --runs.") from error
    return summary


def _route(settings: Settings) -> str:
    if settings.neural.training.shards:
        return "shards"
    workers = workers_of(settings.neural.training)
    return "process" if workers == (0, 0) else "task" if workers == (1, 1) else "lightning"


def run_folder(settings: Settings, label: str, *, fresh: bool) -> Path:
    """Folder of this training, without what it held where it starts anew."""
    folder = Path(settings.runs).resolve() / label
    try:
        if fresh and folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"The run folder {str(folder)!r} cannot be made ({error.strerror}). Give a writable folder with --runs."
        ) from error
    return folder


def register_bundle(settings: Settings, folder: Path, name: str) -> str:
    """Store the model of a folder as the next version of a name; the version in words."""
    from nt_ray.neural.registry.registry import open_registry

    return f"{name}/{open_registry(settings.neural).register(folder / BUNDLE, name)}"
