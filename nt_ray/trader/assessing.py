"""A strategy on bars, without a folder: the same simulator, sizing, costs and measures as `nt-ray backtest`."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from nt_ray.backtest.event.market_table import market_of
from nt_ray.backtest.event.result import EventResult
from nt_ray.backtest.event.runnable import Runnable, runnable
from nt_ray.backtest.metrics import Metrics, measure
from nt_ray.config import Settings
from nt_ray.errors import StrategyError
from nt_ray.market.bars import BarPanel
from nt_ray.strategies.base import Strategy
from nt_ray.strategies.loader import is_reference
from nt_ray.trader.planning import account_plans, sizing_params
from nt_ray.types import QUANTA_PER_UNIT, FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Assessed:
    """What a strategy did."""

    strategy: Runnable
    result: EventResult
    equity: FloatArray
    """(T+1,), the opening first."""
    periods_per_year: float

    def metrics(self, last: int | None = None) -> Metrics:
        """Measure it, or its last bars."""
        equity = self.equity if last is None else self.equity[-(last + 1) :]
        return measure(equity, self.periods_per_year)


def needs_bars_alone(strategy: Strategy) -> bool:
    """Whether a strategy asks for no more than bars, and rests on no others."""
    return not strategy.inputs and strategy.name != "ensemble"


def platform_strategy(name: str, values: Mapping[str, float]) -> Runnable:
    """Find a strategy of the platform; never one of a file."""
    if is_reference(name):
        raise StrategyError(f"{name} names a file. Give the name of a strategy, as list_strategies does.")
    return runnable(name, values)


def run_strategy(
    settings: Settings, name: str, values: Mapping[str, float], panel: BarPanel, cash: Decimal | None = None
) -> Assessed:
    """Run a strategy over bars with the settings' sizing and the costs of their first broker."""
    found = platform_strategy(name, values)
    missing = [field for field in found.inputs if field not in panel.fields]
    if missing:
        raise StrategyError(f"{name} reads {', '.join(missing)}, which these bars do not hold. Use run_backtest.")
    plan = account_plans(settings, settings.runs)[0]
    bars, market = market_of({}, panel, plan.costs)
    money = settings.account.initial_cash if cash is None else cash
    result = found.run(bars, sizing=sizing_params(settings), market=market, initial_cash=money, on_row=None)
    opening = np.array([float(money)])
    equity = np.concatenate([opening, result.equity_quanta / QUANTA_PER_UNIT])
    return Assessed(found, result, equity, panel.periods_per_year)
