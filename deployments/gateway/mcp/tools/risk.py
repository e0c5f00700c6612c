"""Tools about what a portfolio may lose, and what it takes to bring it back to its targets."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal, TypeAlias

import numpy as np
from pydantic import Field

from deployments.gateway.mcp.call import Call
from deployments.gateway.mcp.categories import Category
from deployments.gateway.mcp.market_data import bars_of, returns_of
from deployments.gateway.mcp.schema import Figure, Input, Money, OfData, Output, Positive
from deployments.gateway.mcp.tool import tool
from nt_ray.access.roles import Scope
from nt_ray.errors import RiskError
from nt_ray.market.bars import BarPanel, known_closes
from nt_ray.portfolio.rebalancing import Bands, rebalance
from nt_ray.portfolio.rebalancing import Costs as TradeCosts
from nt_ray.risk.measures.catalogue import all_measures
from nt_ray.risk.stress.analysis import stress_all
from nt_ray.risk.stress.book import book_of
from nt_ray.risk.stress.shocks import NAMED
from nt_ray.trader.jobs.spec import Symbol
from nt_ray.trader.planning import account_plans

Method: TypeAlias = Literal[
    "historical", "age_weighted", "volatility_weighted", "normal", "student_t", "cornish_fisher", "filtered",
    "monte_carlo_normal", "monte_carlo_t", "monte_carlo_t_copula",
]  # fmt: skip
Quantity: TypeAlias = Annotated[Decimal, Field(ge=-1_000_000_000, le=1_000_000_000, allow_inf_nan=False)]


class Holding(Input):
    """A position."""

    symbol: Symbol
    quantity: Quantity = Field(description="Signed: negative is short.")
    entry_price: Positive | None = Field(None, description="For its profit so far.")


class RiskAnalysis(OfData):
    """Positions, and how their risk is measured."""

    portfolio: tuple[Holding, ...] = Field(min_length=1, max_length=100)
    cash: Decimal = Field(Decimal(0), ge=0, le=1_000_000_000_000, allow_inf_nan=False)
    time_horizon: int = Field(1, ge=1, le=60, description="Bars ahead.")
    confidence: float = Field(0.95, ge=0.9, le=0.999, description="0.95: the loss that 5 % of outcomes exceed.")
    methods: tuple[Method, ...] = Field(("historical", "normal", "student_t", "monte_carlo_t"), min_length=1)
    history: int = Field(1000, ge=50, le=10_000, description="Past returns.")


class TailFigures(Output):
    """Value at risk and expected shortfall by one method, as fractions of equity and in money."""

    method: str
    value_at_risk: Figure = None
    expected_shortfall: Figure = None
    value_at_risk_money: Figure = None
    expected_shortfall_money: Figure = None
    observations: int = 0
    notes: tuple[str, ...] = ()
    refused: str = ""


class StressFigures(Output):
    """What a shock costs."""

    name: str
    loss: Figure = Field(description="Fraction of equity; negative where it gains.")
    loss_money: Figure
    assumptions: tuple[str, ...]


class RiskFigures(Output):
    """The risk of a portfolio at the last closes."""

    time: datetime
    equity: Money
    profit: Money | None = Field(description="Since entry; null where an entry price is missing.")
    weights: dict[str, Figure]
    volatility: Figure = Field(description="Annualised.")
    returns: int
    confidence: float
    horizon: int
    tails: tuple[TailFigures, ...]
    stress: tuple[StressFigures, ...]


@tool(
    Category.RISK,
    Scope.RISK_READ,
    {"portfolio": [{"symbol": "KO", "quantity": 10}, {"symbol": "XOM", "quantity": -4}], "cash": "1000"},
)
def risk_analysis(call: Call, asked: RiskAnalysis) -> RiskFigures:
    """Measure what positions may lose: value at risk and expected shortfall by several methods, and stress by shock."""
    symbols = tuple(dict.fromkeys(h.symbol for h in asked.portfolio))
    if len(symbols) < len(asked.portfolio):
        raise RiskError("A symbol stands twice in the portfolio. Add its quantities up.")
    panel = bars_of(call.backend, asked, symbols)
    prices = _last_prices(panel)
    quantities = [h.quantity for h in asked.portfolio]
    equity = asked.cash + sum((q * p for q, p in zip(quantities, prices, strict=True)), Decimal(0))
    if equity <= 0:
        raise RiskError(f"Equity is {equity:f}. Give positions and cash that are worth something together.")
    weights = np.array([float(q * p / equity) for q, p in zip(quantities, prices, strict=True)])
    returns = returns_of(panel, asked.history)
    call.progress(0, 2, "tails")
    found = all_measures(returns, asked.confidence, asked.time_horizon, weights=weights, names=asked.methods)
    call.progress(1, 2, "stress")
    book = book_of(dict(zip(symbols, weights.tolist(), strict=True)))
    entries = [h.entry_price for h in asked.portfolio]
    known = [e for e in entries if e is not None]
    profit = None
    if len(known) == len(entries):
        profit = sum(((p - e) * q for p, e, q in zip(prices, known, quantities, strict=True)), Decimal(0))
    worth = float(equity)
    tails = [
        TailFigures(
            method=name, value_at_risk=tail.var, expected_shortfall=tail.es, value_at_risk_money=tail.var * worth,
            expected_shortfall_money=tail.es * worth, observations=tail.observations, notes=tail.notes,
        )
        for name, tail in found.tails.items()
    ]  # fmt: skip
    return RiskFigures(
        time=panel.time(len(panel) - 1),
        equity=equity,
        profit=profit,
        weights=dict(zip(symbols, weights.tolist(), strict=True)),
        volatility=float((returns @ weights).std(ddof=1) * np.sqrt(panel.periods_per_year)),
        returns=len(returns),
        confidence=asked.confidence,
        horizon=asked.time_horizon,
        tails=(*tails, *(TailFigures(method=name, refused=why) for name, why in found.refused.items())),
        stress=tuple(
            StressFigures(name=r.name, loss=r.loss, loss_money=r.loss * worth, assumptions=r.assumptions)
            for r in stress_all(book, [shock() for shock in NAMED.values()])
        ),
    )


def _last_prices(panel: BarPanel) -> list[Decimal]:
    closes = known_closes(np.asarray(panel.closes))[-1]
    return [
        instrument.price(round(close / float(instrument.price_increment)))
        for instrument, close in zip(panel.instruments, closes.tolist(), strict=True)
    ]


class Rebalancing(OfData):
    """Targets, what is held, and when it is worth trading."""

    target_allocations: dict[Symbol, Annotated[float, Field(ge=-1.0, le=1.0)]] = Field(min_length=1, max_length=100)
    current_portfolio: dict[Symbol, Annotated[int, Field(ge=-1_000_000_000, le=1_000_000_000)]] = Field(
        {}, max_length=100, description="Whole units held, by symbol."
    )
    cash: Decimal = Field(ge=0, le=1_000_000_000_000, allow_inf_nan=False, decimal_places=8)
    rebalance_threshold: float = Field(0.05, gt=0.0, le=1.0, description="Drift of a weight at which it is traded.")


class PlannedTrade(Output):
    """One trade of a plan."""

    symbol: str
    action: Literal["buy", "sell"]
    quantity: int
    price: Money
    drift: Figure = Field(description="Weight before, less its target.")


class RebalancingPlan(Output):
    """Trades that bring drifted positions back; none of them is made."""

    equity: Money
    trades: tuple[PlannedTrade, ...]
    cost: Money
    cash_after: Money
    turnover: Figure
    weights_after: dict[str, Figure]
    share_of_purchases_afforded: Figure


@tool(
    Category.RISK,
    Scope.RISK_READ,
    {"target_allocations": {"KO": 0.5, "PEP": 0.4}, "current_portfolio": {"KO": 10}, "cash": 1000},
)
def portfolio_rebalance(call: Call, asked: Rebalancing) -> RebalancingPlan:
    """Plan the trades that bring a portfolio to its target weights at the last closes; nothing is traded."""
    symbols = tuple(dict.fromkeys((*asked.target_allocations, *asked.current_portfolio)))
    panel = bars_of(call.backend, asked, symbols)
    prices = _last_prices(panel)
    held = np.array([asked.current_portfolio.get(s, 0) for s in symbols], dtype=np.int64)
    costs = account_plans(call.backend.settings, call.backend.settings.runs)[0].costs
    plan = rebalance(
        [asked.target_allocations.get(s, 0.0) for s in symbols],
        held,
        prices,
        asked.cash,
        Bands(absolute=asked.rebalance_threshold),
        costs=TradeCosts(rate=(costs.commission_bps + costs.slippage_bps) / 10_000, fixed=costs.commission_minimum),
    )
    orders = plan.orders.tolist()
    trades = tuple(
        PlannedTrade(symbol=s, action="buy" if n > 0 else "sell", quantity=abs(n), price=p, drift=float(d))
        for s, n, p, d in zip(symbols, orders, prices, plan.drifts.tolist(), strict=True)
        if n
    )
    return RebalancingPlan(
        equity=asked.cash + sum((int(n) * p for n, p in zip(held.tolist(), prices, strict=True)), Decimal(0)),
        trades=trades,
        cost=plan.cost,
        cash_after=plan.cash,
        turnover=plan.turnover,
        weights_after=dict(zip(symbols, plan.weights.tolist(), strict=True)),
        share_of_purchases_afforded=plan.cut,
    )


TOOLS = (risk_analysis, portfolio_rebalance)
