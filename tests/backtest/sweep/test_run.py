import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from nt_ray.backtest.metrics import measure
from nt_ray.backtest.simulator import COMMISSION, LOTS, TICKS, BacktestResult, backtest
from nt_ray.backtest.sweep import totals
from nt_ray.backtest.sweep.chunk import ChunkTotals, ChunkWork, run_chunk
from nt_ray.backtest.sweep.kernels import Kind
from nt_ray.backtest.sweep.measures import measures
from nt_ray.backtest.sweep.plan import TARGET_EXPOSURE, SweepPlan
from nt_ray.backtest.sweep.space import Grid
from nt_ray.brokers.simulated.matching import Costs
from nt_ray.market.bars import BarPanel, Instrument
from nt_ray.portfolio.sizing import SizingParams
from nt_ray.strategies.base import STEP_SIGNATURE, Parameter, Strategy
from nt_ray.strategies.registry import STRATEGIES, find
from nt_ray.types import QUANTA_PER_UNIT, FloatArray

CASH = Decimal(100_000)
SIZINGS = {
    "target exposure": TARGET_EXPOSURE,
    "no band": SizingParams(target_volatility=math.inf, max_weight=0.9, max_gross=0.7, rebalance_band=0.0),
    "by volatility": SizingParams(
        target_volatility=0.3, max_weight=0.8, max_position=70_000.0, max_net=0.5, volatility_halflife=15.0
    ),
}
SHORT = {"lookback", "window", "slow", "volatility_history"}


def quick(strategy: Strategy) -> FloatArray:
    """Parameters with windows short enough for the panel, and shorts where there are any."""
    given: dict[str, float] = {}
    for parameter in strategy.parameters:
        if parameter.name in SHORT:
            given[parameter.name] = max(30.0, parameter.low)
        if parameter.name == "fast":
            given[parameter.name] = 5.0
        if parameter.name == "short":
            given[parameter.name] = 1.0
    return strategy.vector(given)


@njit(STEP_SIGNATURE)
def swing(state: FloatArray, bar: FloatArray, params: FloatArray, targets: FloatArray) -> float:
    """Targets that wander over the whole range, abstaining now and then, wrong or failing at given bars."""
    state[0] += 1.0
    for i in range(targets.shape[0]):
        targets[i] = math.sin(state[0] * params[0] + 2.0 * i)
    if state[0] == params[1]:
        targets[0] = 1.5
    if state[0] == params[2]:
        return np.nan
    if state[0] == params[3]:
        raise ValueError("no such bar")
    return 0.0 if int(state[0]) % 7 == 3 else 0.5


def swinging(width: int) -> Strategy:
    names = ("speed", "bad_target", "bad_confidence", "raises")
    parameters = tuple(Parameter(n, 0.4 if n == "speed" else 0.0, 0.0, 1e6, "x.") for n in names)
    return Strategy("swing", "x", "x", parameters, width, lambda _: 1, swing)


def run(plan: SweepPlan, rows: FloatArray, kind: Kind = Kind.INLINED, *, share: bool = True) -> ChunkTotals:
    return run_chunk(plan.strategy, plan.tape(share=share), ChunkWork(0, rows, {}), kind)


def plan_of(panel: BarPanel, strategy: Strategy, costs: Costs, sizing: SizingParams = TARGET_EXPOSURE) -> SweepPlan:
    values = {strategy.parameters[0].name: [strategy.parameters[0].default]}
    return SweepPlan(panel, strategy, Grid(values), costs, CASH, sizing)


def simulated(plan: SweepPlan, group: int, row: FloatArray) -> BacktestResult:
    symbols = [plan.panel.symbols[c] for c in plan.columns[group]]
    return backtest(
        plan.panel.select(symbols),
        plan.strategy,
        row,
        sizing=plan.sizing,
        costs=plan.costs,
        initial_cash=plan.initial_cash,
    )


