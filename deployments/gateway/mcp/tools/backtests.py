"""Tools that backtest: one strategy with its folder, a search over its parameters, and a report on a run."""

from datetime import datetime
from typing import Any, Literal

import numpy as np
from pydantic import Field

from deployments.gateway.mcp import runs
from deployments.gateway.mcp.call import Call, Done
from deployments.gateway.mcp.categories import Category
from deployments.gateway.mcp.measures import Performance, performance
from deployments.gateway.mcp.schema import Figure, Input, Output, RunName
from deployments.gateway.mcp.tool import job, tool
from deployments.gateway.mcp.twin import JOBS, KEY, KIND, OfJob, Settled, Twin, part_of
from nt_ray.access.roles import Scope
from nt_ray.backtest.metrics import measure
from nt_ray.errors import StrategyError
from nt_ray.strategies.registry import find
from nt_ray.trader import files
from nt_ray.trader.jobs import spec as jobs


class RunBacktest(OfJob, jobs.Backtest):
    """A backtest as the platform's API takes it."""

    kind: Settled[Literal["backtest"]] = "backtest"


class BacktestResult(Output):
    """What a backtest left; resource nt://runs/{run} has everything."""

    job: str
    run: str
    strategy: str
    parameters: dict[str, float]
    start: datetime
    end: datetime
    bars: int
    symbols: tuple[str, ...]
    initial_cash: Figure
    final_equity: Figure
    fills: int
    trades: int
    costs: Figure
    measures: dict[str, Figure] = Field(description="Every measure of docs/metrics.md.")
    benchmark: dict[str, Figure] = Field(description="Buying the same symbols at the start and holding them.")
    digest: str = Field(description="Same for the same fills and equity.")


def _backtested(_: Call, __: jobs.Backtest, done: Done) -> BacktestResult:
    told = done.summary
    same = ("start", "end", "bars", "initial_cash", "final_equity", "fills", "trades", "costs", "measures", "digest")
    return BacktestResult(
        job=done.job,
        run=done.run,
        strategy=told["strategy_name"],
        parameters=told["parameters"],
        symbols=told["symbols"],
        benchmark=_figures(told["benchmark"]),
        **{name: told[name] for name in same},
    )


def _figures(told: dict[str, Any]) -> dict[str, float | None]:
    return {name: value for name, value in told.items() if value is None or isinstance(value, int | float)}


@job(
    _backtested,
    Category.BACKTEST,
    Scope.JOBS_WRITE,
    {"strategy": "momentum", "symbols": ["KO", "PEP"], "start": "2021-01-04", "parameters": {"lookback": 60}},
    Twin(JOBS, "backtest", more=KEY, settled=KIND),
    changes=True,
    repeatable=False,
)
def run_backtest(_: Call, asked: RunBacktest) -> jobs.Backtest:
    """Backtest a strategy in the event simulator and keep the run: orders, fills, equity, measures, tear sheet."""
    return part_of(asked, jobs.Backtest)


class NeuralBacktest(OfJob, jobs.Backtest):
    """A network that is trained again and again on the past alone, and traded on what follows."""

    kind: Settled[Literal["backtest"]] = "backtest"
    strategy: Settled[Literal["neural_forecast"]] = "neural_forecast"


@job(
    _backtested,
    Category.NEURAL,
    Scope.JOBS_WRITE,
    {
        "symbols": ["KO"], "start": "2021-01-04",
        "forecasts": {"lookback": 10, "train_rows": 200, "refit_every": 200, "steps": 5},
    },
    Twin(JOBS, "backtest", more=KEY, settled=frozenset({"kind", "strategy"})),
    changes=True,
    repeatable=False,
)  # fmt: skip
def neural_backtest(_: Call, asked: NeuralBacktest) -> jobs.Backtest:
    """Trade the forecasts of a network in a backtest; each forecast is of a network that saw the past alone."""
    parameters = dict(asked.parameters)
    if asked.forecasts is not None and asked.forecasts.horizon is not None:
        # What is forecast is what is held on to.
        parameters.setdefault("horizon", float(asked.forecasts.horizon))
    return part_of(asked, jobs.Backtest, parameters=parameters)


