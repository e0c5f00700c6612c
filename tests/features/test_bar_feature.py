import numpy as np
import pytest

from nt_ray.features.adx import ADX
from nt_ray.features.atr import ATR
from nt_ray.features.bar_feature import BarFeature
from nt_ray.features.base import FeatureError
from nt_ray.features.bollinger import BOLLINGER
from nt_ray.features.macd import MACD
from nt_ray.features.obv import OBV
from nt_ray.features.order_flow import ORDER_FLOW
from nt_ray.features.registry import BAR_FEATURES, FEATURES
from nt_ray.types import FloatArray

every_feature = pytest.mark.parametrize("feature", BAR_FEATURES, ids=lambda f: f.name)

QUICK: dict[str, dict[str, float]] = {
    "adx": {"length": 6},
    "macd": {"fast": 4, "slow": 9, "signal": 3},
    "pattern_match": {"length": 5, "lookback": 12, "band": 1},
    "vpin": {"bucket": 7e8, "buckets": 5, "length": 9},
    "volume_profile": {"length": 9, "bins": 7},
    "keltner": {"length": 7, "atr_length": 5},
}
"""Parameters of the tests below; the others take `length` 9 if they have one, else their defaults."""


def quick(feature: BarFeature) -> dict[str, float]:
    nine = {"length": 9} if any(p.name == "length" for p in feature.parameters) else {}
    return QUICK.get(feature.name, nine)


def stream(feature: BarFeature, bars: FloatArray, **values: float) -> FloatArray:
    params = feature.vector(**values)
    state, out = np.zeros(feature.state_size(params)), np.zeros((len(bars), len(feature.outputs)))
    for t, bar in enumerate(bars):
        feature.update(state, bar.copy(), params, out[t])
    return out


def test_names_are_unique() -> None:
    names = [f.name for f in (*FEATURES, *BAR_FEATURES)]
    assert len(set(names)) == len(names)


@every_feature
def test_streaming_and_vectorised_agree_to_the_last_bit(feature: BarFeature, quoted: FloatArray) -> None:
    found = feature(quoted[:400], **quick(feature))
    assert found.shape == (400, len(feature.outputs))
    assert found.tobytes() == stream(feature, quoted[:400], **quick(feature)).tobytes()


@every_feature
@pytest.mark.parametrize("change", [1e6, -1.0, np.nan, np.inf])
def test_the_future_changes_nothing_before_it(feature: BarFeature, change: float, quoted: FloatArray) -> None:
    before = feature(quoted[:300], **quick(feature))
    for row in (0, 1, 9, 10, 57, 299):
        for field in {*range(5), *feature.fields}:
            changed = quoted[:300].copy()
            changed[row:, field] = change
            assert feature(changed, **quick(feature))[:row].tobytes() == before[:row].tobytes()


@every_feature
def test_the_present_bar_counts(feature: BarFeature, quoted: FloatArray) -> None:
    before = feature(quoted[:300], **quick(feature))
    moved = []
    for field in feature.fields:
        for factor in (0.8, 1.25):
            changed = quoted[:300].copy()
            changed[250, field] *= factor
            after = feature(changed, **quick(feature))
            moved.append((after[250] != before[250]).any() or (after[251] != before[251]).any())
    # The parabolic stop is known before its bar is over; it shows the bar on the next one at the latest.
    assert any(moved)


@every_feature
def test_once_known_it_stays_known(feature: BarFeature, quoted: FloatArray) -> None:
    found = feature(quoted[:400], **quick(feature))
    for column in found.T:
        first = int(np.argmax(~np.isnan(column)))
        assert not np.isnan(column[first:]).any()
        assert first <= 3 * max([9.0, *(v for v in quick(feature).values() if v < 100)])


@every_feature
def test_a_bar_without_a_needed_field_is_no_bar(feature: BarFeature, quoted: FloatArray) -> None:
    plain = feature(quoted[:300], **quick(feature))
    for field in feature.fields:
        gaps = np.sort(np.random.default_rng(field).random(450).argsort()[:150])
        keep = np.setdiff1d(np.arange(450), gaps)
        holed = np.repeat(quoted[:1], 450, axis=0)
        holed[keep] = quoted[:300]
        holed[gaps[::2], field], holed[gaps[1::2], field] = np.nan, np.inf
        found = feature(holed, **quick(feature))
        assert np.isnan(found[gaps]).all()
        assert found[keep].tobytes() == plain.tobytes()


@every_feature
def test_fields_it_does_not_need_may_be_missing(feature: BarFeature, quoted: FloatArray) -> None:
    changed = quoted[:200].copy()
    for field in set(range(9)) - set(feature.fields):
        changed[:, field] = np.nan
    assert np.isfinite(feature(changed, **quick(feature))[-1]).all()


@every_feature
def test_no_bars_give_no_values(feature: BarFeature) -> None:
    assert feature(np.empty((0, 9))).shape == (0, len(feature.outputs))


def test_columns_after_the_volume_are_not_looked_at(bars: FloatArray) -> None:
    wide = np.column_stack([bars[:50], np.full(50, np.nan)])
    assert ATR(wide).tobytes() == ATR(bars[:50]).tobytes()


def test_parameters_are_checked_by_name_kind_and_range(bars: FloatArray) -> None:
    with pytest.raises(FeatureError, match=r"macd has no parameter 'speed'\. It has: fast, slow, signal"):
        MACD(bars, speed=3)
    with pytest.raises(FeatureError, match=r"obv has no parameter 'length'\. It has: none"):
        OBV(bars, length=3)
    with pytest.raises(FeatureError, match=r"adx: length=1 is not usable\. Give a whole number from 2"):
        ADX(bars, length=1)
    with pytest.raises(FeatureError, match=r"atr: length=2\.5"):
        ATR(bars, length=2.5)
    with pytest.raises(FeatureError, match=r"bollinger: width=nan is not usable\. Give a number from 0"):
        BOLLINGER(bars, width=np.nan)
    with pytest.raises(FeatureError, match=r"macd: \[26\.0, 26\.0\] are out of order\. Use fast < slow"):
        MACD(bars, fast=26)


def test_bars_of_another_shape_are_refused() -> None:
    with pytest.raises(FeatureError, match=r"bars of shape \(5,\) do not fit"):
        ATR(np.ones(5))
    with pytest.raises(FeatureError, match=r"bars of shape \(9, 4\) do not fit"):
        ATR(np.ones((9, 4)))
    with pytest.raises(FeatureError, match=r"bars of shape \(9, 5\) do not fit\. Give \(T, 9\)"):
        ORDER_FLOW(np.ones((9, 5)))
