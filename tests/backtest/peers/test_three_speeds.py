"""One strategy, three speeds: the sweep's kernels, the backtest and the event simulator end on the same quantum.

For every strategy of the registry, on drawn parameters, groups of symbols and markets with holes, late listings,
a close-only instrument, and volumes that cap fills.
"""

import math
import os
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nt_ray.backtest.event.market import Market, Terms
from nt_ray.backtest.event.simulate import simulate_exposures
from nt_ray.backtest.simulator import COMMISSION, BacktestResult, backtest
from nt_ray.backtest.sweep import Grid, totals
from nt_ray.backtest.sweep.chunk import ChunkWork, run_chunk
from nt_ray.backtest.sweep.kernels import Kind
from nt_ray.backtest.sweep.plan import SweepPlan
from nt_ray.brokers.simulated.matching import Costs
from nt_ray.errors import StrategyError
from nt_ray.market.bars import BarPanel, Instrument
from nt_ray.portfolio.sizing import SizingParams
from nt_ray.strategies.base import Parameter, Strategy
from nt_ray.strategies.registry import STRATEGIES
from nt_ray.types import FloatArray

BARS, SYMBOLS, GROUPS, ROWS = 240, 7, 3, 4
CASH = Decimal(100_000)
COSTS = Costs(Decimal("1.5"), Decimal("0.005"), Decimal(1), Decimal("2.5"), Decimal("0.1"))
INLINED, ALL_KERNELS = ("momentum", "arbitrage"), "NT_RAY_ALL_KERNELS"
SIZINGS = (
    SizingParams(target_volatility=math.inf, max_weight=1.0),
    SizingParams(target_volatility=math.inf, max_weight=0.9, max_gross=0.7, rebalance_band=0.0),
    SizingParams(target_volatility=0.3, max_weight=0.8, max_net=0.5, volatility_halflife=15.0),
)


def market_of(random: np.random.Generator) -> BarPanel:
    common = np.cumsum(random.normal(0.0, 0.02, (BARS, 1)), axis=0)
    closes = 40.0 * np.exp(common + np.cumsum(random.normal(0.0, 0.008, (BARS, SYMBOLS)), axis=0))
    opens = closes * np.exp(random.normal(0.0, 0.005, closes.shape))
    high, low = np.maximum(opens, closes) * 1.01, np.minimum(opens, closes) * 0.99
    values = np.stack([opens, high, low, closes, random.uniform(1e4, 1e7, closes.shape)], axis=2)
    values[:5, 1] = np.nan
    values[random.integers(20, BARS, 10), random.integers(0, SYMBOLS, 10)] = np.nan
    values[:, 2, [0, 1, 2, 4]] = np.nan
    instruments = tuple(Instrument(f"S{i}", close_only=i == 2) for i in range(SYMBOLS))
    panel = BarPanel(instruments, np.arange(BARS, dtype=np.int64) * 86_400 * 10**9, np.ascontiguousarray(values))
    forecast = random.normal(0.0, 0.02, closes.shape)
    return panel.with_field("forecast", forecast).with_field("score", np.tanh(forecast * 50))


def value_of(parameter: Parameter, random: np.random.Generator) -> float:
    """Draw a value, most often small enough for so few bars."""
    if random.random() < 0.2 and parameter.default < BARS:
        return parameter.default
    top = min(parameter.high, max(parameter.low + 2.0, 2.0 * min(parameter.default, 30.0)))
    if parameter.integer:
        return float(random.integers(int(parameter.low), int(top), endpoint=True))
    return float(random.uniform(parameter.low, top))


def rows_of(strategy: Strategy, random: np.random.Generator) -> FloatArray:
    rows: list[FloatArray] = []
    while len(rows) < ROWS:
        try:
            rows.append(strategy.vector({p.name: value_of(p, random) for p in strategy.parameters}))
        except StrategyError:
            continue
    return np.array(rows)


def drawdown(result: BacktestResult, cash: int) -> float:
    peaks = np.maximum.accumulate(np.append(cash, result.equity_quanta))[1:]
    return float(min(0.0, (result.equity_quanta / peaks - 1.0).min()))


def in_both_simulators(plan: SweepPlan, group: int, row: FloatArray) -> BacktestResult:
    """Run the backtest, once the event simulator has given the same to the last quantum."""
    panel = plan.panel.select([plan.panel.symbols[c] for c in plan.columns[group]])
    options: dict[str, Any] = {"sizing": plan.sizing, "initial_cash": plan.initial_cash}
    plain = backtest(panel, plan.strategy, row, costs=plan.costs, **options)
    event = simulate_exposures(panel, plan.strategy, row, market=Market(terms=Terms(costs=plan.costs)), **options)
    assert np.array_equal(plain.executions, event.fills[:, :6])
    assert np.array_equal(plain.equity_quanta, event.equity_quanta)
    assert np.array_equal(plain.cash_quanta, event.cash_quanta)
    assert np.array_equal(plain.positions, event.positions)
    assert event.unexplained == 0
    return plain


def all_speeds_agree(strategy: Strategy, seed: int, *kinds: Kind) -> int:
    """Compare all speeds on a drawn market; return the number of executions."""
    random = np.random.default_rng(seed)
    panel, rows = market_of(random), rows_of(strategy, random)
    groups = [random.choice(SYMBOLS, strategy.width, replace=False).tolist() for _ in range(GROUPS)]
    space = Grid({strategy.parameters[0].name: [strategy.parameters[0].default]})
    plan = SweepPlan(panel, strategy, space, COSTS, CASH, SIZINGS[random.integers(len(SIZINGS))], groups)
    found = [run_chunk(strategy, plan.tape(share=share), ChunkWork(0, rows, {}), kind)
             for kind in kinds for share in (False, True)]  # fmt: skip
    trades = 0
    for k, row in enumerate(rows):
        for g in range(len(groups)):
            plain = in_both_simulators(plan, g, row)
            fees, held = plain.executions[:, COMMISSION].sum(), (plain.positions != 0).any(axis=1).sum()
            for answer in found:
                whole = answer.whole[k, g]
                assert whole[totals.STATUS] == totals.FINE
                assert whole[totals.FINAL] == plain.equity_quanta[-1]
                assert whole[totals.TRADES] == len(plain.executions)
                assert whole[totals.FEES] == fees
                assert whole[totals.HELD] == held
                assert answer.real[k, g, totals.DRAWDOWN] == drawdown(plain, int(CASH * 10**8))
            trades += len(plain.executions)
    return trades


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda s: s.name)
@settings(max_examples=5)
@given(seed=st.integers(0, 2**32))
def test_any_parameters_end_on_the_same_quantum_at_three_speeds(strategy: Strategy, seed: int) -> None:
    all_speeds_agree(strategy, seed, Kind.GENERIC)


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda s: s.name)
def test_every_strategy_trades_the_same_with_its_step_inlined(strategy: Strategy) -> None:
    if strategy.name not in INLINED and not os.environ.get(ALL_KERNELS):
        pytest.skip(f"compiles a kernel of its own for several seconds; set {ALL_KERNELS}=1 to compare it")
    assert sum(all_speeds_agree(strategy, seed, Kind.INLINED, Kind.GENERIC) for seed in range(3)) > 0
