"""Tools that backtest: one strategy with its folder, a search over its parameters, and a report on a run."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

import numpy as np
from pydantic import Field

from deployments.gateway.mcp import runs
from deployments.gateway.mcp.assessing import platform_strategy
from deployments.gateway.mcp.call import Call
from deployments.gateway.mcp.categories import Category
from deployments.gateway.mcp.market_data import bars_of, data_of
from deployments.gateway.mcp.measures import Performance, performance
from deployments.gateway.mcp.schema import Figure, Input, OfData, Output, Parameters, RunName, StrategyName, Symbols
from deployments.gateway.mcp.tool import tool
from nt_ray.access.roles import Scope
from nt_ray.backtest.metrics import measure
from nt_ray.backtest.sweep.engine import sweep
from nt_ray.backtest.sweep.space import Grid, Random, Space
from nt_ray.config import Settings
from nt_ray.errors import StrategyError
from nt_ray.strategies.registry import find
from nt_ray.trader import files
from nt_ray.trader.data import load_for
from nt_ray.trader.event_record import Setup
from nt_ray.trader.event_run import run_events
from nt_ray.trader.planning import account_plans, sizing_params

MOST_COMBINATIONS = 10_000


class RunBacktest(OfData):
    """A strategy, its parameters, its bars and its money."""

    strategy: StrategyName
    symbols: Symbols = Field((), description="Symbols; all of the data if left out.")
    parameters: Parameters = Field({}, description="Parameters by name; those left out keep their defaults.")
    initial_cash: Decimal | None = Field(None, gt=0, le=10_000_000_000, decimal_places=2, allow_inf_nan=False)
    include_costs: bool = Field(True, description="Commission and slippage of the settings' first broker.")


class Backtest(Output):
    """What a backtest left; resource nt://runs/{run} has everything."""

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


@tool(
    Category.BACKTEST,
    Scope.JOBS_WRITE,
    {"strategy": "momentum", "symbols": ["KO", "PEP"], "start_date": "2021-01-04", "parameters": {"lookback": 60}},
    changes=True,
    repeatable=False,
)
def run_backtest(call: Call, asked: RunBacktest) -> Backtest:
    """Backtest a strategy in the event simulator and keep the run: orders, fills, equity, measures, tear sheet."""
    return _backtest(call, call.backend.settings, asked)


