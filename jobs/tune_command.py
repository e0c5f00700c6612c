"""`nt-ray search`: look for parameters on Ray Tune, and show how the best do on days that the search never saw."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobs.options import AsJson, Progress, by_settings, by_strategy, day, help_text
from nt_ray.errors import BadInputError

if TYPE_CHECKING:
    import polars as pl

    from jobs.tune import Plan
    from nt_ray.backtest.search.objective import Objective
    from nt_ray.backtest.search.space import SearchSpace
    from nt_ray.config import Settings
    from nt_ray.trader.forecasting import OnFit

SEARCH_HELP = help_text(
    "Search a strategy's parameters on Ray Tune, score them on the first part of the data and report on the rest.",
    "nt-ray search momentum --param lookback=10:200 --param entry=0.2:2.0",
    "nt-ray search momentum --param lookback=10:250:log --algorithm optuna --trials 50 --train-until 2012-12-31",
    "nt-ray search pairs --param lookback=60:500 --algorithm asha --trials 60 --metric sortino --json",
    "nt-ray search momentum --param lookback=10:200 --resume runs/20260102-150405-search-momentum-7",
)
SUMMARY = "summary.json"

Params = Annotated[
    list[str],
    typer.Option("--param", metavar="NAME=VALUES", help="LOW:HIGH, LOW:HIGH:log, LOW:HIGH:STEP or A,B,C; repeated."),
]
Algorithm = Annotated[str, typer.Option(metavar="NAME", help="random, optuna (TPE), asha or pbt.")]
Trials = Annotated[int, typer.Option(min=1, help="Candidates; the size of the population for pbt.")]
Metric = Annotated[str, typer.Option(metavar="NAME", help="What to maximise: sharpe, sortino, calmar, cagr, ...")]
TrainUntil = Annotated[
    str | None, typer.Option(metavar="DATE", help="Last day to train on; the first 70 % of the bars if not given.")
]
Windows = Annotated[int, typer.Option(min=1, help="Stretches of history between which pbt changes its population.")]
Resume = Annotated[Path | None, typer.Option(metavar="FOLDER", help="Folder of a search to go on with.")]
Top = Annotated[int, typer.Option(min=1, help="Candidates to show and to measure on the held-out rest.")]


@by_settings()
@by_strategy
def search(
    settings: "Settings",
    strategy: str,
    param: Params,
    algorithm: Algorithm = "random",
    trials: Trials = 50,
    metric: Metric = "sharpe",
    train_until: TrainUntil = None,
    windows: Windows = 5,
    top: Top = 20,
    resume: Resume = None,
    as_json: AsJson = False,
    progress: Progress = True,
) -> int:
    """Search and report."""
    from jobs.progress import fitting
    from nt_ray.backtest.search.objective import check_goal
    from nt_ray.backtest.search.space import parse_space
    from nt_ray.strategies.registry import find

    space = parse_space(find(strategy), param)
    check_goal(metric)
    if resume is not None and not resume.is_dir():
        raise BadInputError(f"--resume {str(resume)!r} is no folder. Give the folder of a search.")
    with fitting(shown=progress, as_json=as_json) as on_fit:
        objective = _objective(settings, strategy, space, on_fit)
    wanted = {"algorithm": algorithm, "trials": trials, "goal": metric, "windows": windows, "seed": settings.seed}
    summary, frame = _run(settings, objective, space, wanted, train_until, resume, top, as_json, progress)
    if as_json:
        typer.echo(json.dumps(summary))
    else:
        from jobs.tune_display import print_search

        print_search(summary, frame, list(space.domains), top)
    return 0


def _objective(settings: "Settings", name: str, space: "SearchSpace", on_fit: "OnFit | None") -> "Objective":
    from nt_ray.backtest.search.objective import Objective
    from nt_ray.trader.data import load_for
    from nt_ray.trader.planning import account_plans, sizing_params

    panel = load_for(settings, name, space.strategy.inputs, on_fit=on_fit).panel
    costs = account_plans(settings, Path(settings.runs))[0].costs
    return Objective(panel, space.strategy, sizing_params(settings), costs, settings.account.initial_cash)


def _run(
    settings: "Settings",
    objective: "Objective",
    space: "SearchSpace",
    wanted: dict[str, Any],
    train_until: str | None,
    resume: Path | None,
    top: int,
    as_json: bool,
    progress: bool,
) -> tuple[dict[str, Any], "pl.DataFrame"]:
    from actors.environment import prepare

    prepare(settings.ray.address)
    from actors.cluster import connected
    from jobs.tune import Plan, identity, search
    from jobs.tune_display import PAGE, search_progress
    from nt_ray.backtest.search.objective import training_rows
    from nt_ray.backtest.search.result import CANDIDATES, EvaluationLog, candidates
    from nt_ray.reports.record import to_plain
    from nt_ray.reports.sweep import write_sweep
    from nt_ray.strategies.loader import label
    from nt_ray.trader.data import last_moment
    from nt_ray.trader.run_folder import create_run_folder

    until = None if train_until is None else last_moment(day("--train-until", train_until))
    plan = Plan(**wanted, training=training_rows(objective.panel, until))
    folder = resume or create_run_folder(Path(settings.runs), f"search-{label(space.strategy.name)}", plan.seed)
    log = EvaluationLog(folder, identity(objective))
    began = time.perf_counter()
    ray = settings.ray
    with (
        connected(ray.address, num_cpus=ray.num_cpus, object_store_mb=ray.object_store_mb),
        search_progress(plan, shown=progress and not as_json) as tell,
    ):
        last = search(objective, space, plan, log, folder, tell)
    frame = _held_out(objective, candidates(last, list(space.domains), plan.goal, plan.training), space, plan, top)
    frame.write_parquet(folder / CANDIDATES)
    facts = _summary(objective, plan, log, frame, space, folder, time.perf_counter() - began)
    summary: dict[str, Any] = to_plain(facts)
    (folder / SUMMARY).write_text(json.dumps(summary, indent=2), encoding="utf-8")
    title = f"{space.strategy.name}: {plan.algorithm} search on {objective.panel.name}"
    write_sweep(frame, list(space.domains), folder / PAGE, title=title, metric="score")
    return summary, frame


def _held_out(
    objective: "Objective", frame: "pl.DataFrame", space: "SearchSpace", plan: "Plan", top: int
) -> "pl.DataFrame":
    """Measure the best on the rows that no candidate was chosen by."""
    from jobs.tune_trial import evaluate
    from nt_ray.backtest.search.result import with_held_out

    measured = []
    for row in frame.head(top).iter_rows(named=True):
        fit = row["score"] is not None and row["share"] >= 1.0
        values = {name: row[name] for name in space.domains}
        metrics, _ = evaluate(objective, values, plan.training, len(objective.panel)) if fit else ({}, None)
        measured.append(metrics or None)
    return with_held_out(frame, measured)


def _summary(
    objective: "Objective",
    plan: "Plan",
    log: Any,
    frame: "pl.DataFrame",
    space: "SearchSpace",
    folder: Path,
    seconds: float,
) -> dict[str, Any]:
    panel = objective.panel
    best = frame.row(0, named=True)
    found = best["score"] is not None
    return {
        "strategy": space.strategy.name,
        "algorithm": plan.algorithm,
        "metric": plan.goal,
        "seed": plan.seed,
        "data": panel.name,
        "training": [panel.time(0), panel.time(plan.training - 1)],
        "held_out": [panel.time(plan.training), panel.time(-1)],
        "candidates": frame.height,
        "evaluations": len(log.known),
        "failed": int(frame["error"].is_not_null().sum()),
        "seconds": round(seconds, 3),
        "best": {
            "parameters": {name: best[name] for name in space.domains},
            "score": best["score"],
            "train": {k.removeprefix("train_"): v for k, v in best.items() if k.startswith("train_")},
            "test": {k.removeprefix("test_"): v for k, v in best.items() if k.startswith("test_")},
            **_deflated(objective, plan, log, frame, space),
        }
        if found
        else None,
        "folder": str(folder),
    }


def _deflated(
    objective: "Objective", plan: "Plan", log: Any, frame: "pl.DataFrame", space: "SearchSpace"
) -> dict[str, float | int | None]:
    """Probability that the best Sharpe ratio is more than the luck of having tried so many (Bailey, Lopez de Prado)."""
    import numpy as np

    from nt_ray.backtest.research.sharpe import deflated_sharpe, sharpe_sample

    whole = [e for e in log.known.values() if (e.first, e.after) == (0, plan.training)]
    ratios = np.array([e.metrics["sharpe"] for e in whole if e.metrics.get("sharpe") is not None], dtype=np.float64)
    tried = len({tuple(sorted(e.values.items())) for e in log.known.values()})
    best = frame.row(0, named=True)
    curve = objective.equity({name: best[name] for name in space.domains}, plan.training)
    sample = sharpe_sample(curve[1:] / curve[:-1] - 1.0)
    if sample is None or len(ratios) < 2:
        return {"tried": tried, "deflated_sharpe": None}
    # The kept ratios are annualised; the deflation counts in bars.
    variance = float(np.var(ratios / np.sqrt(objective.panel.periods_per_year), ddof=1))
    return {"tried": tried, "deflated_sharpe": deflated_sharpe(sample, tried, variance)}
