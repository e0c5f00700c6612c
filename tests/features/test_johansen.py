import math

import numpy as np
import pytest
from statsmodels.tsa.vector_ar.vecm import coint_johansen

from nt_ray.features.johansen import BETA, FIT_SIZE, TRACE, TRACE_OF_ONE, critical_value, fit, minimum_window
from nt_ray.types import FloatArray


def fitted(a: FloatArray, b: FloatArray, lags: int) -> FloatArray:
    out = np.zeros(FIT_SIZE)
    fit(np.ascontiguousarray(a), np.ascontiguousarray(b), lags, out)
    return out


@pytest.mark.parametrize("lags", [1, 2, 5])
@pytest.mark.parametrize("start", [0, 3000, 8000])
def test_statistics_and_relation_are_statsmodels_on_real_prices(prices: FloatArray, lags: int, start: int) -> None:
    logs = np.log(prices[start : start + 252])
    for i in range(0, 20, 4):
        expected = coint_johansen(logs[:, [i, i + 1]], 0, lags)
        out = fitted(logs[:, i], logs[:, i + 1], lags)
        np.testing.assert_allclose(out[[TRACE, TRACE_OF_ONE]], expected.lr1, rtol=1e-6)
        relation = expected.evec[:, 0]
        assert out[BETA] == pytest.approx(-relation[1] / relation[0], rel=1e-5)


def test_without_lags_the_eigenvalues_are_squared_canonical_correlations() -> None:
    a, b = np.random.default_rng(3).normal(size=(2, 300)).cumsum(axis=1)
    levels, steps = np.column_stack([a, b])[:-1], np.diff(np.column_stack([a, b]), axis=0)
    first = np.linalg.qr(levels - levels.mean(axis=0))[0]
    second = np.linalg.qr(steps - steps.mean(axis=0))[0]
    correlations = np.linalg.svd(first.T @ second)[1]
    assert fitted(a, b, 0)[TRACE] == pytest.approx(-299 * np.log(1.0 - correlations**2).sum(), rel=1e-9)


def test_critical_values_are_the_published_ones() -> None:
    pair = np.random.default_rng(4).normal(size=(100, 2)).cumsum(axis=0)
    ten, five, one = coint_johansen(pair, 0, 1).cvt[0]
    assert [critical_value(level) for level in (10, 5, 1)] == [ten, five, one]
    assert math.isnan(critical_value(2))


def test_it_finds_a_relation_and_its_ratio_and_seldom_one_that_is_not_there() -> None:
    generator = np.random.default_rng(8)
    false, found, ratios = 0, 0, []
    for _ in range(200):
        a, b = generator.normal(size=(2, 250)).cumsum(axis=1)
        false += fitted(a, b, 1)[TRACE] > critical_value(5)
        out = fitted(1.5 * b + 2.0 + generator.normal(size=250), b, 1)
        found += out[TRACE] > critical_value(1)
        ratios.append(out[BETA])
    assert false < 24
    assert found >= 198
    assert np.median(ratios) == pytest.approx(1.5, abs=0.03)


def test_there_is_no_test_without_movement_or_two_series() -> None:
    walk = np.random.default_rng(22).normal(size=100).cumsum()
    assert np.isnan(fitted(walk, np.ones(100), 1)).all()
    assert np.isnan(fitted(2.0 * walk + 1.0, walk, 1)).all()


@pytest.mark.parametrize("lags", [0, 1, 5])
def test_the_shortest_window_is_the_one_it_says(lags: int) -> None:
    n = minimum_window(lags)
    a, b = np.random.default_rng(23).normal(size=(2, n)).cumsum(axis=1)
    assert np.isfinite(fitted(a, b, lags)).all()
    assert np.isnan(fitted(a[1:], b[1:], lags)).all()
