import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from nt_ray.features.cmf import CMF
from nt_ray.features.volume_profile import VOLUME_PROFILE
from nt_ray.features.vpin import VPIN
from nt_ray.features.vwap import VWAP
from nt_ray.types import FloatArray


@pytest.mark.parametrize("length", [1, 20, 100])
def test_vwap_and_money_flow_are_ratios_of_rolling_sums(bars: FloatArray, length: int) -> None:
    _, high, low, close, volume = bars.T
    total = pd.Series(volume).rolling(length).sum()
    turnover = pd.Series((high + low + close) / 3.0 * volume).rolling(length).sum()
    flow = pd.Series((2.0 * close - high - low) / (high - low) * volume).rolling(length).sum()
    np.testing.assert_allclose(VWAP(bars, length=length)[:, 0], turnover / total, rtol=1e-9)
    np.testing.assert_allclose(CMF(bars, length=length)[:, 0], flow / total, rtol=1e-7, atol=1e-9)


def test_without_volume_there_is_no_average_price_and_no_flow() -> None:
    bars = np.tile([10.0, 11.0, 9.0, 10.5, 0.0], (30, 1))
    assert np.isnan(VWAP(bars, length=5)).all()
    assert CMF(bars, length=5)[-1, 0] == 0.0
    assert np.isnan(VOLUME_PROFILE(bars, length=5)).all()


def test_a_bar_without_a_range_has_no_money_flow() -> None:
    bars = np.tile([10.0, 10.0, 10.0, 10.0, 500.0], (6, 1))
    assert CMF(bars, length=5)[-1, 0] == 0.0


def units(bars: FloatArray, bucket: int, length: int) -> list[float]:
    """Shares bought of every single unit of volume, in order."""
    changes = np.diff(bars[:, 3])
    shares: list[float] = []
    for t in range(length, len(bars)):
        share = norm.cdf(changes[t - 1] / changes[t - length : t].std())
        shares += [share] * int(bars[t, 4])
    return shares


def test_vpin_is_what_counting_unit_by_unit_gives(bars: FloatArray) -> None:
    few = bars[:120].copy()
    few[:, 4] = np.random.default_rng(6).integers(0, 90, 120)
    shares = units(few, 25, 8)
    buckets = np.array(shares[: len(shares) // 25 * 25]).reshape(-1, 25)
    imbalance = np.abs(2.0 * buckets.sum(axis=1) - 25.0) / 25.0
    found = VPIN(few, bucket=25, buckets=6, length=8)[:, 0]
    filled = 0
    for t in range(8, 120):
        filled += int(few[t, 4])
        full = filled // 25
        expected = imbalance[full - 6 : full].mean() if full >= 6 else np.nan
        assert found[t] == pytest.approx(expected, rel=1e-9, nan_ok=True)
    assert np.isnan(found[:8]).all()


def test_vpin_is_zero_without_a_move_and_by_closed_form_after_one_leap() -> None:
    still = np.tile([10.0, 10.0, 10.0, 10.0, 300.0], (40, 1))
    assert VPIN(still, bucket=100, buckets=5, length=4)[-1, 0] == 0.0
    leap = still.copy()
    leap[-1, 3], leap[-1, 4] = 1e9, 5000.0
    # Of the changes 0, 0, 0, x the last is 4 / sqrt(3) deviations, and its volume fills every bucket.
    expected = 2.0 * norm.cdf(4.0 / np.sqrt(3.0)) - 1.0
    assert VPIN(leap, bucket=100, buckets=5, length=4)[-1, 0] == pytest.approx(expected, rel=1e-9)


def test_a_giant_volume_is_poured_in_no_more_steps_than_there_are_buckets(bars: FloatArray) -> None:
    huge = bars[:60].copy()
    huge[:, 4] = 1e15
    assert 0.0 < VPIN(huge, bucket=1.0, buckets=5, length=8)[-1, 0] < 1.0


def test_all_volume_at_one_price_is_the_point_of_control() -> None:
    bars = np.tile([10.0, 20.0, 0.0, 10.0, 1.0], (10, 1))
    bars[4] = [12.0, 12.1, 11.9, 12.0, 1000.0]
    point, low, high = VOLUME_PROFILE(bars, length=10, bins=20)[-1]
    # Bins are one wide: half of the heavy bar lies in 11 to 12 and half in 12 to 13.
    assert (point, low, high) == (11.5, 11.0, 13.0)


def test_a_profile_is_the_histogram_of_finely_divided_bars(bars: FloatArray) -> None:
    recent = bars[1000:1060]
    grains = 20_000
    inside = (np.arange(grains) + 0.5) / grains
    prices = (recent[:, 2:3] + (recent[:, 1:2] - recent[:, 2:3]) * inside).ravel()
    weights = np.repeat(recent[:, 4] / grains, grains)
    counts, edges = np.histogram(prices, bins=24, range=(recent[:, 2].min(), recent[:, 1].max()), weights=weights)
    point, low, high = VOLUME_PROFILE(recent, length=60)[-1]
    fullest = int(np.argmax(counts))
    assert point == pytest.approx((edges[fullest] + edges[fullest + 1]) / 2)
    first, last = (int(np.argmin(np.abs(edges - e))) for e in (low, high))
    assert first <= fullest < last
    assert counts[first:last].sum() / counts.sum() >= 0.699
    inner = max(counts[first + 1 : last].sum(), counts[first : last - 1].sum())
    assert min(counts[first], counts[last - 1]) + inner >= 0.699 * counts.sum() > 0.0
    assert counts[first:last].sum() - min(counts[first], counts[last - 1]) < 0.7 * counts.sum()
