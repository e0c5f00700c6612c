import numpy as np
import pytest

from nt_ray.features.base import Feature
from nt_ray.features.registry import FEATURES
from nt_ray.types import FloatArray

LENGTHS = (2, 5, 21)
every_feature = pytest.mark.parametrize("feature", FEATURES, ids=lambda f: f.name)


def series(feature: Feature, prices: FloatArray, bars: int = 400) -> list[FloatArray]:
    return [prices[:bars, i].copy() for i in range(feature.inputs)]


def stream(feature: Feature, columns: list[FloatArray], length: int) -> FloatArray:
    state = np.zeros(feature.state_size(length))
    return np.array([feature.update(state, *values, length) for values in zip(*columns, strict=True)])


def test_names_are_unique() -> None:
    assert len({f.name for f in FEATURES}) == len(FEATURES)


@every_feature
@pytest.mark.parametrize("length", LENGTHS)
def test_streaming_and_vectorised_agree_to_the_last_bit(feature: Feature, length: int, prices: FloatArray) -> None:
    columns = series(feature, prices)
    assert feature(*columns, length=length).tobytes() == stream(feature, columns, length).tobytes()


@every_feature
@pytest.mark.parametrize("change", [1e6, -1.0, np.nan, np.inf])
def test_the_future_changes_nothing_before_it(feature: Feature, change: float, prices: FloatArray) -> None:
    columns = series(feature, prices)
    before = feature(*columns, length=10)
    for row in (0, 1, 9, 10, 57, 399):
        for which in range(feature.inputs):
            changed = [c.copy() for c in columns]
            changed[which][row:] = change
            after = feature(*changed, length=10)
            assert after[:row].tobytes() == before[:row].tobytes()


@every_feature
def test_the_present_bar_counts(feature: Feature, prices: FloatArray) -> None:
    columns = series(feature, prices)
    changed = [c.copy() for c in columns]
    changed[0][300] *= 1.07
    assert feature(*changed, length=10)[300] != feature(*columns, length=10)[300]


@every_feature
@pytest.mark.parametrize("length", LENGTHS)
def test_only_the_warm_up_is_unknown_and_the_length_is_kept(feature: Feature, length: int, prices: FloatArray) -> None:
    # Prices near one stand still for days; a trend keeps every window moving.
    columns = [c + np.arange(400.0) for c in series(feature, prices)]
    values = feature(*columns, length=length)
    assert values.shape == columns[0].shape
    unknown = np.isnan(values)
    assert unknown[: length - 1].all()
    assert not unknown[length:].any()


@every_feature
def test_a_missing_value_is_no_bar(feature: Feature, prices: FloatArray) -> None:
    columns = series(feature, prices)
    plain = feature(*columns, length=7)
    for which in range(feature.inputs):
        gaps = np.random.default_rng(which).random(900).argsort()[:500]
        gaps.sort()
        holed = [np.full(900, np.nan) for _ in columns]
        keep = np.setdiff1d(np.arange(900), gaps)
        for column, hole in zip(columns, holed, strict=True):
            hole[keep] = column
        holed[which][gaps[::2]] = np.inf
        values = feature(*holed, length=7)
        assert np.isnan(values[gaps]).all()
        assert values[keep].tobytes() == plain.tobytes()


@every_feature
def test_a_series_shorter_than_the_window_stays_unknown(feature: Feature) -> None:
    columns = [np.arange(1.0, 5.0)] * feature.inputs
    assert np.isnan(feature(*columns, length=50)).all()
    assert feature(*[np.empty(0)] * feature.inputs, length=50).shape == (0,)