def assert_equal(plan: SweepPlan, found: ChunkTotals, rows: FloatArray) -> int:
    trades = 0
    for k, row in enumerate(rows):
        for g in range(len(plan.columns)):
            full, whole, real = simulated(plan, g, row), found.whole[k, g], found.real[k, g]
            fills = full.executions
            assert whole[totals.STATUS] == totals.FINE
            assert whole[totals.FINAL] == full.equity_quanta[-1]
            assert whole[totals.TRADES] == len(fills)
            assert whole[totals.FEES] == fills[:, COMMISSION].sum()
            assert whole[totals.HELD] == (full.positions != 0).any(axis=1).sum()
            assert whole[totals.RUINED] == (full.equity_quanta <= 0).any()
            units = np.array([i.notional_unit for i in full.panel.instruments])[fills[:, 1]]
            assert real[totals.TRADED] == pytest.approx(float((fills[:, LOTS] * fills[:, TICKS] * units).sum()))
            assert real[totals.EQUITY] == pytest.approx(float(full.equity_quanta.sum()), rel=1e-12)
            trades += len(fills)
    return trades


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda s: s.name)
@pytest.mark.parametrize("sizing", SIZINGS.values(), ids=SIZINGS)
def test_every_strategy_ends_where_the_simulator_ends_to_the_last_quantum(
    strategy: Strategy, sizing: SizingParams, panel: BarPanel, costs: Costs
) -> None:
    plan = plan_of(panel, strategy, costs, sizing)
    rows = np.array([quick(strategy), strategy.vector()])
    assert_equal(plan, run(plan, rows, Kind.GENERIC, share=False), rows)


@pytest.mark.parametrize("width", [1, 3])
@pytest.mark.parametrize("sizing", SIZINGS.values(), ids=SIZINGS)
def test_wandering_targets_end_where_the_simulator_ends(
    width: int, sizing: SizingParams, panel: BarPanel, costs: Costs
) -> None:
    plan = plan_of(panel, swinging(width), costs, sizing)
    rows = np.array([[speed, 0.0, 0.0, 0.0] for speed in (0.01, 0.05, 0.4, 1.1)])
    assert assert_equal(plan, run(plan, rows), rows) > 1000


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6), speed=st.floats(0.0, 3.0), band=st.sampled_from([0.0, 0.01, 0.3]))
def test_any_market_ends_where_the_simulator_ends(seed: int, speed: float, band: float) -> None:
    random = np.random.default_rng(seed)
    closes = np.exp(np.cumsum(random.normal(0.0, random.choice([0.01, 0.3]), (60, 2)), axis=0)) * 5
    values = np.repeat(closes[:, :, None], 5, axis=2)
    values[random.random((60, 2)) < 0.1] = np.nan
    values[:, :, 4] = random.uniform(0.0, 3e5, (60, 2))
    panel = BarPanel((Instrument("A"), Instrument("B")), np.arange(60, dtype=np.int64), values)
    sizing = SizingParams(target_volatility=math.inf, max_weight=1.0, rebalance_band=band)
    for width in (1, 2):
        plan = plan_of(panel, swinging(width), Costs(), sizing)
        rows = np.array([[speed, 0.0, 0.0, 0.0]])
        assert_equal(plan, run(plan, rows, Kind.GENERIC), rows)


@pytest.mark.parametrize("name", ["momentum", "arbitrage"])
def test_an_inlined_step_and_a_called_one_give_the_same_bits(name: str, panel: BarPanel, costs: Costs) -> None:
    strategy = find(name)
    plan = plan_of(panel, strategy, costs)
    rows = np.array([quick(strategy), strategy.vector()])
    inlined, called = (run(plan, rows, kind) for kind in (Kind.INLINED, Kind.GENERIC))
    assert inlined.whole.tobytes() == called.whole.tobytes()
    assert inlined.real.tobytes() == called.real.tobytes()
    assert inlined.whole[..., totals.TRADES].sum() > 0


def test_shared_sums_and_the_crossing_step_give_the_same_bits(panel: BarPanel, costs: Costs) -> None:
    strategy = find("sma_cross")
    plan = plan_of(panel, strategy, costs)
    rows = np.array([strategy.vector({"fast": f, "slow": s, "short": f % 2}) for f in (1, 4, 9) for s in (10, 40)])
    shared, stepped = (run(plan, rows, share=share) for share in (True, False))
    assert shared.whole.tobytes() == stepped.whole.tobytes()
    assert shared.real.tobytes() == stepped.real.tobytes()
    assert_equal(plan, shared, rows)


