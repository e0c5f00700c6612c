import math

import numpy as np
import pytest
from statsmodels.tsa.adfvalues import mackinnoncrit
from statsmodels.tsa.stattools import adfuller

from nt_ray.features.adf import critical_value, statistic
from nt_ray.types import FloatArray


@pytest.mark.parametrize("lags", [0, 1, 4])
@pytest.mark.parametrize("start", [0, 4000])
def test_the_statistic_is_statsmodels_on_real_prices(prices: FloatArray, lags: int, start: int) -> None:
    for column in range(0, 20, 5):
        series = np.log(prices[start : start + 252, column])
        expected = adfuller(series, maxlag=lags, regression="c", autolag=None, result_object=False)[0]
        assert statistic(series, lags) == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize("observations", [29, 251, 5000])
def test_critical_values_are_mackinnons(observations: int) -> None:
    expected = mackinnoncrit(N=1, regression="c", nobs=observations)
    for level, value in zip((1, 5, 10), expected, strict=True):
        assert critical_value(level, observations) == pytest.approx(value, rel=1e-4)
    assert math.isnan(critical_value(2, observations))


def test_there_is_no_test_without_movement_or_freedom() -> None:
    assert math.isnan(statistic(np.ones(100), 1))
    assert math.isnan(statistic(np.random.default_rng(1).normal(size=6), 2))
