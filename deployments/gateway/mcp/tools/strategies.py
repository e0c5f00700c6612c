"""Tools about strategies: what there are, how they compare, what one says now and how it has done lately."""

from datetime import datetime
from decimal import Decimal
from typing import Literal, TypeAlias

import numpy as np
from pydantic import Field

from deployments.gateway.mcp.call import Call, Done
from deployments.gateway.mcp.categories import Category
from deployments.gateway.mcp.market_data import bars_of
from deployments.gateway.mcp.measures import Performance, measured, performance
from deployments.gateway.mcp.schema import Figure, Input, Money, Nothing, OfData, Output, StrategyName, Symbols
from deployments.gateway.mcp.tool import job, tool
from deployments.gateway.mcp.twin import JOBS, KEY, KIND, OfJob, Settled, Twin, part_of
from deployments.gateway.platform import strategies as rest
from nt_ray.access.roles import Scope
from nt_ray.backtest.metrics import drawdowns
from nt_ray.strategies.registry import STRATEGIES
from nt_ray.trader.assessing import Assessed, needs_bars_alone, run_strategy
from nt_ray.trader.jobs import spec as jobs
from nt_ray.trader.jobs.spec import Symbol
from nt_ray.trader.planning import account_plans

Tolerance: TypeAlias = Literal["conservative", "moderate", "aggressive"]

DEEPEST = {"conservative": -0.15, "moderate": -0.30, "aggressive": -1.0}
"""Deepest drawdown that somebody of a tolerance puts up with."""
YEAR = 252


@tool(Category.SYSTEM, Scope.STRATEGIES_READ, {}, Twin("GET /api/v1/strategies", answers=True))
def list_strategies(call: Call, asked: Nothing) -> rest.StrategyList:
    """List the strategies of the platform: what each does, the source of its rule, its parameters with their ranges."""
    del call, asked
    return rest.strategies_of()


class OneStrategy(Input):
    """Which strategy."""

    name: rest.StrategyName


@tool(
    Category.SYSTEM,
    Scope.STRATEGIES_READ,
    {"name": "momentum"},
    Twin("GET /api/v1/strategies/{name}", answers=True),
)
def get_strategy_info(call: Call, asked: OneStrategy) -> rest.StrategyView:
    """Describe a strategy: its rule's source, and every parameter with default and range."""
    del call
    return rest.strategy_of(asked.name)


class Compare(OfJob, jobs.Comparison):
    """A comparison as the platform's API takes it."""

    kind: Settled[Literal["comparison"]] = "comparison"


class Ranked(Output):
    """One strategy of a comparison."""

    strategy: str
    performance: Performance | None
    refused: str = Field(description="Why it could not be run.")


class Compared(Output):
    """Strategies from best to worst; those that could not be run come last. nt://runs/{run} has every measure."""

    job: str
    run: str
    metric: str
    start: datetime
    end: datetime
    symbols: tuple[str, ...]
    ranked: tuple[Ranked, ...]
    benchmark: Performance = Field(description="Equal money in every symbol from the start.")


def _compared(_: Call, __: jobs.Comparison, done: Done) -> Compared:
    told = done.summary
    ranked = (
        Ranked(strategy=row["strategy"], performance=row["performance"] and measured(row["performance"]),
               refused=row["refused"])
        for row in told["ranked"]
    )  # fmt: skip
    return Compared(
        job=done.job,
        run=done.run,
        ranked=tuple(ranked),
        benchmark=measured(told["benchmark"]),
        **{name: told[name] for name in ("metric", "start", "end", "symbols")},
    )


@job(
    _compared,
    Category.BACKTEST,
    Scope.JOBS_WRITE,
    {"strategies": ["momentum", "mean_reversion"], "symbols": ["KO", "PEP"], "start": "2021-01-04"},
    Twin(JOBS, "comparison", more=KEY, settled=KIND),
    changes=True,
)
def get_strategy_comparison(_: Call, asked: Compare) -> jobs.Comparison:
    """Backtest strategies on the same bars with the same sizing and costs, and rank them by a metric."""
    return part_of(asked, jobs.Comparison)


