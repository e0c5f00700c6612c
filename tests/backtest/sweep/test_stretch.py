import math
from decimal import Decimal

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nt_ray.backtest.simulator import backtest
from nt_ray.backtest.sweep import totals
from nt_ray.backtest.sweep.chunk import ChunkWork, run_chunk
from nt_ray.backtest.sweep.plan import SweepPlan
from nt_ray.backtest.sweep.space import Grid
from nt_ray.backtest.sweep.stretch import BLOCK
from nt_ray.brokers.simulated.matching import Costs
from nt_ray.market.bars import BarPanel, Instrument
from nt_ray.portfolio.sizing import SizingParams
from nt_ray.strategies.registry import find

CROSS = find("sma_cross")


@settings(max_examples=80)
@given(
    seed=st.integers(0, 10**6),
    bars=st.integers(2, 5 * BLOCK),
    fast=st.integers(1, 3),
    more=st.integers(1, 8),
    short=st.integers(0, 1),
    weight=st.sampled_from([0.2, 0.5, 1.0]),
    band=st.sampled_from([0.005, 0.02, 0.1, 0.6]),
    drift=st.sampled_from([-0.01, 0.0, 0.01]),
)
def test_blocks_end_as_single_bars_do_in_any_length_of_tape_and_wherever_a_band_is_left(
    seed: int, bars: int, fast: int, more: int, short: int, weight: float, band: float, drift: float
) -> None:
    random = np.random.default_rng(seed)
    closes = np.round(np.exp(np.cumsum(random.normal(drift, random.choice([0.005, 0.05, 0.3]), bars))) * 20 + 0.02, 2)
    values = np.repeat(closes[:, None, None], 5, axis=2)
    values[:, :, 4] = 1e9
    panel = BarPanel((Instrument("A"),), np.arange(bars, dtype=np.int64), values)
    sizing = SizingParams(target_volatility=math.inf, max_weight=weight, rebalance_band=band)
    space = Grid({"fast": [fast], "slow": [fast + more], "short": [short]})
    plan = SweepPlan(panel, CROSS, space, Costs(commission_bps=Decimal(5)), Decimal(100_000), sizing)
    rows = plan.space.rows(CROSS, 0, 1)
    blocks, single = (run_chunk(CROSS, plan.tape(share=share), ChunkWork(0, rows, {})) for share in (True, False))
    assert blocks.whole.tobytes() == single.whole.tobytes()
    assert blocks.real.tobytes() == single.real.tobytes()
    full = backtest(panel, CROSS, rows[0], sizing=sizing, costs=plan.costs, initial_cash=plan.initial_cash)
    curve = np.r_[10.0**13, full.equity_quanta.astype(np.float64)]
    whole, real = blocks.whole[0, 0], blocks.real[0, 0]
    assert whole[totals.FINAL] == full.equity_quanta[-1]
    assert whole[totals.HELD] == (full.positions != 0).sum()
    if (curve > 0.0).all():
        returns = curve[1:] / curve[:-1] - 1.0
        drawdown = (curve / np.maximum.accumulate(curve) - 1.0).min()
        wanted = (returns.sum(), (returns**2).sum(), (np.minimum(returns, 0.0) ** 2).sum(), drawdown)
        assert np.allclose(real[: totals.TRADED], wanted, rtol=1e-9, atol=1e-13)
        assert np.isclose(real[totals.EQUITY], curve[1:].sum(), rtol=1e-12)
