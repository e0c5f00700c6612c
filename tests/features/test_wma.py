import numpy as np
import pytest
import talib

from nt_ray.features.wma import WMA
from nt_ray.types import FloatArray


@pytest.mark.parametrize("length", [2, 20, 252])
def test_it_is_talibs(prices: FloatArray, length: int) -> None:
    for column in prices.T[:6]:
        column = np.ascontiguousarray(column)
        np.testing.assert_allclose(WMA(column, length=length), talib.WMA(column, length), rtol=1e-9)


def test_after_a_million_bars_it_has_not_drifted(walk: FloatArray) -> None:
    values, weights = WMA(walk, length=30), np.arange(1.0, 31.0) / 465.0
    windows = np.lib.stride_tricks.sliding_window_view(walk[-1000:], 30)
    np.testing.assert_allclose(values[-len(windows) :], windows @ weights, rtol=1e-14)


def test_a_window_of_one_is_the_series(prices: FloatArray) -> None:
    assert WMA(prices[:, 0], length=1).tolist() == prices[:, 0].tolist()
