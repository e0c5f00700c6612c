import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nt_ray.backtest.simulator import BacktestResult, backtest
from nt_ray.backtest.sweep import Grid, SweepError, SweepPlan, record, totals
from nt_ray.backtest.sweep.chunk import ChunkTotals, ChunkWork, run_chunk
from nt_ray.backtest.sweep.plan import TARGET_EXPOSURE
from nt_ray.brokers.simulated.matching import Costs
from nt_ray.market.bars import BarPanel, Instrument
from nt_ray.portfolio.sizing import SizingParams
from nt_ray.strategies.registry import find

CROSS = find("sma_cross")
SIZINGS = [
    TARGET_EXPOSURE,
    SizingParams(target_volatility=math.inf, max_weight=0.9, max_gross=0.7, rebalance_band=0.0),
    SizingParams(target_volatility=math.inf, max_weight=1.0, max_position=60_000.0),
    SizingParams(target_volatility=0.3, max_weight=0.8, volatility_halflife=15.0),
]
CASH = Decimal(100_000)


def simulated(plan: SweepPlan, combination: int, group: int) -> BacktestResult:
    return backtest(
        plan.panel.select([plan.panel.symbols[c] for c in plan.columns[group]]),
        plan.strategy,
        plan.space.rows(plan.strategy, combination, combination + 1)[0],
        sizing=plan.sizing,
        costs=plan.costs,
        initial_cash=plan.initial_cash,
    )


def assert_same(found: BacktestResult, wanted: BacktestResult) -> None:
    for name in ("executions", "equity_quanta", "cash_quanta", "positions"):
        given, expected = getattr(found, name), getattr(wanted, name)
        assert given.dtype == expected.dtype
        assert np.array_equal(given, expected), name
    assert found.panel.symbols == wanted.panel.symbols


@pytest.mark.parametrize("sizing", SIZINGS, ids=range(4))
@pytest.mark.parametrize(
    ("name", "values"), [("sma_cross", {"short": [0, 1], "fast": [2], "slow": [9]}), ("momentum", {"lookback": [20]})]
)
def test_a_record_is_the_simulators_own_to_the_last_quantum(
    name: str, values: dict[str, list[float]], sizing: SizingParams, panel: BarPanel, costs: Costs
) -> None:
    plan = SweepPlan(panel, find(name), Grid(values), costs, CASH, sizing)
    tape = plan.tape()
    for combination in range(plan.combinations):
        for group in range(4):
            wanted = simulated(plan, combination, group)
            assert len(wanted.executions) > 0
            assert_same(record(plan, combination, group), wanted)
            assert_same(record(plan, combination, group, tape), wanted)


def test_a_record_of_a_group_has_every_symbol_of_it(panel: BarPanel, costs: Costs) -> None:
    plan = SweepPlan(panel, find("arbitrage"), Grid({"max_bars": [40]}), costs, CASH, groups=[[7, 3], [5, 6]])
    for group in range(2):
        wanted = simulated(plan, 0, group)
        assert set(wanted.executions[:, 1].tolist()) == {0, 1}
        assert_same(record(plan, 0, group), wanted)


@settings(max_examples=30)
@given(
    seed=st.integers(0, 10**6),
    fast=st.integers(1, 6),
    more=st.integers(1, 12),
    short=st.integers(0, 1),
    sizing=st.sampled_from(SIZINGS),
    holes=st.sampled_from([0.0, 0.0, 0.15]),
)
def test_shared_sums_trade_any_market_as_the_simulator_and_as_the_step_do(
    seed: int, fast: int, more: int, short: int, sizing: SizingParams, holes: float
) -> None:
    panel = market(seed, holes)
    costs = Costs(Decimal(10), Decimal("0.01"), Decimal(1), Decimal(3), Decimal("0.1"))
    space = Grid({"fast": [fast], "slow": [fast + more], "short": [short]})
    plan = SweepPlan(panel, CROSS, space, costs, CASH, sizing)
    shared, stepped = both(plan)
    assert shared.whole.tobytes() == stepped.whole.tobytes()
    assert shared.real.tobytes() == stepped.real.tobytes()
    for group in range(2):
        wanted = simulated(plan, 0, group)
        assert_same(record(plan, 0, group), wanted)
        assert shared.whole[0, group, totals.FINAL] == wanted.equity_quanta[-1]
        assert shared.whole[0, group, totals.HELD] == (wanted.positions != 0).sum()


