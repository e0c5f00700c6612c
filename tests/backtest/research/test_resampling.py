import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nt_ray.backtest.research.problems import ResearchError
from nt_ray.backtest.research.resampling import resample_bars, resample_trades

UP = 0.02
COIN = np.array([UP, 1.0 / (1.0 + UP) - 1.0])
"""In logarithms a fair walk of equal steps."""


def test_terminal_wealth_of_a_fair_coin_is_binomial() -> None:
    found = resample_trades(COIN, paths=20_000, trades=101, ruin=0.0, seed=1)
    for share, wealth in found.terminal_quantiles.items():
        steps = 2 * stats.binom.ppf(share, 101, 0.5) - 101
        assert math.log(wealth) / math.log(1 + UP) == pytest.approx(steps, abs=2.01)
    assert found.profit_probability == pytest.approx(0.5, abs=0.015)
    assert found.mean_terminal == pytest.approx(np.mean(1 + COIN) ** 101, rel=0.01)


def test_ruin_of_a_fair_coin_follows_the_reflection_principle() -> None:
    steps, level = 100, 12
    found = resample_trades(COIN, paths=20_000, trades=steps, ruin=(1 + UP) ** -(level - 0.5), seed=2)
    ends = np.arange(-steps, steps + 1, 2)
    chances = stats.binom.pmf((ends + steps) // 2, steps, 0.5)
    expected = chances[ends <= -level].sum() + chances[ends < -level].sum()
    assert found.ruin_probability == pytest.approx(expected, abs=4 * found.ruin_error)
    assert found.ruin_error == pytest.approx(math.sqrt(expected * (1 - expected) / 20_000), rel=0.05)


@settings(max_examples=15)
@given(chunk=st.integers(1, 70), ruin=st.sampled_from([0.0, 0.9]))
def test_chunks_change_nothing(chunk: int, ruin: float) -> None:
    returns = np.random.default_rng(1).normal(0.001, 0.03, 40)
    assert resample_trades(returns, paths=60, ruin=ruin, seed=3, chunk=chunk) == resample_trades(
        returns, paths=60, ruin=ruin, seed=3
    )
    assert resample_bars(returns, block=4.0, paths=60, ruin=ruin, seed=3, chunk=chunk) == resample_bars(
        returns, block=4.0, paths=60, ruin=ruin, seed=3
    )


def test_a_ruined_account_stays_where_it_fell() -> None:
    found = resample_trades(np.array([-0.6, 5.0]), paths=4000, trades=30, ruin=0.5, seed=4)
    # Half of all paths lose on their first trade, and no win can save those.
    assert found.ruin_probability > 0.5
    assert found.terminal_quantiles[0.5] == pytest.approx(0.4)
    assert found.drawdown_quantiles[0.5] <= -0.6


def test_wins_alone_never_fall() -> None:
    found = resample_trades(np.full(5, 0.01), paths=10, seed=5)
    assert found.ruin_probability == 0.0
    assert set(found.drawdown_quantiles.values()) == {0.0}
    assert found.terminal_quantiles[0.01] == pytest.approx(1.01**5)


def test_blocks_keep_losing_streaks_together() -> None:
    streaks = np.tile(np.repeat([0.02, -0.018], 10), 20)
    alone = resample_bars(streaks, block=1.0, paths=500, seed=6)
    together = resample_bars(streaks, block=20.0, paths=500, seed=6)
    assert together.drawdown_quantiles[0.5] < alone.drawdown_quantiles[0.5]
    assert alone.draws == together.draws == 400


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(ResearchError, match="above -1"):
        resample_trades(np.array([0.1, -1.0]))
    with pytest.raises(ResearchError, match="at least one"):
        resample_trades(np.array([]))
    with pytest.raises(ResearchError, match="ruin"):
        resample_trades(COIN, ruin=1.0)
    with pytest.raises(ResearchError, match="paths"):
        resample_trades(COIN, paths=0)
    with pytest.raises(ResearchError, match="trades=0"):
        resample_trades(COIN, trades=0)
    with pytest.raises(ResearchError, match="block"):
        resample_bars(COIN, block=0.0)