class Recommend(OfJob, jobs.Comparison):
    """What is wanted of a strategy, and the bars that it is to do well on."""

    kind: Settled[Literal["comparison"]] = "comparison"
    strategies: Settled[list[jobs.Name]] = Field([], max_length=0)
    risk_tolerance: Tolerance = "moderate"


class Recommendation(Output):
    """The strategy that did best in the past within the tolerance; the past is no promise."""

    strategy: str | None = Field(description="null where none stayed within the tolerance, or none was of use.")
    deepest_drawdown_allowed: float
    tried: int
    comparison: Compared
    warning: str


_WARNING = "The best of several on the same past looks better than it is: test it on data that it was not chosen on."


def _recommended(call: Call, asked: Recommend, done: Done) -> Recommendation:
    found, deepest = _compared(call, asked, done), DEEPEST[asked.risk_tolerance]
    return Recommendation(
        strategy=_best(found, deepest),
        deepest_drawdown_allowed=deepest,
        tried=len(found.ranked),
        comparison=found,
        warning=_WARNING,
    )


@job(
    _recommended,
    Category.BACKTEST,
    Scope.JOBS_WRITE,
    {"symbols": ["KO", "PEP"], "start": "2021-01-04"},
    Twin(JOBS, "comparison", more=KEY | {"risk_tolerance"}, settled=KIND | {"strategies"}),
    changes=True,
)
def recommend_strategy(_: Call, asked: Recommend) -> jobs.Comparison:
    """Backtest every strategy that needs bars alone, and name the best whose drawdown stayed within the tolerance."""
    return part_of(asked, jobs.Comparison)


def _best(found: Compared, deepest: float) -> str | None:
    """First of a ranking that traded at a profit within a drawdown."""
    for row in found.ranked:
        did = row.performance
        if did is None or did.max_drawdown is None or did.max_drawdown < deepest:
            continue
        if (getattr(did, found.metric) or 0.0) > 0.0:
            return row.strategy
    return None


class Select(OfJob, jobs.Comparison):
    """For which symbol, and how far back."""

    kind: Settled[Literal["comparison"]] = "comparison"
    strategies: Settled[list[jobs.Name]] = Field([], max_length=0)
    symbols: Settled[list[jobs.Symbol]] = Field([], max_length=0)
    symbol: jobs.Symbol


class Selection(Output):
    """The strategy that did best on the symbol lately."""

    symbol: str
    strategy: str | None
    comparison: Compared
    warning: str


def _selected(call: Call, asked: Select, done: Done) -> Selection:
    found = _compared(call, asked, done)
    chosen = _best(found, DEEPEST["aggressive"])
    return Selection(symbol=asked.symbol, strategy=chosen, comparison=found, warning=_WARNING)


@job(
    _selected,
    Category.BACKTEST,
    Scope.JOBS_WRITE,
    {"symbol": "KO", "start": "2021-01-04", "last": YEAR},
    Twin(JOBS, "comparison", more=KEY | {"symbol"}, settled=KIND | {"strategies", "symbols"}),
    changes=True,
)
def adaptive_strategy_selection(_: Call, asked: Select) -> jobs.Comparison:
    """Name the strategy of one symbol that did best over its last bars, a year if not told; nothing is switched."""
    single = [strategy.name for strategy in STRATEGIES if strategy.width == 1 and needs_bars_alone(strategy)]
    last = YEAR if asked.last is None else asked.last
    return part_of(asked, jobs.Comparison, strategies=single, symbols=[asked.symbol], last=last)


