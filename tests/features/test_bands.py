import numpy as np
import pandas as pd
import pytest
import talib

from nt_ray.features.bollinger import BOLLINGER
from nt_ray.features.cci import CCI
from nt_ray.features.donchian import DONCHIAN
from nt_ray.features.hv import HV
from nt_ray.features.keltner import KELTNER
from nt_ray.features.macd import MACD
from nt_ray.features.stochastic import STOCHASTIC
from nt_ray.features.williams_r import WILLIAMS_R
from nt_ray.types import FloatArray

FLAT = np.tile([0.1, 0.1, 0.1, 0.1, 5.0], (60, 1))
"""Bars that do not move, at a price that binary floats cannot hold."""


def test_keltner_is_talibs_mean_and_range(bars: FloatArray) -> None:
    _, high, low, close, _ = (np.ascontiguousarray(c) for c in bars.T)
    middle, reach = talib.EMA(close, 20), talib.ATR(high, low, close, 10)
    expected = np.column_stack([middle + 1.5 * reach, middle, middle - 1.5 * reach])
    np.testing.assert_allclose(KELTNER(bars, width=1.5), expected, rtol=1e-9)


@pytest.mark.parametrize("length", [2, 20, 120])
def test_historical_volatility_is_pandas(bars: FloatArray, length: int) -> None:
    returns = pd.Series(np.log(bars[:, 3])).diff()
    expected = returns.rolling(length).std() * np.sqrt(252)
    np.testing.assert_allclose(HV(bars, length=length)[:, 0], expected, rtol=1e-6)


def test_a_close_that_is_not_positive_is_no_bar_for_volatility(bars: FloatArray) -> None:
    holed = np.insert(bars[:100], [30, 60], 0.0, axis=0)
    found = HV(holed, length=10)[:, 0]
    assert np.isnan(found[[30, 61]]).all()
    kept = np.delete(found, [30, 61])
    np.testing.assert_array_equal(kept, HV(bars[:100], length=10)[:, 0])


def test_percent_b_is_the_place_between_the_bands(bars: FloatArray) -> None:
    upper, _, lower, place = BOLLINGER(bars).T
    np.testing.assert_allclose(place, (bars[:, 3] - lower) / (upper - lower), rtol=1e-8, atol=1e-9)


def test_the_middle_of_the_channel_is_halfway(bars: FloatArray) -> None:
    upper, middle, lower = DONCHIAN(bars, length=10).T
    np.testing.assert_allclose(middle, (upper + lower) / 2, rtol=1e-15)


def test_the_histogram_is_line_less_signal(bars: FloatArray) -> None:
    line, signal, histogram = MACD(bars).T
    np.testing.assert_array_equal(histogram, line - signal)


def test_flat_bars_stand_in_the_middle_of_everything() -> None:
    assert STOCHASTIC(FLAT)[-1].tolist() == [pytest.approx(50.0)] * 2
    assert WILLIAMS_R(FLAT)[-1, 0] == -50.0
    assert CCI(FLAT)[-1, 0] == 0.0
    assert BOLLINGER(FLAT)[-1, 3] == 0.5
    assert HV(FLAT)[-1, 0] == 0.0
    assert KELTNER(FLAT)[-1].tolist() == [pytest.approx(0.1)] * 3
