"""The evaluation job: walks, scores, leak test and trading of networks on market data, written to a run's folder."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from jobs.progress import counting
from nt_ray.backtest.research.splits import Split
from nt_ray.config import Settings, to_toml
from nt_ray.errors import BadInputError
from nt_ray.market.bars import BarPanel
from nt_ray.neural.heads.point import LOSSES
from nt_ray.neural.scoring.evaluation import Plan, Refit, Walk, fold_origins
from nt_ray.neural.scoring.leak import CHANGES, REMOVED, Leak, evaluated, find_leaks
from nt_ray.neural.scoring.method import Fitted, Method
from nt_ray.neural.scoring.network_method import Network
from nt_ray.neural.scoring.scoreboard import LEVELS, Board, Terms
from nt_ray.neural.scoring.scoreboard import evaluate as score_all
from nt_ray.neural.scoring.traded import trade
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.training.choice import UNITS, device_of, panel_of, recipe_of
from nt_ray.neural.training.device import on_threads
from nt_ray.neural.training.recipe import Recipe
from nt_ray.reports.forecast_page import ForecastRecord, write_forecasts
from nt_ray.reports.record import to_plain
from nt_ray.trader.data import load_bars
from nt_ray.trader.files import SETTINGS
from nt_ray.trader.planning import account_plans, sizing_params
from nt_ray.trader.run_folder import create_run_folder

if TYPE_CHECKING:
    from jobs.progress import OnStep

REPORT, PAGE = "evaluation.json", "evaluation.html"
LEAK_STEPS: Final = 20
"""Steps of the trainings that the leak test compares; a leak does not need a good network."""
LEAK_ORIGINS: Final = 64
"""Origins of the leak test, where the evaluation has as many: so many that intervals learn from errors on the way."""
LEAK_AFTER: Final = 0.75
"""Share of these origins up to which nothing may change with what follows."""
SHOWN: Final = ("mse", "mae", "mase", "crps", "coverage_80%", "coverage_90%", "direction", "rank_ic")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is evaluated and how; see `nt-ray evaluate --help`."""

    models: tuple[str, ...]
    values: Mapping[str, float]
    train: float
    folds: int
    rolling: bool
    purge: int
    embargo: int
    stride: int
    refit: str
    seeds: int
    season: int
    leaks: bool
    trade: bool


@dataclass(frozen=True, slots=True)
class _Counted:
    """A method that tells of each fit."""

    inner: Method
    tell: Callable[[], None]

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def horizon(self) -> int:
        return self.inner.horizon

    def fit(self, panel: SeriesPanel, seed: int, before: Fitted | None) -> Fitted:
        fitted = self.inner.fit(panel, seed, before)
        self.tell()
        return fitted


def run(settings: Settings, wanted: Wanted, *, as_json: bool = False, progress: bool = True) -> int:
    """Evaluate, write the folder and print; 1 where a pipeline knew the future."""
    console = Console(stderr=as_json)
    chosen = settings.neural.training
    bars = load_bars(settings.data)
    panel = panel_of(bars, chosen)
    recipes = [recipe_of(chosen, m, wanted.values, settings.seed) for m in wanted.models]
    device = device_of(chosen)
    methods = [Network(r.model, r, () if r.head in LOSSES else LEVELS, device) for r in recipes]
    plan = _plan(wanted, len(panel), settings.seed)
    terms = Terms(kind="return" if chosen.target == "returns" else "level", season=wanted.season)
    began = time.perf_counter()
    with on_threads(chosen.threads), counting(console, "fits", shown=progress and not as_json) as tell:
        board, walks = _walk(panel, methods, plan, terms, tell)
        leaks = _leaks(panel, methods, plan, terms) if wanted.leaks else None
    folder = create_run_folder(Path(settings.runs), f"evaluate-{'-'.join(m.name for m in methods)}", settings.seed)
    traded = _traded(settings, bars, walks, board) if wanted.trade else {}
    report = {
        **board.report(),
        "models": [m.recipe.model_dump(mode="json") for m in methods],
        "leaks": None
        if leaks is None
        else {name: [leak.sentence() for leak in found] for name, found in leaks.items()},
        "traded": traded,
        "seconds": round(time.perf_counter() - began, 3),
        "folder": str(folder),
    }
    plain: dict[str, Any] = to_plain(report)
    (folder / SETTINGS).write_text(to_toml(settings), encoding="utf-8")
    (folder / REPORT).write_text(json.dumps(plain, indent=2), encoding="utf-8")
    name = f"{', '.join(m.name for m in methods)} on {settings.data.source}"
    write_forecasts(ForecastRecord(name, panel, board, walks, terms, traded=traded), folder / PAGE)
    if as_json:
        typer.echo(json.dumps(plain))
    else:
        _show(console, board, plain)
    return 1 if leaks is not None and any(leaks.values()) else 0