def test_metrics_are_those_of_the_full_equity_curve(panel: BarPanel, costs: Costs) -> None:
    for sizing in (TARGET_EXPOSURE, SIZINGS["no band"]):
        plan = plan_of(panel, swinging(1), costs, sizing)
        rows = np.array([[speed, 0.0, 0.0, 0.0] for speed in (0.01, 0.4)])
        found = run(plan, rows)
        table = measures(found.whole, found.real, int(CASH) * QUANTA_PER_UNIT, len(panel), 252.0)
        for k, row in enumerate(rows):
            for g in range(len(plan.columns)):
                full = simulated(plan, g, row)
                curve = np.concatenate([[float(CASH)], full.equity_quanta / QUANTA_PER_UNIT])
                wanted = measure(curve, 252.0)
                for name in ("total_return", "cagr", "sharpe", "sortino", "max_drawdown"):
                    value = getattr(wanted, name)
                    assert table[name][k, g] == pytest.approx(
                        math.nan if value is None else value, rel=1e-8, nan_ok=True
                    )
                assert table["exposure"][k, g] == pytest.approx((full.positions != 0).any(axis=1).mean())
                assert table["costs"][k, g] == pytest.approx(full.executions[:, COMMISSION].sum() / 1e8)


def test_ruin_and_a_run_without_a_trade_leave_ratios_undefined() -> None:
    closes = np.r_[np.full(30, 100.0), np.linspace(100.0, 1000.0, 30)]
    values = np.repeat(closes[:, None, None], 5, axis=2)
    values[:, :, 4] = 1e9
    panel = BarPanel((Instrument("A"),), np.arange(60, dtype=np.int64), values)
    sizing = SizingParams(target_volatility=math.inf, max_weight=1.0, rebalance_band=0.9)
    strategy = find("sma_cross")
    plan = SweepPlan(panel, strategy, Grid({"fast": [1]}), Costs(), CASH, sizing)
    falling = BarPanel(panel.instruments, panel.timestamps, values[::-1].copy())
    rows = np.array([strategy.vector({"fast": 1, "slow": 2, "short": 1}), strategy.vector({"fast": 2, "slow": 60})])
    for p in (panel, falling):
        plan = SweepPlan(p, strategy, Grid({"fast": [1]}), Costs(), CASH, sizing)
        assert_equal(plan, run(plan, rows), rows)
    short = swinging(1)
    wrong = SweepPlan(panel, short, Grid({"speed": [4.5]}), Costs(), CASH, sizing)
    found = run(wrong, np.array([[4.712388980384690, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]))
    table = measures(found.whole, found.real, int(CASH) * QUANTA_PER_UNIT, 60, 252.0)
    assert np.isnan(table["sharpe"][1, 0])
    assert table["total_return"][1, 0] == 0.0
    assert table["trades"][1, 0] == 0.0


def test_a_bad_target_a_bad_confidence_and_an_exception_are_told_apart(panel: BarPanel, costs: Costs) -> None:
    plan = plan_of(panel, swinging(1), costs)
    rows = np.array(
        [[0.4, 0, 0, 0], [0.4, 9, 0, 0], [0.4, 0, 12, 0], [0.4, 0, 0, 20], [0.1, 0, 0, 0]], dtype=np.float64
    )
    found = run(plan, rows, Kind.GENERIC)
    status = found.whole[:, 0, totals.STATUS].tolist()
    assert status == [totals.FINE, totals.BAD_TARGET, totals.BAD_CONFIDENCE, totals.BROKEN, totals.FINE]
    assert found.whole[1:3, 0, totals.ROW].tolist() == [8, 11]
    assert "no such bar" in found.broken[3]
    assert_equal(plan, ChunkTotals(found.whole[[0, 4]], found.real[[0, 4]], {}), rows[[0, 4]])
