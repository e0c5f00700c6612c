"""Tools about strategies: what there are, how they compare, what one says now and how it has done lately."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Literal, TypeAlias

import numpy as np
from pydantic import Field

from deployments.gateway.mcp.assessing import Assessed, platform_strategy, run_strategy
from deployments.gateway.mcp.call import Call
from deployments.gateway.mcp.categories import Category
from deployments.gateway.mcp.market_data import bars_of
from deployments.gateway.mcp.measures import Performance, performance
from deployments.gateway.mcp.schema import Figure, Input, Money, Nothing, OfData, Output, StrategyName, Symbol, Symbols
from deployments.gateway.mcp.tool import tool
from nt_ray.access.roles import Scope
from nt_ray.backtest.buy_and_hold import buy_and_hold
from nt_ray.backtest.event.runnable import OfOrders, OfTargets
from nt_ray.backtest.metrics import drawdowns, measure
from nt_ray.errors import BadInputError, StrategyError
from nt_ray.market.bars import BarPanel
from nt_ray.strategies import registry
from nt_ray.strategies.base import Parameter
from nt_ray.trader.planning import account_plans
from nt_ray.types import QUANTA_PER_UNIT

Metric: TypeAlias = Literal["sharpe", "sortino", "calmar", "cagr", "total_return"]
Tolerance: TypeAlias = Literal["conservative", "moderate", "aggressive"]

DEEPEST = {"conservative": -0.15, "moderate": -0.30, "aggressive": -1.0}
"""Deepest drawdown that somebody of a tolerance puts up with."""
BARE = tuple(name for name in registry.NAMES if name not in ("neural_forecast", "sentiment", "ensemble"))
"""Strategies that ask for no more than bars, and rest on no others."""
YEAR = 252


class StrategySummary(Output):
    """One strategy of the list."""

    name: str
    kind: Literal["targets", "orders"]
    summary: str
    symbols: int = Field(description="Symbols that one step looks at.")
    inputs: tuple[str, ...] = Field(description="Fields beside the bars that it reads.")
    aliases: tuple[str, ...]


class StrategyList(Output):
    """The strategies of the platform."""

    strategies: tuple[StrategySummary, ...]


@tool(Category.SYSTEM, Scope.STRATEGIES_READ)
def list_strategies(call: Call, asked: Nothing) -> StrategyList:
    """List the strategies of the platform with what each does."""
    del call, asked
    targets = (
        StrategySummary(name=s.name, kind="targets", summary=s.summary, symbols=s.width, inputs=s.inputs,
                        aliases=s.aliases)
        for s in registry.STRATEGIES
    )  # fmt: skip
    orders = (
        StrategySummary(name=s.name, kind="orders", summary=s.summary, symbols=1, inputs=(), aliases=())
        for s in registry.ORDER_STRATEGIES
    )
    return StrategyList(strategies=(*targets, *orders))


class OneStrategy(Input):
    """Which strategy."""

    strategy: StrategyName


class ParameterInfo(Output):
    """One parameter."""

    name: str
    default: float
    low: float
    high: float
    integer: bool
    description: str
    aliases: tuple[str, ...]


class StrategyInfo(StrategySummary):
    """Everything that a strategy says of itself."""

    source: str
    parameters: tuple[ParameterInfo, ...]


@tool(Category.SYSTEM, Scope.STRATEGIES_READ, {"strategy": "momentum"})
def get_strategy_info(call: Call, asked: OneStrategy) -> StrategyInfo:
    """Describe a strategy: its rule's source, and every parameter with default and range."""
    del call
    found = platform_strategy(asked.strategy, {})
    if isinstance(found, OfTargets):
        s = found.strategy
        return StrategyInfo(
            name=s.name, kind="targets", summary=s.summary, symbols=s.width, inputs=s.inputs, aliases=s.aliases,
            source=s.source, parameters=_parameters(s.parameters),
        )  # fmt: skip
    if isinstance(found, OfOrders):
        o = found.strategy
        return StrategyInfo(
            name=o.name, kind="orders", summary=o.summary, symbols=1, inputs=(), aliases=(), source="",
            parameters=_parameters(o.parameters),
        )  # fmt: skip
    raise StrategyError(f"{asked.strategy} is not compiled, so it says nothing of itself. Name another.")


def _parameters(parameters: Sequence[Parameter]) -> tuple[ParameterInfo, ...]:
    return tuple(
        ParameterInfo(
            name=p.name, default=p.default, low=p.low, high=p.high, integer=p.integer, description=p.description,
            aliases=p.aliases,
        )
        for p in parameters
    )  # fmt: skip


class Compare(OfData):
    """Strategies, and the bars that they are compared on."""

    strategies: tuple[StrategyName, ...] = Field(min_length=2, max_length=20)
    symbols: Symbols = Field((), description="Symbols; all of the data if left out.")
    metric: Metric = "sharpe"


class Ranked(Output):
    """One strategy of a comparison."""

    strategy: str
    performance: Performance | None = None
    refused: str = Field("", description="Why it could not be run.")


