import math

import numpy as np
import pytest
from statsmodels.tsa.adfvalues import mackinnoncrit
from statsmodels.tsa.stattools import adfuller, coint

from nt_ray.features.engle_granger import (
    ALPHA,
    BETA,
    DEVIATION,
    FIT_SIZE,
    MEAN,
    STATISTIC,
    critical_value,
    dickey_fuller,
    fit,
    minimum_window,
)
from nt_ray.types import FloatArray


def fitted(a: FloatArray, b: FloatArray, lags: int) -> FloatArray:
    out = np.zeros(FIT_SIZE)
    fit(np.ascontiguousarray(a), np.ascontiguousarray(b), lags, out)
    return out


@pytest.mark.parametrize("lags", [0, 1, 2, 5])
@pytest.mark.parametrize("start", [0, 3000, 8000])
def test_the_statistic_is_statsmodels_on_real_prices(prices: FloatArray, lags: int, start: int) -> None:
    log_prices = np.log(prices[start : start + 252])
    for i in range(0, 20, 4):
        a, b = log_prices[:, i], log_prices[:, i + 1]
        expected = coint(a, b, trend="c", maxlag=lags, autolag=None)[0]
        assert fitted(a, b, lags)[STATISTIC] == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("lags", [0, 1, 4])
def test_dickey_fuller_is_statsmodels(lags: int) -> None:
    series = np.random.default_rng(lags).normal(size=120).cumsum()
    expected = adfuller(series, maxlag=lags, regression="n", autolag=None, result_object=False)[0]
    assert dickey_fuller(series, lags) == pytest.approx(expected, rel=1e-9)


def test_the_regression_is_least_squares(prices: FloatArray) -> None:
    a, b = np.log(prices[:300, 0]), np.log(prices[:300, 1])
    out = fitted(a, b, 1)
    slope, constant = np.polyfit(b, a, 1)
    residuals = a - slope * b - constant
    assert out[BETA] == pytest.approx(slope, rel=1e-10)
    assert out[ALPHA] == pytest.approx(constant, rel=1e-10)
    assert out[MEAN] == pytest.approx(0.0, abs=1e-13)
    assert out[DEVIATION] == pytest.approx(residuals.std(), rel=1e-10)


@pytest.mark.parametrize("observations", [29, 100, 251, 5000])
def test_critical_values_are_mackinnons(observations: int) -> None:
    expected = mackinnoncrit(N=2, regression="c", nobs=observations)
    for level, value in zip((1, 5, 10), expected, strict=True):
        assert critical_value(level, observations) == pytest.approx(value, rel=1e-12)
    assert math.isnan(critical_value(2, observations))


def test_independent_walks_are_rejected_as_often_as_the_level_says() -> None:
    generator = np.random.default_rng(20)
    trials, rejected = 2000, 0
    for _ in range(trials):
        a, b = generator.normal(size=(2, 150)).cumsum(axis=1)
        rejected += fitted(a, b, 1)[STATISTIC] < critical_value(5, 149)
    # Five percent, within four standard errors.
    assert abs(rejected / trials - 0.05) < 4.0 * math.sqrt(0.05 * 0.95 / trials)


def test_a_cointegrated_pair_is_found_nearly_always_with_its_hedge_ratio() -> None:
    generator = np.random.default_rng(21)
    found, ratios = 0, []
    for _ in range(200):
        b = generator.normal(size=250).cumsum()
        a = 1.5 * b + 2.0 + generator.normal(size=250)
        out = fitted(a, b, 1)
        found += out[STATISTIC] < critical_value(1, 249)
        ratios.append(out[BETA])
    assert found >= 198
    assert np.mean(ratios) == pytest.approx(1.5, abs=0.03)


def test_there_is_no_test_without_movement_or_residuals() -> None:
    walk = np.random.default_rng(22).normal(size=100).cumsum()
    assert math.isnan(fitted(walk, np.ones(100), 1)[STATISTIC])
    assert math.isnan(fitted(np.ones(100), walk, 1)[STATISTIC])
    assert math.isnan(fitted(2.0 * walk + 1.0, walk, 1)[STATISTIC])


@pytest.mark.parametrize("lags", [0, 1, 5])
def test_the_shortest_window_is_the_one_it_says(lags: int) -> None:
    n = minimum_window(lags)
    a, b = np.random.default_rng(23).normal(size=(2, n)).cumsum(axis=1)
    assert math.isfinite(fitted(a, b, lags)[STATISTIC])
    assert np.isnan(fitted(a[1:], b[1:], lags)).all()
