from typing import Any

import numpy as np
import pytest

from nt_ray.errors import StrategyError
from nt_ray.strategies.conviction import conviction
from nt_ray.strategies.mean_reversion import STRATEGY

QUIET = [100.0, 101.0] * 10
"""Twenty closes around 100.5 with deviation 0.5."""


def scores(series: Any, window: int) -> Any:
    windows = np.lib.stride_tricks.sliding_window_view(series, window)
    z = (series[window - 1 :] - windows.mean(axis=1)) / windows.std(axis=1)
    return np.concatenate([np.full(window - 1, np.nan), z])


def test_it_abstains_until_window_and_trend_are_full(drive: Any) -> None:
    series = np.array(QUIET * 3)
    assert np.flatnonzero(drive(STRATEGY, series, {"window": 12})[1])[0] == 11
    assert np.flatnonzero(drive(STRATEGY, series, {"window": 12, "trend": 31})[1])[0] == 30


def test_it_buys_the_fall_and_sells_at_the_mean(drive: Any) -> None:
    series = np.array([*QUIET, 97.0, 98.0, 99.0, 100.5, 101.0])
    targets, _ = drive(STRATEGY, series, {"window": 20, "entry": 2.0, "exit": 0.0})
    z = scores(series, 20)
    assert z[20] < -2.0
    back = 20 + int(np.argmax(z[20:] >= 0.0))
    assert targets.ravel().tolist() == [0.0] * 20 + [1.0] * (back - 20) + [0.0] * (25 - back)
    assert 20 < back < 25


def test_it_sells_the_rise_only_where_short_is_allowed(drive: Any) -> None:
    series = np.array([*QUIET, 104.0, 103.0, 100.0])
    assert not drive(STRATEGY, series, {"window": 20})[0].any()
    targets, _ = drive(STRATEGY, series, {"window": 20, "short": 1})
    assert targets[20:].ravel().tolist() == [-1.0, -1.0, 0.0]


@pytest.mark.parametrize("short", [0, 1])
@pytest.mark.parametrize(("trend", "max_bars"), [(0, 0), (60, 0), (0, 4), (60, 4)])
def test_it_follows_its_rule_on_a_walk(drive: Any, short: int, trend: int, max_bars: int) -> None:
    series = np.exp(np.random.default_rng(4).normal(0.0, 0.01, 2000).cumsum())
    values = {"window": 15, "entry": 1.5, "exit": 0.3, "short": short, "trend": trend, "max_bars": max_bars}
    targets, confidence = drive(STRATEGY, series, values)
    z, position, held, tired, expected = scores(series, 15), 0, 0, False, []
    for t in range(len(series)):
        if t >= max(14, trend - 1):
            if position:
                held += 1
                if (position == 1 and z[t] >= -0.3) or (position == -1 and z[t] <= 0.3):
                    position = 0
                elif max_bars and held >= max_bars:
                    position, tired = 0, True
            if abs(z[t]) <= 1.5:
                tired = False
            elif position == 0 and not tired:
                mean = series[t - trend + 1 : t + 1].mean() if trend else 0.0
                if z[t] < 0 and (not trend or series[t] > mean):
                    position, held = 1, 0
                elif z[t] > 0 and short and (not trend or series[t] < mean):
                    position, held = -1, 0
            assert confidence[t] == pytest.approx(conviction(float(position), z[t]), rel=1e-7)
        expected.append(position)
    assert targets.ravel().tolist() == expected
    assert set(expected) == ({-1, 0, 1} if short else {0, 1})


def test_after_the_time_stop_it_waits_for_the_score_to_come_back(drive: Any) -> None:
    # A fall that goes on: the score stays low, so the position is stopped and not taken again.
    series = np.array([*QUIET, *(95.0 * 0.97 ** np.arange(12.0))])
    targets, _ = drive(STRATEGY, series, {"window": 20, "entry": 1.0, "exit": 0.0, "max_bars": 3})
    assert (scores(series, 20)[20:] < -1.0).all()
    assert targets[20:].ravel().tolist() == [1.0] * 3 + [0.0] * 9


def test_the_trend_filter_blocks_falls_below_the_long_mean(drive: Any) -> None:
    rising = np.concatenate([np.linspace(50.0, 100.0, 60), QUIET, [98.5]])
    falling = np.concatenate([np.linspace(150.0, 100.0, 60), QUIET, [98.5]])
    values = {"window": 20, "entry": 2.0, "trend": 70}
    assert drive(STRATEGY, rising, values)[0][-1] == 1.0
    assert drive(STRATEGY, falling, values)[0][-1] == 0.0
    assert drive(STRATEGY, falling, values | {"trend": 0})[0][-1] == 1.0


def test_a_flat_price_is_at_its_mean(drive: Any) -> None:
    targets, confidence = drive(STRATEGY, np.full(50, 0.1))
    assert not targets.any()
    assert confidence[-1] == 1.0


def test_an_exit_that_is_not_below_the_entry_is_refused() -> None:
    with pytest.raises(StrategyError, match="exit=1 is not below entry=1"):
        STRATEGY.vector({"entry": 1.0, "exit": 1.0})
