"""`nt-ray walk-forward`: fit on the past, judge on what follows, and say how far to believe it."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from jobs.options import AsJson, Params, Progress, by_settings, by_strategy, help_text

if TYPE_CHECKING:
    from rich.console import Console

    from nt_ray.backtest.research.study import Mapper, Study
    from nt_ray.backtest.research.walk_forward import WalkForward
    from nt_ray.config import Settings
    from nt_ray.trader.forecasting import OnFit

WALK_FORWARD_HELP = help_text(
    "Choose a strategy's parameters on past bars, trade those that follow with them, window after window, and report "
    "what was earned out of sample and what many trials alone would explain.",
    "nt-ray walk-forward momentum --param lookback=20:200:20",
    "nt-ray walk-forward momentum --param lookback=20:200:20 --param entry=0,1,2 --train 756 --test 252 --embargo 5",
    "nt-ray walk-forward mean_reversion --anchored --data prices/ --metric sortino --json",
    "nt-ray walk-forward momentum --param lookback=20:250:5 --ray",
)
REPORT, PAGE, WINDOWS, EQUITY, SETTINGS = (
    "research.json", "walk-forward.html", "windows.parquet", "equity.parquet", "settings.toml",
)  # fmt: skip

Train: TypeAlias = Annotated[int, typer.Option(min=2, help="Bars to fit on.")]
Test: TypeAlias = Annotated[int, typer.Option(min=1, help="Bars to judge on.")]
Step: TypeAlias = Annotated[int | None, typer.Option(min=1, help="Bars between windows; the test bars if not given.")]
Anchored: TypeAlias = Annotated[bool, typer.Option("--anchored", help="Fit on all bars from the first, not the last.")]
Embargo: TypeAlias = Annotated[int, typer.Option(min=0, help="Bars left out between train and test.")]
Warm: TypeAlias = Annotated[
    int, typer.Option(min=0, help="Bars that a strategy sees before a window, without trading.")
]
Metric: TypeAlias = Annotated[
    str, typer.Option(metavar="NAME", help="What to maximise: sharpe, sortino, calmar, cagr ...")
]
Workers: TypeAlias = Annotated[int | None, typer.Option(min=1, help="Threads; the machine's cores if not given.")]
OnRay: TypeAlias = Annotated[
    bool, typer.Option("--ray", help="Spread windows over Ray: RAY_ADDRESS, else a local one.")
]


@by_settings()
@by_strategy
def walk_forward(
    settings: "Settings",
    strategy: str,
    param: Params = None,
    train: Train = 756,
    test: Test = 252,
    step: Step = None,
    anchored: Anchored = False,
    embargo: Embargo = 0,
    warm: Warm = 252,
    metric: Metric = "sharpe",
    workers: Workers = None,
    on_ray: OnRay = False,
    as_json: AsJson = False,
    progress: Progress = True,
) -> None:
    """Walk forward, write a folder and print what was found."""
    from rich.console import Console

    from jobs.progress import counting, fitting
    from nt_ray.backtest.assignment import grids
    from nt_ray.backtest.research.report import research_report
    from nt_ray.backtest.research.splits import walk_forward_splits
    from nt_ray.backtest.research.walk_forward import walk
    from nt_ray.reports.record import to_plain
    from nt_ray.strategies.loader import label
    from nt_ray.trader.run_folder import create_run_folder

    with fitting(shown=progress, as_json=as_json) as on_fit:
        study = _study(settings, strategy, grids(param or ()), metric, warm, on_fit)
    rows = len(study.panel)
    splits = list(walk_forward_splits(rows, train, test, step=step, anchored=anchored, embargo=embargo))
    folder = create_run_folder(Path(settings.runs), f"walk-forward-{label(study.strategy.name)}", settings.seed)
    threads = workers or os.cpu_count() or 1
    console = Console(stderr=as_json)
    with _mapper(settings, threads, on_ray=on_ray) as mapper, counting(console, "windows", shown=progress) as on_window:
        result = walk(study, splits, mapper=mapper, on_window=on_window)
    found = research_report(result, seed=settings.seed, workers=threads)
    report: dict[str, Any] = to_plain({**found, "folder": str(folder)})
    _write(folder, settings, result, report)
    if as_json:
        typer.echo(json.dumps(report))
    else:
        _print(console, report)


def _study(
    settings: "Settings",
    name: str,
    space: Mapping[str, tuple[float, ...]],
    metric: str,
    warm: int,
    on_fit: "OnFit | None",
) -> "Study":
    from nt_ray.backtest.research.study import Study
    from nt_ray.strategies.registry import find
    from nt_ray.trader.data import load_for
    from nt_ray.trader.planning import account_plans, sizing_params

    strategy = find(name)
    return Study.of(
        load_for(settings, name, strategy.inputs, on_fit=on_fit).panel,
        strategy,
        space,
        sizing=sizing_params(settings),
        costs=account_plans(settings, Path(settings.runs))[0].costs,
        cash=settings.account.initial_cash,
        metric=metric,
        warm=warm,
    )


@contextmanager
def _mapper(settings: "Settings", workers: int, *, on_ray: bool) -> Iterator["Mapper"]:
    if not on_ray:
        from nt_ray.backtest.research.study import InThreads

        yield InThreads(workers)
        return
    from actors.environment import prepare

    prepare(settings.ray.address)
    from actors.cluster import connected
    from actors.windows import over_ray

    ray = settings.ray
    with connected(ray.address, num_cpus=ray.num_cpus, object_store_mb=ray.object_store_mb):
        yield over_ray


def _write(folder: Path, settings: "Settings", result: "WalkForward", report: Mapping[str, Any]) -> None:
    import polars as pl

    from nt_ray.config import to_toml
    from nt_ray.reports.walk_forward import write_walk_forward

    (folder / SETTINGS).write_text(to_toml(settings), encoding="utf-8")
    (folder / REPORT).write_text(json.dumps(report, indent=2), encoding="utf-8")
    result.frame().write_parquet(folder / WINDOWS)
    pl.DataFrame(
        {
            "time": pl.Series(result.times).cast(pl.Datetime("ns", "UTC")),
            "equity": result.course.equity[1:],
            "benchmark": result.default_course.equity[1:],
        }
    ).write_parquet(folder / EQUITY)
    write_walk_forward(result, report, folder / PAGE)


def _print(console: "Console", report: Mapping[str, Any]) -> None:
    from rich.table import Table

    names = report["parameters"]
    table = Table(title=f"{report['strategy']}, walk-forward by {report['metric']}")
    for name in ("test", *names, "in sample", "out of sample", "degradation"):
        table.add_column(name, justify="left" if name == "test" else "right", no_wrap=name == "test")
    for w in report["windows"]:
        figures = (_cell(w[k], ".2f") for k in ("in_sample", "out_of_sample", "degradation"))
        table.add_row(f"{w['test_start'][:10]} to {w['test_end'][:10]}", *(f"{w[n]:g}" for n in names), *figures)
    console.print(table)
    summary, search, own = report["summary"], report["search"], report["out_of_sample"]
    overfit = search.get("overfitting", {}).get("probability")
    holding = (search.get("against_benchmark") or {}).get("consistent")
    console.print(
        f"out of sample: {report['metric']} {_cell(summary['out_of_sample'], '.2f')} "
        f"(default parameters {_cell(summary['defaults'], '.2f')}), CAGR {_cell(own['cagr'], '.2%')}, "
        f"max drawdown {_cell(own['max_drawdown'], '.2%')}, efficiency {_cell(summary['efficiency'], '.2f')}\n"
        f"search of {search['candidates']} candidates: best Sharpe {_cell(search.get('best_sharpe'), '.2f')}, "
        f"deflated {_cell(search.get('deflated_sharpe'), '.1%')}, probability of overfitting {_cell(overfit, '.0%')}, "
        f"SPA p against buy and hold {_cell(holding, '.3f')}",
        soft_wrap=True,
    )
    console.print(f"\npage: {report['folder']}/{PAGE}", soft_wrap=True)


def _cell(value: float | None, form: str) -> str:
    return "undefined" if value is None else format(value, form)
