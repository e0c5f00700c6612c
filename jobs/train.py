"""The training job: a network on market data, in this process or by workers on Ray, kept in a folder.

`nt-ray train` and `ray job submit --working-dir . -- python -m jobs.train` start the same and take the same options.
The folder follows from recipe and data, so the same command again goes on where it was stopped, and answers at once
where it was done.
"""

import json
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer
from rich.console import Console

from actors.environment import prepare
from jobs.progress import counting
from nt_ray.config import Settings, to_toml
from nt_ray.errors import StorageError
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.serving.keeping import keep
from nt_ray.neural.training.choice import FIELDS, label_by, label_of, shards_key, workers_of
from nt_ray.neural.training.recipe import Recipe
from nt_ray.neural.training.trained import Trained
from nt_ray.reports.training_page import write_training
from nt_ray.trader.files import SETTINGS, SUMMARY

if TYPE_CHECKING:
    from actors.training import Scaling, TrainedOnShards
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


def run(
    settings: Settings,
    panel: SeriesPanel | None,
    recipe: Recipe,
    *,
    register: str | None = None,
    resume: bool = True,
    as_json: bool = False,
    progress: bool = True,
) -> int:
    """Train, write the folder, and print where it is or one JSON object; return the exit code.

    Without a panel the data are cut into shards, and no process holds them all.
    """
    console = Console(stderr=as_json)
    began = time.perf_counter()
    with counting(console, "training", shown=progress and not as_json) as tell:
        on_step = None if tell is None else lambda p: tell(p.step, p.steps)
        if panel is None:
            folder, made = train_shards(settings, recipe, fresh=not resume, on_step=on_step)
            trained, panel, names = made.trained, made.first, made.names
        else:
            folder = _folder(settings, label_of(panel, recipe), fresh=not resume)
            trained, names = train(settings, panel, recipe, folder, on_step), panel.names
    summary = write(settings, panel, trained, folder, time.perf_counter() - began, names)
    if register is not None:
        summary["registered"] = _register(settings, folder, register)
    if as_json:
        typer.echo(json.dumps(summary))
    else:
        _show(console, summary)
    return 0


def train(settings: Settings, panel: SeriesPanel, recipe: Recipe, folder: Path, on_step: "OnStep | None") -> Trained:
    """Train as `[neural.training]` says, on Ray only where it has workers."""
    from nt_ray.neural.training.durable import Pace, train_durably

    chosen = settings.neural.training
    pace = Pace(seconds=chosen.checkpoint_s)
    workers = workers_of(chosen)
    if workers == (0, 0):
        device = "cuda" if chosen.gpu else "cpu"
        return train_durably(panel, recipe, folder, pace=pace, device=device, threads=chosen.threads, on_step=on_step)
    ray = settings.ray
    prepare(ray.address)
    from actors.cluster import connected
    from actors.training import train_on_ray

    with connected(ray.address, num_cpus=ray.num_cpus, object_store_mb=ray.object_store_mb):
        return train_on_ray(panel, recipe, folder, _scaling(settings), on_step)


def train_shards(
    settings: Settings, recipe: Recipe, *, fresh: bool, on_step: "OnStep | None"
) -> "tuple[Path, TrainedOnShards]":
    """Cut the data into shards beside the runs, once, and train on them; the run's folder, and what was trained."""
    chosen, ray = settings.neural.training, settings.ray
    prepare(ray.address)
    from actors.cluster import connected
    from actors.panel_data import lay_out_bars
    from actors.training import train_on_shards

    with connected(ray.address, num_cpus=ray.num_cpus, object_store_mb=ray.object_store_mb):
        place = Path(settings.runs).resolve() / SHARDS / shards_key(settings.data, chosen)
        shards = lay_out_bars(settings.data, FIELDS[chosen.target], place, chosen.shards)
        folder = _folder(settings, label_by(place.name, recipe), fresh=fresh)
        return folder, train_on_shards(shards, recipe, folder, _scaling(settings), on_step)


def _scaling(settings: Settings) -> "Scaling":
    from actors.training import Scaling
    from nt_ray.neural.training.durable import Pace

    chosen = settings.neural.training
    pace = Pace(seconds=chosen.checkpoint_s)
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


def _folder(settings: Settings, label: str, *, fresh: bool) -> Path:
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


def _register(settings: Settings, folder: Path, name: str) -> str:
    from nt_ray.neural.registry.registry import open_registry

    return f"{name}/{open_registry(settings.neural).register(folder / BUNDLE, name)}"


def _show(console: Console, summary: dict[str, Any]) -> None:
    losses = ", ".join(f"{name.replace('_', ' ')} {value:.6g}" for name, value in summary["metrics"].items())
    console.print(
        f"{summary['model']}: {summary['steps']:,} steps, {losses}, best after step {summary['best_step']:,}\n"
        f"{summary['trained_by']}, {summary['seconds']:.1f} s\n"
        f"model: {summary['bundle']}\npage: {summary['page']}",
        soft_wrap=True,
    )
    if "registered" in summary:
        console.print(f"registered as {summary['registered']}", soft_wrap=True)


if __name__ == "__main__":
    from jobs.cli import main

    sys.exit(main(["train", *sys.argv[1:]]))