class Comparison(Output):
    """Strategies from best to worst; those that could not be run come last."""

    metric: Metric
    start: datetime
    end: datetime
    symbols: tuple[str, ...]
    ranked: tuple[Ranked, ...]
    benchmark: Performance = Field(description="Equal money in every symbol from the start.")


@tool(
    Category.BACKTEST,
    Scope.STRATEGIES_READ,
    {"strategies": ["momentum", "mean_reversion"], "symbols": ["KO", "PEP"], "start_date": "2021-01-04"},
)
def get_strategy_comparison(call: Call, asked: Compare) -> Comparison:
    """Backtest strategies on the same bars with the same sizing and costs, and rank them by a metric."""
    return _compare(call, bars_of(call.backend, asked, asked.symbols), asked.strategies, asked.metric)


def _compare(call: Call, panel: BarPanel, names: Sequence[str], metric: Metric) -> Comparison:
    rows: list[Ranked] = []
    for number, name in enumerate(dict.fromkeys(names)):
        call.progress(number, len(names), name)
        try:
            done = run_strategy(call.backend.settings, name, {}, panel)
            rows.append(Ranked(strategy=done.strategy.name, performance=performance(done.metrics())))
        except BadInputError as error:
            rows.append(Ranked(strategy=name, refused=str(error)))
    call.progress(len(names), len(names))
    return Comparison(
        metric=metric,
        start=panel.time(0),
        end=panel.time(len(panel) - 1),
        symbols=panel.symbols,
        ranked=tuple(sorted(rows, key=lambda row: _worth(row, metric), reverse=True)),
        benchmark=_benchmark(call, panel),
    )


def _worth(row: Ranked, metric: Metric) -> tuple[bool, bool, float]:
    value = None if row.performance is None else getattr(row.performance, metric)
    return row.performance is not None, value is not None, 0.0 if value is None else value


def _benchmark(call: Call, panel: BarPanel) -> Performance:
    settings = call.backend.settings
    costs, cash = account_plans(settings, settings.runs)[0].costs, settings.account.initial_cash
    held = buy_and_hold(panel, costs, cash) / QUANTA_PER_UNIT
    return performance(measure(np.concatenate([[float(cash)], held]), panel.periods_per_year))


class Recommend(OfData):
    """What is wanted of a strategy."""

    symbols: Symbols = Field((), description="Symbols; all of the data if left out.")
    risk_tolerance: Tolerance = "moderate"
    metric: Metric = Field("sharpe", description="What to be best at.")


class Recommendation(Output):
    """The strategy that did best in the past within the tolerance; the past is no promise."""

    strategy: str | None = Field(description="null where none stayed within the tolerance, or none was of use.")
    deepest_drawdown_allowed: float
    tried: int
    comparison: Comparison
    warning: str


_WARNING = "The best of several on the same past looks better than it is: test it on data that it was not chosen on."


@tool(Category.BACKTEST, Scope.STRATEGIES_READ, {"symbols": ["KO", "PEP"], "start_date": "2021-01-04"})
def recommend_strategy(call: Call, asked: Recommend) -> Recommendation:
    """Backtest every strategy that needs bars alone, and name the best whose drawdown stayed within the tolerance."""
    found = _compare(call, bars_of(call.backend, asked, asked.symbols), BARE, asked.metric)
    deepest = DEEPEST[asked.risk_tolerance]
    return Recommendation(
        strategy=_best(found, deepest, asked.metric),
        deepest_drawdown_allowed=deepest,
        tried=len(found.ranked),
        comparison=found,
        warning=_WARNING,
    )


def _best(found: Comparison, deepest: float, metric: Metric) -> str | None:
    """First of a ranking that traded at a profit within a drawdown."""
    for row in found.ranked:
        did = row.performance
        if did is None or did.max_drawdown is None or did.max_drawdown < deepest:
            continue
        if (getattr(did, metric) or 0.0) > 0.0:
            return row.strategy
    return None


class Select(OfData):
    """For which symbol, and how far back."""

    symbol: Symbol
    lookback_bars: int = Field(YEAR, ge=20, le=10_000, description="Last bars that strategies are judged by.")
    metric: Metric = "sharpe"


class Selection(Output):
    """The strategy that did best on the symbol lately."""

    symbol: str
    strategy: str | None
    comparison: Comparison
    warning: str


@tool(Category.BACKTEST, Scope.STRATEGIES_READ, {"symbol": "KO", "start_date": "2021-01-04"})
def adaptive_strategy_selection(call: Call, asked: Select) -> Selection:
    """Name the strategy of one symbol that did best over its last bars; nothing is switched."""
    panel = bars_of(call.backend, asked, (asked.symbol,))
    if len(panel) > asked.lookback_bars:
        panel = panel.between(panel.time(len(panel) - asked.lookback_bars), None)
    names = [name for name in BARE if registry.find(name).width == 1]
    found = _compare(call, panel, names, asked.metric)
    chosen = _best(found, DEEPEST["aggressive"], asked.metric)
    return Selection(symbol=asked.symbol, strategy=chosen, comparison=found, warning=_WARNING)


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
    {"strategy": "momentum", "symbols": ["KO", "PEP"], "start_date": "2021-01-04"},
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
    {"strategy": "momentum", "symbol": "KO", "action": "buy", "start_date": "2021-01-04"},
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