class Health(OfData):
    """Which strategy, on what."""

    strategy: StrategyName
    symbols: Symbols = Field((), description="Symbols; all of the data if left out.")
    recent_bars: int = Field(YEAR // 4, ge=5, le=10_000)


class StrategyHealth(Output):
    """How a strategy has done lately beside its whole past."""

    strategy: str
    end: datetime
    whole: Performance
    recent: Performance
    drawdown_now: Figure
    share_of_worst_drawdown: Figure = Field(description="1 at its deepest ever; null where it never fell.")
    fills: int
    status: Literal["ok", "weak", "idle"] = Field(
        description="idle: no fills; weak: at its deepest drawdown, or a loss of late in a past that gained."
    )


@tool(
    Category.BACKTEST,
    Scope.STRATEGIES_READ,
    {"strategy": "momentum", "symbols": ["KO", "PEP"], "start": "2021-01-04"},
)
def monitor_strategy_health(call: Call, asked: Health) -> StrategyHealth:
    """Compare the last bars of a strategy's backtest with its whole past, and say how deep it is under its peak."""
    panel = bars_of(call.backend, asked, asked.symbols)
    done = run_strategy(call.backend.settings, asked.strategy, {}, panel)
    whole, recent = done.metrics(), done.metrics(min(asked.recent_bars, len(panel)))
    fallen = float(drawdowns(done.equity)[-1])
    weak = 0.0 > fallen <= whole.max_drawdown or (whole.total_return > 0.0 > recent.total_return)
    fills = len(done.result.fills)
    return StrategyHealth(
        strategy=done.strategy.name,
        end=panel.time(len(panel) - 1),
        whole=performance(whole),
        recent=performance(recent),
        drawdown_now=fallen,
        share_of_worst_drawdown=fallen / whole.max_drawdown if whole.max_drawdown < 0.0 else None,
        fills=fills,
        status="idle" if not fills else "weak" if weak else "ok",
    )


class Simulate(OfData):
    """A trade that is not made."""

    strategy: StrategyName
    symbol: Symbol
    action: Literal["buy", "sell"]
    quantity: Decimal = Field(Decimal(1), gt=0, le=1_000_000_000, allow_inf_nan=False)


class SimulatedTrade(Output):
    """What a trade at the last close would cost, and whether the strategy's own backtest stands that way."""

    symbol: str
    action: Literal["buy", "sell"]
    time: datetime
    price: Money = Field(description="Last close.")
    notional: Money
    estimated_cost: Money = Field(description="Commission and slippage of the first broker of the settings.")
    strategy_position: Money = Field(description="Quantity that the strategy holds there at the last bar.")
    agrees: bool | None = Field(description="Whether the strategy stands on the trade's side; null where it is flat.")


@tool(
    Category.BACKTEST,
    Scope.STRATEGIES_READ,
    {"strategy": "momentum", "symbol": "KO", "action": "buy", "start": "2021-01-04"},
)
def simulate_trade(call: Call, asked: Simulate) -> SimulatedTrade:
    """Price a trade at the last close without making it, beside what a strategy holds there in its backtest."""
    panel = bars_of(call.backend, asked, (asked.symbol,))
    settings = call.backend.settings
    done: Assessed = run_strategy(settings, asked.strategy, {}, panel)
    row = int(np.flatnonzero(~np.isnan(panel.closes[:, 0]))[-1])
    instrument = panel.instruments[0]
    price = instrument.price(int(panel.ticks()[row, 0, 3]))
    costs = account_plans(settings, settings.runs)[0].costs
    notional = price * asked.quantity
    commission = notional * costs.commission_bps / 10_000 + costs.commission_per_unit * asked.quantity
    lots = int(done.result.positions[-1, 0])
    return SimulatedTrade(
        symbol=asked.symbol,
        action=asked.action,
        time=panel.time(row),
        price=price,
        notional=notional,
        estimated_cost=max(commission, costs.commission_minimum) + notional * costs.slippage_bps / 10_000,
        strategy_position=instrument.quantity(lots),
        agrees=None if lots == 0 else (lots > 0) == (asked.action == "buy"),
    )


TOOLS = (
    list_strategies,
    get_strategy_info,
    get_strategy_comparison,
    recommend_strategy,
    adaptive_strategy_selection,
    monitor_strategy_health,
    simulate_trade,
)
