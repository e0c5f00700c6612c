from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nt_ray.features.pattern import PATTERN
from nt_ray.features.similarity import cosine, standardise, warped
from nt_ray.types import FloatArray


def shape(values: FloatArray) -> FloatArray:
    copy = np.array(values, dtype=np.float64)
    assert standardise(copy)
    return copy


def least_cost(a: FloatArray, b: FloatArray, band: int) -> float:
    """Least sum of squared differences along a warping path, by its recursion."""

    @cache
    def cost(i: int, j: int) -> float:
        if i < 0 or j < 0 or abs(i - j) > band:
            return 0.0 if i == j == -1 else np.inf
        return float((a[i] - b[j]) ** 2) + min(cost(i - 1, j), cost(i, j - 1), cost(i - 1, j - 1))

    return cost(len(a) - 1, len(b) - 1)


def pairs(seed: int, n: int) -> tuple[FloatArray, FloatArray]:
    a, b = np.random.default_rng(seed).normal(size=(2, n)).cumsum(axis=1)
    return shape(a), shape(b)


@given(st.integers(0, 10_000), st.integers(3, 25), st.integers(0, 8))
def test_warping_is_the_least_path_and_never_below_the_correlation(seed: int, n: int, band: int) -> None:
    a, b = pairs(seed, n)
    found = warped(a, b, band)
    assert found == pytest.approx(1.0 - least_cost(a, b, band) / (2 * n), rel=1e-9, abs=1e-12)
    assert cosine(a, b) == pytest.approx(np.corrcoef(a, b)[0, 1], rel=1e-9, abs=1e-12)
    assert cosine(a, b) - 1e-12 <= found <= 1.0
    assert warped(a, b, 0) == pytest.approx(cosine(a, b), abs=1e-12)
    assert found == pytest.approx(warped(b, a, band), abs=1e-12)


def test_a_shape_has_no_level_and_no_size() -> None:
    values = np.array([3.0, 1.0, 4.0, 1.0, 5.0, 9.0])
    np.testing.assert_allclose(shape(7.0 * values + 100.0), shape(values), rtol=1e-12)
    assert shape(values).mean() == pytest.approx(0.0, abs=1e-15)
    assert shape(values).std() == pytest.approx(1.0)
    assert cosine(shape(values), shape(-values)) == pytest.approx(-1.0)


@pytest.mark.parametrize("level", [0.0, 0.1, 1e9])
def test_what_does_not_move_has_no_shape(level: float) -> None:
    flat = np.full(9, level)
    assert not standardise(flat)
    assert flat.tolist() == [0.0] * 9


def test_a_shifted_bump_is_recognised_by_warping_alone() -> None:
    bump = np.exp(-0.5 * (np.arange(30.0) - 12.0) ** 2 / 4.0)
    late = np.exp(-0.5 * (np.arange(30.0) - 15.0) ** 2 / 4.0)
    assert cosine(shape(bump), shape(late)) < 0.6
    assert warped(shape(bump), shape(late), 3) > 0.99


def test_the_pattern_feature_finds_the_stretch_that_was_put_there(bars: FloatArray) -> None:
    series = bars[:400].copy()
    series[360:380, 3] = 3.0 * series[300:320, 3] + 50.0
    found = PATTERN(series, length=20, lookback=100, band=3)
    assert found[379].tolist() == [pytest.approx(1.0), 60.0]


def test_the_pattern_feature_is_the_best_of_all_stretches(bars: FloatArray) -> None:
    closes = bars[:120, 3]
    found = PATTERN(bars[:120], length=8, lookback=15, band=2)
    for t in range(2 * 8 + 15 - 2, 120):
        present = shape(closes[t - 7 : t + 1])
        ends = range(t - 8, t - 8 - 15, -1)
        scores = [1.0 - least_cost(present, shape(closes[e - 7 : e + 1]), 2) / 16 for e in ends]
        assert found[t, 0] == pytest.approx(max(scores), rel=1e-9)
        assert found[t, 1] == 8 + int(np.argmax(scores))
    assert np.isnan(found[: 2 * 8 + 15 - 2]).all()