def _plan(wanted: Wanted, rows: int, seed: int) -> Plan:
    if wanted.refit not in get_args(Refit):
        raise BadInputError(f"--refit {wanted.refit} is unknown. Use one of {', '.join(get_args(Refit))}.")
    train = int(rows * wanted.train)
    return Plan(
        train=train,
        test=max((rows - train) // wanted.folds, 1),
        anchored=not wanted.rolling,
        purge=wanted.purge,
        embargo=wanted.embargo,
        stride=wanted.stride,
        refit=wanted.refit,  # type: ignore[arg-type]
        seeds=tuple(range(seed, seed + wanted.seeds)),
    )


def _walk(
    panel: SeriesPanel, methods: list[Network], plan: Plan, terms: Terms, tell: "OnStep | None"
) -> tuple[Board, tuple[Walk, ...]]:
    folds: list[tuple[Split, Any]] = fold_origins(len(panel), methods[0].horizon, plan)
    total = len(methods) * len(plan.seeds) * (1 if plan.refit == "once" else len(folds))
    done = 0

    def count() -> None:
        nonlocal done
        done += 1
        if tell is not None:
            tell(done, total)

    return score_all(panel, [_Counted(method, count) for method in methods], plan, terms)


def _leaks(panel: SeriesPanel, methods: list[Network], plan: Plan, terms: Terms) -> dict[str, tuple[Leak, ...]]:
    """Leaks of each method's pipeline, trained for few steps: scales, windows, weights, forecasts and intervals."""
    found = {}
    short = replace(plan, stride=max(plan.stride, (len(panel) - plan.train) // LEAK_ORIGINS), seeds=plan.seeds[:1])
    folds = fold_origins(len(panel), methods[0].horizon, short)
    origins = np.concatenate([own for _, own in folds])
    # What a fit leaves may know its training rows; late in the walk intervals have learned from errors.
    changed = sorted({int(folds[0][0].train[-1]), int(origins[int(LEAK_AFTER * (len(origins) - 1))])})
    for method in methods:
        first: dict[str, Leak] = {}
        for recipe, changes in _quick(method.recipe):
            produce = evaluated(replace(method, recipe=recipe), short, terms)
            for leak in find_leaks(panel, produce, changed, changes=changes):
                first.setdefault(leak.output, leak)
        found[method.name] = tuple(first.values())
    return found


def _quick(recipe: Recipe) -> tuple[tuple[Recipe, tuple[str, ...]], ...]:
    """Recipes of few steps, and the changes of the future that each can be tested with.

    Validation stays on but where the future is taken away: later folds would have nothing left to validate on.
    """
    steps = min(recipe.steps, LEAK_STEPS)
    brief = {"steps": steps, "warmup": 0, "unfit": "skip"}
    plain = recipe.model_copy(update={**brief, "validation": 0.0, "validate_every": 0, "patience": 0})
    if not recipe.validation or not recipe.validate_every:
        return ((plain, CHANGES),)
    validated = recipe.model_copy(update={**brief, "validate_every": min(recipe.validate_every, max(steps // 4, 1))})
    return (validated, tuple(change for change in CHANGES if change != REMOVED)), (plain, (REMOVED,))


def _traded(settings: Settings, bars: BarPanel, walks: tuple[Walk, ...], board: Board) -> dict[str, Any]:
    """Accounts that trade the forecasts of the first seed."""
    costs = account_plans(settings, Path(settings.runs))[0].costs
    unit = UNITS[settings.neural.training.target]
    return {
        walk.name: trade(
            bars, walk.forecasts[0], unit=unit, sizing=sizing_params(settings), costs=costs,
            cash=settings.account.initial_cash,
        ).report()
        for walk in walks
        if walk.name in board.verdicts
    }  # fmt: skip


def _show(console: Console, board: Board, report: Mapping[str, Any]) -> None:
    names = [name for name in board.rows[0].figures if name in SHOWN]
    title = f"out of sample, {board.origins:,} origins; intervals of the figures are on the page"
    # Narrow, so that no figure is cut on a terminal of 80 columns.
    table = Table(title=title, box=None, padding=(0, 1, 0, 0))
    for name in ("", *names):
        table.add_column(name.replace("_", " "), justify="right" if name else "left")
    for row in board.rows:
        figures = (row.figures[name] for name in names)
        table.add_row(row.name, *("–" if f is None else f"{f.value:.3g}".replace("e-0", "e-") for f in figures))
    console.print(table)
    for _, why in board.verdicts.values():
        console.print(why, soft_wrap=True)
    for name, sentences in (report["leaks"] or {}).items():
        told = " ".join(sentences) or "nothing at or before an origin changed with what follows it."
        console.print(f"leak test of {name}: {told}", soft_wrap=True)
    for name, account in report["traded"].items():
        own, held = account["forecast"]["sharpe"], account["buy_and_hold"]["sharpe"]
        console.print(
            f"after costs, {name}: Sharpe {_number(own)}, buy and hold {_number(held)}, "
            f"turnover {account['turnover']:.1f} a year",
            soft_wrap=True,
        )
    console.print(f"page: {report['folder']}/{PAGE}", soft_wrap=True)


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.2f}"
