from typing import Any

import numpy as np
import pytest

from nt_ray.strategies.breakout import STRATEGY
from nt_ray.strategies.conviction import conviction
from nt_ray.types import FloatArray

QUIET = np.column_stack([np.full(14, p) for p in (100.0, 102.0, 98.0, 100.0, 1000.0)])
"""Fourteen bars between 98 and 102 at a volume of 1000."""


def bar(close: float, volume: float = np.nan) -> list[float]:
    return [close, close, close, close, volume]


def after(*rows: list[float]) -> FloatArray:
    return np.vstack([QUIET, *rows])


def mean_volume(volumes: FloatArray, window: int) -> float:
    known = volumes[~np.isnan(volumes)]
    return float(known[-window:].mean()) if len(known) >= window else 0.0


def reference(bars: FloatArray, v: dict[str, float]) -> tuple[list[float], list[float]]:
    """Positions and confidences straight from the rule, by slices."""
    window, leaving, position, opened = int(v["window"]), int(v["exit_window"]), 0, 0.0
    closes = bars[:, 3]
    highs, lows = (np.where(np.isnan(bars[:, i]), closes, bars[:, i]) for i in (1, 2))
    expected, confidences = [], []
    for t, close in enumerate(closes):
        confidence = 0.0
        if t >= max(window, leaving):
            high, low = highs[t - window : t].max(), lows[t - window : t].min()
            floor = max(lows[t - leaving : t].min(), opened * (1 - v["stop_loss"]))
            ceiling = min(highs[t - leaving : t].max(), opened * (1 + v["stop_loss"]))
            if (position == 1 and close < floor) or (position == -1 and close > ceiling):
                position = 0
            mean, volume = mean_volume(bars[:t, 4], window), bars[t, 4]
            heavy = np.isnan(volume) or mean == 0.0 or volume > v["volume_multiplier"] * mean
            narrow = v["max_range"] == 0.0 or (high - low) / low <= v["max_range"]
            if position == 0 and heavy and narrow:
                if close > high * (1 + v["threshold"]):
                    position, opened = 1, close
                elif close < low * (1 - v["threshold"]) and v["short"]:
                    position, opened = -1, close
            confidence = conviction(float(position), (close - (high + low) / 2) / (high - low))
        expected.append(float(position))
        confidences.append(confidence)
    return expected, confidences


@pytest.mark.parametrize("short", [0, 1])
@pytest.mark.parametrize("exit_window", [4, 15])
@pytest.mark.parametrize(("max_range", "volume_multiplier"), [(0.0, 1.1), (0.12, 0.0), (0.12, 1.1)])
def test_it_follows_its_rule(
    drive_bars: Any, bars: FloatArray, short: int, exit_window: int, max_range: float, volume_multiplier: float
) -> None:
    values = {"window": 9, "threshold": 0.003, "stop_loss": 0.03, "exit_window": exit_window, "short": short}
    values |= {"max_range": max_range, "volume_multiplier": volume_multiplier}
    holed = bars.copy()
    holed[np.random.default_rng(1).random(len(bars)) < 0.1, 4] = np.nan
    holed[::17, 1] = np.nan
    expected, confidences = reference(holed, values)
    targets, confidence = drive_bars(STRATEGY, holed, values)
    assert targets.ravel().tolist() == expected
    np.testing.assert_allclose(confidence, confidences, rtol=1e-9)
    assert set(expected) == ({-1.0, 0.0, 1.0} if short else {0.0, 1.0})


def test_the_margin_counts_from_the_highest_high_before_the_bar(drive_bars: Any) -> None:
    edge = 102.0 * 1.025
    assert drive_bars(STRATEGY, after(bar(edge * 0.9999)))[0][-1] == 0.0
    assert drive_bars(STRATEGY, after(bar(edge * 1.0001)))[0][-1] == 1.0


def test_a_break_below_is_sold_only_where_short_is_allowed(drive_bars: Any) -> None:
    series = after(bar(98.0 * 0.974))
    assert drive_bars(STRATEGY, series)[0][-1] == 0.0
    assert drive_bars(STRATEGY, series, {"short": 1})[0][-1] == -1.0


def test_where_volume_is_known_it_must_rise(drive_bars: Any) -> None:
    assert drive_bars(STRATEGY, after(bar(106.0, 1500.0)))[0][-1] == 0.0
    assert drive_bars(STRATEGY, after(bar(106.0, 1501.0)))[0][-1] == 1.0
    assert drive_bars(STRATEGY, after(bar(106.0, 1.0)), {"volume_multiplier": 0.0})[0][-1] == 1.0
    without = after(bar(106.0, 0.0))
    without[:, 4] = 0.0
    assert drive_bars(STRATEGY, without)[0][-1] == 1.0


def test_volume_is_not_asked_before_a_window_of_it_is_known(drive_bars: Any) -> None:
    series = after(bar(106.0, 1.0))
    assert drive_bars(STRATEGY, series)[0][-1] == 0.0
    series[0, 4] = np.nan
    assert drive_bars(STRATEGY, series)[0][-1] == 1.0


def test_a_wide_range_is_no_consolidation(drive_bars: Any) -> None:
    series = after(bar(106.0))
    assert drive_bars(STRATEGY, series, {"max_range": 0.040})[0][-1] == 0.0
    assert drive_bars(STRATEGY, series, {"max_range": 0.041})[0][-1] == 1.0


def test_a_loss_is_cut_at_the_stop_and_a_run_ends_below_its_own_range(drive_bars: Any) -> None:
    stopped, _ = drive_bars(STRATEGY, after(bar(106.0), bar(104.0), bar(103.8)))
    assert stopped[14:].ravel().tolist() == [1.0, 1.0, 0.0]
    run = [bar(p) for p in (106.0, 108.0, 110.0, 112.0, 114.0, 109.0)]
    values = {"exit_window": 3, "stop_loss": 0.0}
    targets, _ = drive_bars(STRATEGY, after(*run), values)
    assert targets[14:].ravel().tolist() == [1.0] * 5 + [0.0]
    kept, _ = drive_bars(STRATEGY, after(*run[:-1], bar(110.0)), values)
    assert kept[-1] == 1.0


def test_highs_of_the_future_change_nothing_before_them(drive_bars: Any, bars: FloatArray) -> None:
    values = {"window": 9, "threshold": 0.003, "exit_window": 4, "max_range": 0.0, "short": 1}
    before = drive_bars(STRATEGY, bars[:400], values)
    for field in (0, 1, 2, 4):
        changed = bars[:400].copy()
        changed[200:, field] *= 3.0
        after_change = drive_bars(STRATEGY, changed, values)
        assert after_change[0][:200].tobytes() == before[0][:200].tobytes()
        assert after_change[1][:200].tobytes() == before[1][:200].tobytes()


def test_it_abstains_until_both_windows_are_full(drive: Any) -> None:
    series = np.linspace(100.0, 110.0, 40)
    assert np.flatnonzero(drive(STRATEGY, series, {"window": 5, "exit_window": 3})[1])[0] == 5
    assert np.flatnonzero(drive(STRATEGY, series, {"window": 5, "exit_window": 12})[1])[0] == 12