def market(seed: int, holes: float) -> BarPanel:
    """Two symbols in coarse ticks, so that means tie; the second has closes only; volumes cap some fills."""
    random = np.random.default_rng(seed)
    size = random.choice([0.004, 0.03, 0.4])
    closes = np.round(np.exp(np.cumsum(random.normal(0.0, size, (150, 2)), axis=0)) * 5, 1) + 0.1
    opens = np.round(closes * np.exp(random.normal(0.0, size / 4, closes.shape)), 2) + 0.01
    volume = random.choice([0.0, 1e3, 1e9, np.nan], closes.shape, p=[0.1, 0.2, 0.6, 0.1])
    values = np.stack([opens, np.maximum(opens, closes), np.minimum(opens, closes), closes, volume], axis=2)
    values[random.random((150, 2)) < holes] = np.nan
    values[:, 1, [0, 1, 2]] = np.nan
    instruments = (Instrument("A", Decimal("0.01")), Instrument("B", Decimal("0.0001"), close_only=True))
    return BarPanel(instruments, np.arange(150, dtype=np.int64), values)


def both(plan: SweepPlan) -> tuple[ChunkTotals, ChunkTotals]:
    rows = plan.space.rows(plan.strategy, 0, plan.combinations)
    first, second = (
        run_chunk(plan.strategy, plan.tape(share=share), ChunkWork(0, rows, {})) for share in (True, False)
    )
    return first, second


@pytest.mark.parametrize("short", [0, 1])
def test_an_account_that_outgrows_whole_numbers_or_is_ruined_ends_alike(short: int) -> None:
    closes = np.round(np.r_[np.full(30, 10.0), np.geomspace(10.0, 4e5, 300), np.geomspace(4e5, 1.0, 300)], 2)
    values = np.repeat(closes[:, None, None], 5, axis=2)
    values[:, :, 4] = 1e12
    panel = BarPanel((Instrument("A"),), np.arange(len(closes), dtype=np.int64), values)
    sizing = SizingParams(target_volatility=math.inf, max_weight=1.0, rebalance_band=0.9)
    space = Grid({"fast": [1], "slow": [2, 40], "short": [short]})
    for cash in (Decimal(100), Decimal(20_000_000)):
        plan = SweepPlan(panel, CROSS, space, Costs(), cash, sizing)
        shared, stepped = both(plan)
        assert shared.whole.tobytes() == stepped.whole.tobytes()
        assert shared.real.tobytes() == stepped.real.tobytes()
        large = shared.whole[:, 0, totals.STATUS] == totals.TOO_LARGE
        assert large.all() == (cash > 1000)
        if large.any():
            with pytest.raises(SweepError, match="outgrows what whole quanta can hold"):
                record(plan, 0)


def test_a_record_of_no_run_or_of_an_impossible_one_is_refused(panel: BarPanel) -> None:
    plan = SweepPlan(panel, CROSS, Grid({"fast": [3, 9], "slow": [5]}))
    with pytest.raises(SweepError, match="no run of combination 2 on group 0"):
        record(plan, 2)
    with pytest.raises(SweepError, match="no run of combination 0 on group 16"):
        record(plan, 0, 16)
    with pytest.raises(SweepError, match=r"Combination 1 on group 2 failed\. sma_cross: fast=9 is not below slow=5"):
        record(plan, 1, 2)
