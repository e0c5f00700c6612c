"""`nt-ray tune`: look for a network's parameters on Ray Tune, and keep the best model."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobs.options import AsJson, Progress, by_settings, help_text
from jobs.train_command import KEYS, Horizon, Lookback, Model, Register, Steps, Target
from jobs.tune_command import Algorithm, Resume, Top, Trials, Windows
from nt_ray.errors import BadInputError

if TYPE_CHECKING:
    import polars as pl

    from jobs.tune_model import Search
    from nt_ray.config import Settings
    from nt_ray.neural.series.panel import SeriesPanel
    from nt_ray.neural.training.search import ModelSpace
    from nt_ray.neural.training.trained import Trained

TUNE_HELP = help_text(
    "Search a network's parameters and those of its training (lr, weight_decay, clip, batch, lookback; where ridge "
    "solves it penalty and lookback) on Ray Tune by the loss on validation bars, and keep the best model. The "
    "validation loss of the best of many is flattering: judge it with `nt-ray evaluate`.",
    "nt-ray tune lstm",
    "nt-ray tune lstm --param hidden=16:128:log --param lr=1e-4:1e-2:log --algorithm optuna --trials 30",
    "nt-ray tune nhits --param lr=1e-4:1e-2:log --algorithm asha --trials 60 --register sp500_nhits",
    "nt-ray tune gru --param lr=1e-4:1e-2:log --param weight_decay=0:0.1 --algorithm pbt --trials 8 --json",
    "nt-ray tune rlinear --set neural.training.solver=ridge --param penalty=0.01:100:log",
    "nt-ray tune lstm --resume runs/20260102-150405-tune-lstm-7",
)
SUMMARY, BUNDLE, PAGE, CANDIDATES = "summary.json", "model", "search.html", "candidates.parquet"

Params = Annotated[
    list[str] | None,
    typer.Option("--param", metavar="NAME=VALUES", help="LOW:HIGH, LOW:HIGH:log, LOW:HIGH:STEP or A,B,C; repeated."),
]


@by_settings(**KEYS)
def tune(
    settings: "Settings",
    model: Model,
    param: Params = None,
    algorithm: Algorithm = "random",
    trials: Trials = 20,
    windows: Windows = 5,
    target: Target = None,
    lookback: Lookback = None,
    horizon: Horizon = None,
    steps: Steps = None,
    register: Register = None,
    resume: Resume = None,
    top: Top = 10,
    as_json: AsJson = False,
    progress: Progress = True,
) -> int:
    """Search, keep the best model and report."""
    from nt_ray.neural.registry.model_names import checked_name
    from nt_ray.neural.training.choice import panel_of, recipe_of
    from nt_ray.neural.training.search import parse_model_space
    from nt_ray.trader.data import load_bars

    chosen = settings.neural.training
    space = parse_model_space(recipe_of(chosen, model, {}, settings.seed), param or ())
    if register is not None:
        checked_name(register)
    if resume is not None and not resume.is_dir():
        raise BadInputError(f"--resume {str(resume)!r} is no folder. Give the folder of a search.")
    wanted = {"algorithm": algorithm, "trials": trials, "windows": windows, "seed": settings.seed}
    panel = panel_of(load_bars(settings.data), chosen)
    summary = _run(settings, panel, space, wanted, resume, register, shown=progress and not as_json)
    if as_json:
        typer.echo(json.dumps(summary))
    else:
        _show(summary, top)
    return 0


def _run(
    settings: "Settings",
    panel: "SeriesPanel",
    space: "ModelSpace",
    wanted: dict[str, Any],
    resume: Path | None,
    register: str | None,
    *,
    shown: bool,
) -> dict[str, Any]:
    from actors.environment import prepare

    prepare(settings.ray.address)
    from actors.cluster import connected
    from jobs.tune import Plan
    from jobs.tune_model import GOAL, Search
    from jobs.tune_model_display import searching
    from nt_ray.backtest.search.result import EvaluationLog
    from nt_ray.neural.training.choice import device_of
    from nt_ray.neural.training.device import on_threads
    from nt_ray.trader.run_folder import create_run_folder

    plan = Plan(**wanted, goal=GOAL, training=space.base.steps)
    search = Search.of(panel, space, plan, device_of(settings.neural.training))
    folder = resume or create_run_folder(Path(settings.runs), f"tune-{space.base.model}", plan.seed)
    log = EvaluationLog(folder, search.identity())
    began = time.perf_counter()
    ray = settings.ray
    with (
        connected(ray.address, num_cpus=ray.num_cpus, object_store_mb=ray.object_store_mb),
        searching(plan.trials * len(search.ends), shown=shown) as tell,
    ):
        found = search.run(log, folder, tell)
    # Sums depend on the number of threads in their last bits; workers have one.
    with on_threads(1):
        trained, values = search.best(found)
    metrics = _keep(settings, search, trained, values, folder)
    frame = search.table(found)
    frame.write_parquet(folder / CANDIDATES)
    facts = {
        "evaluations": len(log.known),
        "best": {"values": dict(values), **metrics},
        "seconds": round(time.perf_counter() - began, 3),
    }
    return _write(settings, search, frame, facts, folder, register)


def _keep(
    settings: "Settings", search: "Search", trained: "Trained", values: Mapping[str, float], folder: Path
) -> Mapping[str, float]:
    """Write the bundle of the best candidate; its metrics."""
    from nt_ray.neural.serving.keeping import keep

    facts = {
        "data": settings.data.source,
        "target": settings.neural.training.target,
        "series": list(search.panel.names),
        "searched": dict(values),
        "candidates": search.plan.trials,
    }
    return keep(trained, search.panel, folder / BUNDLE, facts).lineage.metrics


def _write(
    settings: "Settings",
    search: "Search",
    frame: "pl.DataFrame",
    facts: Mapping[str, Any],
    folder: Path,
    register: str | None,
) -> dict[str, Any]:
    """Write page and summary, and register the best model where it has a name; return the summary."""
    from nt_ray.neural.registry.registry import open_registry
    from nt_ray.reports.record import to_plain
    from nt_ray.reports.sweep import write_sweep

    name, plan = search.space.base.model, search.plan
    title = f"{name}: {plan.algorithm} search on {settings.data.source}"
    write_sweep(frame, list(search.space.domains), folder / PAGE, title=title, metric="score")
    told = {
        "model": name,
        "algorithm": plan.algorithm,
        "seed": plan.seed,
        "data": settings.data.source,
        "candidates": frame.height,
        "failed": int(frame["error"].is_not_null().sum()),
        "table": frame.to_dicts(),
        **facts,
        "folder": str(folder),
        "bundle": str(folder / BUNDLE),
        "page": str(folder / PAGE),
    }
    if register is not None:
        told["registered"] = f"{register}/{open_registry(settings.neural).register(folder / BUNDLE, register)}"
    summary: dict[str, Any] = to_plain(told)
    (folder / SUMMARY).write_text(json.dumps(summary, indent=2), encoding="utf-8")
    return summary


def _show(summary: dict[str, Any], top: int) -> None:
    from jobs.tune_model_display import print_search

    print_search(summary, top)
