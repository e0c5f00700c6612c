import math
from fractions import Fraction

import numpy as np
import pytest
import talib
from hypothesis import given
from hypothesis import strategies as st

from nt_ray.features import tick_moments as tm
from nt_ray.features.base import FeatureError
from nt_ray.features.sma import SMA
from nt_ray.features.stddev import STDDEV
from nt_ray.types import FloatArray, IntArray

ticks_near = st.lists(st.integers(9_000, 11_000), min_size=1, max_size=60)


def whole(prices: FloatArray) -> IntArray:
    return np.rint(prices * 100.0).astype(np.int64)


def streamed(ticks: list[int], length: int) -> IntArray:
    state = np.zeros(tm.state_size(length), dtype=np.int64)
    for tick in ticks:
        assert tm.push(state, tick, length) != tm.REFUSED
    return state


@pytest.mark.parametrize("length", [2, 20, 252])
def test_mean_and_deviation_are_talibs(prices: FloatArray, length: int) -> None:
    ticks = whole(prices[:, 3])
    found = tm.tick_moments(ticks, length)
    np.testing.assert_allclose(found[:, 0], talib.SMA(ticks.astype(float), length), rtol=1e-12)
    # TA-Lib subtracts the squared mean from the mean square; near the level of the prices that costs it digits.
    level = ticks.astype(float) - ticks.mean()
    np.testing.assert_allclose(found[:, 1], talib.STDDEV(level, length), rtol=1e-6, atol=1e-3)


@pytest.mark.parametrize("length", [1, 7, 50])
def test_they_are_those_of_prices_in_floats(walk: FloatArray, length: int) -> None:
    ticks = whole(walk[:200_000])
    found = tm.tick_moments(ticks, length)
    np.testing.assert_array_equal(found[:, 0], SMA(ticks.astype(float), length=length))
    if length > 1:
        np.testing.assert_allclose(found[:, 1], STDDEV(ticks.astype(float), length=length), rtol=1e-14)


@given(ticks_near, st.integers(1, 12))
def test_every_window_is_that_of_exact_fractions(ticks: list[int], length: int) -> None:
    found = tm.tick_moments(np.array(ticks), length)
    for end in range(1, len(ticks) + 1):
        if end < length:
            assert np.isnan(found[end - 1]).all()
            continue
        values = [Fraction(t) for t in ticks[end - length : end]]
        mean = sum(values) / length
        variance = sum((v - mean) ** 2 for v in values) / length
        assert found[end - 1, 0] == float(mean)
        assert found[end - 1, 1] == pytest.approx(math.sqrt(variance), rel=3e-16 * 2)
        score = float(values[-1] - mean) / math.sqrt(variance) if variance else 0.0
        assert found[end - 1, 2] == pytest.approx(score, rel=3e-16 * 3)


@given(ticks_near, st.lists(st.integers(0, 2**36), max_size=30), st.integers(1, 12))
def test_what_has_left_the_window_leaves_no_trace(ticks: list[int], past: list[int], length: int) -> None:
    if len(ticks) < length:
        ticks = ticks * length
    # Distances this wide are refused in a window of their own, so the past is one level and then the window.
    level = past[:1] * length
    for before in (level, [t % 100_000 for t in past]):
        state = np.zeros(tm.state_size(length), dtype=np.int64)
        if any(tm.push(state, t, length) == tm.REFUSED for t in (*before, *ticks)):
            continue
        alone = streamed(ticks, length)
        assert tm.mean(state, length) == tm.mean(alone, length)
        assert tm.deviation(state, length) == tm.deviation(alone, length)
        assert tm.score(state, ticks[-1], length) == tm.score(alone, ticks[-1], length)


@given(ticks_near, st.integers(0, 10**9))
def test_a_level_changes_neither_deviation_nor_score(ticks: list[int], level: int) -> None:
    near, far = tm.tick_moments(np.array(ticks), 5), tm.tick_moments(np.array(ticks) + level, 5)
    np.testing.assert_array_equal(near[:, 1:], far[:, 1:])


def test_the_origin_follows_a_price_that_wanders_off() -> None:
    ticks = np.cumsum(np.full(4_000, 1_000_000)) + np.arange(4_000) % 3
    found = tm.tick_moments(ticks, 20)
    windows = np.lib.stride_tricks.sliding_window_view(ticks, 20)
    np.testing.assert_array_equal(found[19:, 0], windows.sum(axis=1) / 20)
    np.testing.assert_allclose(found[19:, 1], windows.std(axis=1), rtol=1e-12)


def test_a_score_of_two_is_two() -> None:
    # 20 ticks of mean 9,915.8 and deviation 1.6: the last is exactly two deviations up.
    ticks = [9914, 9913, 9915, 9915, 9915, 9915, 9915, 9917, 9918, 9918, 9916, 9917, 9916, 9918, 9916, 9915, 9915,
             9913, 9916, 9919]  # fmt: skip
    assert tm.tick_moments(np.array(ticks), 20)[-1].tolist() == [9915.8, 1.6, 2.0]


def test_a_flat_window_scores_nothing() -> None:
    assert tm.tick_moments(np.full(10, 7), 4)[3:].tolist() == [[7.0, 0.0, 0.0]] * 7


def test_an_unknown_tick_is_no_tick() -> None:
    ticks = np.arange(100, 140) ** 2
    holed = np.insert(ticks, [7, 20, 20], -1)
    found = tm.tick_moments(holed, 5)
    assert np.isnan(found[holed < 0]).all()
    np.testing.assert_array_equal(found[holed >= 0], tm.tick_moments(ticks, 5))


@given(st.lists(st.integers(0, 1000), min_size=6, max_size=30), st.integers(0, 5))
def test_the_tick_of_some_ticks_before(ticks: list[int], back: int) -> None:
    assert tm.before(streamed(ticks, 6), back, 6) == ticks[-1 - back]


@pytest.mark.parametrize("giant", [2**31 // 5 + 101, 2**40 + 1])
def test_a_window_too_wide_is_refused_and_nothing_changes(giant: int) -> None:
    state = streamed([100, 101, 102], 5)
    kept = state.copy()
    assert tm.push(state, giant, 5) == tm.REFUSED
    assert state.tolist() == kept.tolist()
    with pytest.raises(FeatureError, match=f"tick {giant} at 3 is beyond"):
        tm.tick_moments(np.array([100, 101, 102, giant]), 5)


def test_the_widest_window_is_exact() -> None:
    reach = (2**31 - 1) // 4
    ticks = [reach, 0, 2 * reach, reach, 2 * reach, 0]
    found = tm.tick_moments(np.array(ticks), 4)
    values = [Fraction(t) for t in ticks[-4:]]
    mean = sum(values) / 4
    assert found[-1, 0] == float(mean)
    assert found[-1, 1] == pytest.approx(math.sqrt(sum((v - mean) ** 2 for v in values) / 4), rel=1e-15)


@pytest.mark.parametrize("length", [0, -1, 2.5, 4097])
def test_a_length_out_of_range_is_refused(length: float) -> None:
    with pytest.raises(FeatureError, match=f"length {length} is not usable"):
        tm.tick_moments(np.arange(5), length)  # type: ignore[arg-type]


@pytest.mark.parametrize("ticks", [np.ones(4), np.ones((2, 2), dtype=np.int64)])
def test_broken_ticks_and_tables_are_refused(ticks: FloatArray) -> None:
    with pytest.raises(FeatureError, match="Give whole ticks"):
        tm.tick_moments(ticks, 2)  # type: ignore[arg-type]