class NeuralBacktest(OfData):
    """A network that is trained again and again on the past alone, and traded on what follows."""

    model_type: str = Field("dlinear", max_length=32, pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")
    symbols: Symbols = Field((), description="Symbols; all of the data if left out.")
    lookback: int = Field(60, ge=1, le=1000, description="Returns that a forecast looks back on.")
    horizon: int = Field(1, ge=1, le=252, description="Bars that it looks ahead.")
    train_rows: int = Field(1260, ge=100, le=100_000, description="Bars before the first fit.")
    refit_every: int = Field(252, ge=5, le=100_000)
    steps: int = Field(300, ge=1, le=100_000, description="Steps of training of each fit.")


@tool(
    Category.NEURAL,
    Scope.JOBS_WRITE,
    {
        "symbols": ["KO"], "start_date": "2021-01-04", "lookback": 10, "train_rows": 200, "refit_every": 200,
        "steps": 5,
    },
    changes=True,
    repeatable=False,
)  # fmt: skip
def neural_backtest(call: Call, asked: NeuralBacktest) -> Backtest:
    """Trade the forecasts of a network in a backtest; each forecast is of a network that saw the past alone."""
    own = call.backend.settings
    named = asked.model_dump(include={"lookback", "horizon", "train_rows", "refit_every", "steps"})
    forecast = own.neural.forecast.model_copy(update={**named, "model": asked.model_type, "parameters": {}})
    neural = own.neural.model_copy(update={"forecast": forecast})
    run = RunBacktest(
        strategy="neural_forecast", symbols=asked.symbols, parameters={"horizon": float(asked.horizon)},
        data=asked.data, start_date=asked.start_date, end_date=asked.end_date,
    )  # fmt: skip
    return _backtest(call, own.model_copy(update={"neural": neural}), run)


def _backtest(call: Call, own: Settings, asked: RunBacktest) -> Backtest:
    found = platform_strategy(asked.strategy, asked.parameters)
    settings = own.model_copy(update={"data": data_of(own, asked, asked.symbols)})
    call.progress(0, 1, "data")
    loaded = load_for(
        settings, asked.strategy, found.inputs, found.parameters,
        lambda done, total: call.progress(done, total, "fits"),
    )  # fmt: skip
    plan = account_plans(settings, settings.runs)[0]
    market: dict[str, Any] = {} if asked.include_costs else {"terms": {"commission_bps": 0, "slippage_bps": 0}}
    cash = settings.account.initial_cash if asked.initial_cash is None else asked.initial_cash
    setup = Setup(found, loaded.panel, market, sizing_params(settings), plan.costs, cash, loaded.origin, loaded.horizon)
    made = run_events(settings, setup, lambda done, total: call.progress(done, total, "bars"))
    told = made.summary
    same = ("start", "end", "bars", "initial_cash", "final_equity", "fills", "trades", "costs", "measures", "digest")
    return Backtest(
        run=made.folder.name,
        strategy=told["strategy_name"],
        parameters=dict(told["parameters"]),
        symbols=loaded.panel.symbols,
        benchmark=_figures(told["benchmark"]),
        **{name: told[name] for name in same},
    )


def _figures(told: dict[str, Any]) -> dict[str, float | None]:
    return {name: value for name, value in told.items() if value is None or isinstance(value, int | float)}


class Optimise(OfData):
    """A strategy and what is varied."""

    strategy: StrategyName
    symbols: Symbols = Field((), description="Symbols; all of the data if left out.")
    parameter_ranges: dict[str, tuple[float, ...]] = Field(
        {}, max_length=8, description="Values to try, by parameter; if left out, all parameters are drawn at random."
    )
    max_iterations: int = Field(1000, ge=1, le=MOST_COMBINATIONS, description="Most combinations.")
    optimization_metric: Literal["sharpe", "sortino", "cagr", "total_return", "max_drawdown"] = "sharpe"
    top: int = Field(10, ge=1, le=100)


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
    """The best combinations on these bars."""

    strategy: str
    metric: str
    combinations: int
    accounts: int
    failed: int
    best: tuple[Combination, ...]
    warning: str


@tool(
    Category.BACKTEST,
    Scope.JOBS_WRITE,
    {
        "strategy": "sma_cross",
        "symbols": ["KO"],
        "start_date": "2021-01-04",
        "parameter_ranges": {"fast": [10, 20]},
    },
)
def optimize_strategy(call: Call, asked: Optimise) -> Optimised:
    """Backtest many combinations of a strategy's parameters on every symbol, and rank them by the mean of a metric."""
    strategy = find(asked.strategy)
    if strategy.inputs:
        raise StrategyError(f"{strategy.name} reads {', '.join(strategy.inputs)} beside the bars. Name another.")
    panel = bars_of(call.backend, asked, asked.symbols)
    grid = Grid(asked.parameter_ranges) if asked.parameter_ranges else None
    space: Space = Random(asked.max_iterations, call.backend.settings.seed, grid)
    costs = account_plans(call.backend.settings, call.backend.settings.runs)[0].costs
    found = sweep(
        panel, strategy, space, costs=costs, chunk=max(1, min(200, asked.max_iterations // 10)),
        on_chunk=lambda done, total: call.progress(done, total, "combinations"),
    )  # fmt: skip
    names = [p.name for p in strategy.parameters]
    rows = found.combinations(asked.optimization_metric, asked.top).to_dicts()
    metrics = [name for name in Combination.model_fields if name != "parameters"]
    return Optimised(
        strategy=strategy.name,
        metric=asked.optimization_metric,
        combinations=found.plan.combinations,
        accounts=len(found.plan.columns),
        failed=found.failures.height,
        best=tuple(Combination(parameters={n: row[n] for n in names}, **{m: row[m] for m in metrics}) for row in rows),
        warning="The best of many on the same past looks better than it is: test it on data it was not chosen on.",
    )


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
    place = runs.folder(call.backend.settings.runs, asked.run, files.EQUITY)
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