class Optimise(OfJob, jobs.Sweep):
    """A sweep as the platform's API takes it."""

    kind: Settled[Literal["sweep"]] = "sweep"


class Combination(Output):
    """One combination, its metrics the means over accounts of one group of symbols each."""

    parameters: dict[str, float]
    sharpe: Figure
    sortino: Figure
    cagr: Figure
    total_return: Figure
    max_drawdown: Figure
    turnover: Figure


class Optimised(Output):
    """The best combinations on these bars; resource nt://runs/{run} has everything."""

    job: str
    run: str
    strategy: str
    metric: str
    combinations: int
    accounts: int
    failed: int
    best: tuple[Combination, ...]
    warning: str


def _optimised(_: Call, __: Optimise, done: Done) -> Optimised:
    told = done.summary
    strategy = find(told["strategy"])
    names = [p.name for p in strategy.parameters]
    metrics = [name for name in Combination.model_fields if name != "parameters"]
    return Optimised(
        job=done.job,
        run=done.run,
        strategy=strategy.name,
        metric=told["metric"],
        combinations=told["combinations"],
        accounts=len(told["symbols"]),
        failed=told["failed"],
        best=tuple(
            Combination(parameters={n: row[n] for n in names}, **{m: row[m] for m in metrics}) for row in told["best"]
        ),
        warning="The best of many on the same past looks better than it is: test it on data it was not chosen on.",
    )


@job(
    _optimised,
    Category.BACKTEST,
    Scope.JOBS_WRITE,
    {"strategy": "sma_cross", "symbols": ["KO"], "start": "2021-01-04", "grid": {"fast": [10, 20], "slow": [100]}},
    Twin(JOBS, "sweep", more=KEY, settled=KIND),
    changes=True,
)
def optimize_strategy(_: Call, asked: Optimise) -> jobs.Sweep:
    """Backtest many combinations of a strategy's parameters on every symbol, and rank them by the mean of a metric."""
    strategy = find(asked.strategy)
    if strategy.inputs:
        raise StrategyError(f"{strategy.name} reads {', '.join(strategy.inputs)} beside the bars. Name another.")
    return part_of(asked, jobs.Sweep)


class Report(Input):
    """Which run, and how much of its end."""

    run: RunName = "latest"
    period_days: int | None = Field(None, ge=2, le=100_000, description="Last bars; the whole run if left out.")
    include_benchmark: bool = True


class PerformanceReport(Output):
    """Performance of a run over a period."""

    run: str
    strategy: str
    start: datetime
    end: datetime
    performance: Performance
    benchmark: Performance | None


@tool(Category.BACKTEST, Scope.RUNS_READ, {"run": "latest", "period_days": 30})
def performance_report(call: Call, asked: Report) -> PerformanceReport:
    """Measure the equity of a finished run over its last bars, beside its benchmark."""
    place = runs.folder(call.backend.settings.runs, asked.run, call.principal, files.EQUITY)
    told, table = runs.summary(place), runs.equity(place)
    periods = float(told["strategy"]["periods_per_year"])
    last = min(asked.period_days or table.height, table.height)

    def measured(column: str) -> Performance:
        values = np.concatenate([[float(told["initial_cash"])], table[column].to_numpy()])
        return performance(measure(values[-(last + 1) :], periods))

    return PerformanceReport(
        run=place.name,
        strategy=str(told.get("strategy_name", told["name"])),
        start=table["time"][-last],
        end=table["time"][-1],
        performance=measured("equity"),
        benchmark=measured("benchmark") if asked.include_benchmark else None,
    )


TOOLS = (run_backtest, neural_backtest, optimize_strategy, performance_report)
