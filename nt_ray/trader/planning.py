"""From settings to the plain values the rooms work with: sizing, limits, accounts."""

from collections.abc import Sequence
from decimal import ROUND_DOWN, Decimal
from pathlib import Path

import numpy as np

from nt_ray.brokers.simulated.matching import Costs
from nt_ray.config import Settings
from nt_ray.errors import ConfigError
from nt_ray.market.bars import AssetClass, BarPanel, known_closes
from nt_ray.portfolio.allocation import BY_VOLATILITY, AllocationParams, Allocator
from nt_ray.portfolio.sizing import SizingParams
from nt_ray.risk.limits import LIVE, RiskLimits
from nt_ray.trader.circuit import Circuit
from nt_ray.trader.replay_account import AccountPlan
from nt_ray.trader.routing import RoutingPolicy, RoutingTable, VenueFacts
from nt_ray.trading.lots import LotMethod

CENT = Decimal("0.01")


def sizing_params(settings: Settings, *, allocated: bool = False) -> SizingParams:
    """Sizing from `[portfolio]`, within the position limit of `[risk]`; who knows no allocation refuses one."""
    method = settings.portfolio.allocation.method
    if method != BY_VOLATILITY and not allocated:
        raise ConfigError(
            f"portfolio.allocation.method is {method}; outside `nt-ray run` positions are sized by volatility. Set it "
            f"to {BY_VOLATILITY}."
        )
    values = settings.portfolio.model_dump(exclude={"allocation"})
    return SizingParams(**values, max_position=float(settings.risk.max_position_size))


def allocator_of(settings: Settings, panel: BarPanel) -> Allocator | None:
    """Allocator of `[portfolio.allocation]` over a panel; None where the sizer works by volatility alone."""
    chosen, portfolio = settings.portfolio.allocation, settings.portfolio
    if chosen.method == BY_VOLATILITY:
        return None
    limits = {name: getattr(portfolio, name) for name in ("target_volatility", "max_weight", "max_gross")}
    params = AllocationParams(**chosen.model_dump(), **limits)
    return Allocator(params, known_closes(np.asarray(panel.closes)), panel.periods_per_year)


def risk_limits(settings: Settings, *, live: bool = False) -> RiskLimits:
    """Limits of the gate from `[risk]`, those that are unset as they are for a live account or for a replay."""
    limits = settings.risk.model_dump(exclude={"max_order_size", "max_position_size", "restricted"})
    limits = {name: value for name, value in limits.items() if value is not None or name not in LIVE}
    if live:
        limits = {**LIVE, **limits}
    return RiskLimits(
        max_order_notional=settings.risk.max_order_size,
        max_position_notional=settings.risk.max_position_size,
        restricted=frozenset(settings.risk.restricted),
        **limits,
    )


def routing_table(settings: Settings, accounts: Sequence[str] | None = None) -> RoutingTable:
    """Routing over the enabled brokers, or some of them, all reachable; shares are those of the whole capital."""
    brokers = settings.brokers
    names = [name for name in brokers.enabled if accounts is None or name in accounts]
    facts = {}
    for name in names:
        venue = brokers.table(name)
        classes = frozenset(AssetClass(c) for c in venue.asset_classes)
        facts[name] = VenueFacts(venue.commission_bps + venue.slippage_bps, venue.latency_ms, classes)
    shares = {name: share for name, share in brokers.shares().items() if name in names}
    return RoutingTable(shares, frozenset(names), 0, RoutingPolicy(brokers.routing), facts)


def circuit_of(settings: Settings) -> Circuit:
    """Circuit breaker of a live account's venue, in seconds, from `[brokers]`."""
    asked = settings.brokers
    return Circuit(asked.circuit_failures, asked.circuit_probe_s, asked.circuit_backoff, asked.circuit_longest_s)


def account_plans(settings: Settings, folder: Path) -> list[AccountPlan]:
    """One account for each enabled broker; the capital is divided to the cent, the first takes what is left."""
    limits = risk_limits(settings)
    shares = settings.brokers.shares()
    cash = settings.account.initial_cash
    capital = {name: (cash * share).quantize(CENT, ROUND_DOWN) for name, share in shares.items()}
    first = next(iter(capital))
    capital[first] += cash - sum(capital.values())
    plans = []
    account = settings.account
    database = "" if account.journal is None else account.journal.get_secret_value()
    for name, amount in capital.items():
        broker = settings.brokers.table(name)
        costs = Costs(
            commission_bps=broker.commission_bps,
            commission_per_unit=broker.commission_per_unit,
            commission_minimum=broker.commission_minimum,
            slippage_bps=broker.slippage_bps,
            volume_share=broker.volume_share,
        )
        outages = tuple((first_bar, last_bar) for first_bar, last_bar in broker.outage)
        money = (account.currency, LotMethod(account.lots), database)
        plans.append(AccountPlan(name, folder, amount, costs, limits, outages, *money))
    return plans
