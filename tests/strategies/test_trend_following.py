from typing import Any

import numpy as np
import pandas as pd
import pytest
import talib

from nt_ray.errors import StrategyError
from nt_ray.strategies.conviction import conviction
from nt_ray.strategies.trend_following import STRATEGY
from nt_ray.types import FloatArray


def reference(bars: FloatArray, reach: FloatArray, values: dict[str, float]) -> tuple[list[float], FloatArray]:
    """Positions and scores, bar by bar, from pandas' means and a given average range."""
    closes = bars[:, 3]
    quick = pd.Series(closes).rolling(int(values["fast"])).mean().to_numpy()
    slack = pd.Series(closes).rolling(int(values["slow"])).mean().to_numpy()
    position, best, stopped, expected = 0, 0.0, 0, []
    for t in range(len(closes)):
        if not np.isnan(slack[t] + reach[t]):
            strength, close = quick[t] / slack[t] - 1.0, closes[t]
            if position:
                best = max(best, close) if position > 0 else min(best, close)
                if (strength > 0) != (position > 0):
                    position = 0
                elif values["atr_multiplier"] and (best - close) * position > values["atr_multiplier"] * reach[t]:
                    position, stopped = 0, position
            if position == 0:
                side = 1 if strength > 0 else -1
                if abs(strength) <= values["min_strength"]:
                    stopped = 0
                elif (side == 1 or values["short"]) and not (stopped == side and (close - best) * side <= 0):
                    position, best, stopped = side, close, 0
        expected.append(float(position))
    return expected, (quick - slack) / reach


@pytest.mark.parametrize("short", [0, 1])
@pytest.mark.parametrize("multiplier", [0.0, 1.5, 3.0])
def test_it_follows_its_rule_with_talibs_range(
    drive_bars: Any, bars: FloatArray, short: int, multiplier: float
) -> None:
    values = {"fast": 8, "slow": 25, "atr_window": 10, "atr_multiplier": multiplier, "min_strength": 0.01}
    values |= {"short": short}
    reach = talib.ATR(*np.ascontiguousarray(bars[:, 1:4].T), 10)
    expected, scores = reference(bars, reach, values)
    targets, confidence = drive_bars(STRATEGY, bars, values)
    assert targets.ravel().tolist() == expected
    assert set(expected) == ({-1.0, 0.0, 1.0} if short else {0.0, 1.0})
    wanted = [conviction(p, z) for p, z in zip(expected[24:], scores[24:], strict=True)]
    np.testing.assert_allclose(confidence[24:], wanted, rtol=1e-7)
    assert not confidence[:24].any()


def test_with_closes_alone_the_range_is_the_move_between_them(drive: Any, drive_bars: Any, bars: FloatArray) -> None:
    values = {"fast": 8, "slow": 25, "atr_window": 10, "atr_multiplier": 2.0, "min_strength": 0.01, "short": 1}
    closes = np.ascontiguousarray(bars[:, 3])
    expected, _ = reference(bars, talib.ATR(closes, closes, closes, 10), values)
    assert drive(STRATEGY, closes, values)[0].ravel().tolist() == expected
    assert drive_bars(STRATEGY, bars, values)[0].ravel().tolist() != expected


def test_a_ramp_is_held_from_the_first_bar_on_which_it_is_known(drive: Any) -> None:
    targets, confidence = drive(STRATEGY, 1.01 ** np.arange(120.0))
    assert np.flatnonzero(confidence)[0] == 49
    assert targets.ravel().tolist() == [0.0] * 49 + [1.0] * 71


def test_a_weak_trend_is_left_alone_until_it_is_strong_enough(drive: Any) -> None:
    # On a ramp of rate g the means are apart by (slow - fast) / 2 * g, to first order.
    slow_ramp = 1.0005 ** np.arange(200.0)
    assert not drive(STRATEGY, slow_ramp)[0].any()
    assert drive(STRATEGY, slow_ramp, {"min_strength": 0.005})[0][-1] == 1.0


def test_after_a_stop_it_waits_for_a_new_best_close(drive: Any) -> None:
    ramp = 100.0 * 1.01 ** np.arange(60.0)
    top = ramp[-1]
    series = np.concatenate([ramp, top * np.array([0.9, 0.95, 0.99, 1.0, 1.001, 1.01])])
    targets, _ = drive(STRATEGY, series, {"atr_multiplier": 3.0})
    assert targets[59:].ravel().tolist() == [1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0]
    unstopped, _ = drive(STRATEGY, series, {"atr_multiplier": 0.0})
    assert unstopped[59:].all()


def test_a_price_that_stands_still_is_no_trend(drive: Any) -> None:
    targets, confidence = drive(STRATEGY, np.full(80, 0.1), {"min_strength": 0.0, "short": 1})
    assert not targets.any()
    assert confidence[-1] == 1.0


def test_averages_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(StrategyError, match="fast=50 is not below slow=50"):
        STRATEGY.vector({"fast": 50})
