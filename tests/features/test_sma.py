import math

import numpy as np
import pytest
import talib

from nt_ray.features.sma import SMA
from nt_ray.types import FloatArray


@pytest.mark.parametrize("length", [2, 20, 252])
def test_it_is_talibs(prices: FloatArray, length: int) -> None:
    for column in prices.T:
        expected = talib.SMA(np.ascontiguousarray(column), length)
        np.testing.assert_allclose(SMA(column, length=length), expected, rtol=1e-9)


@pytest.mark.parametrize("length", [7, 200])
def test_after_a_million_bars_it_is_still_the_exact_mean(walk: FloatArray, length: int) -> None:
    values = SMA(walk, length=length)
    for end in range(len(walk) - 2000, len(walk) + 1):
        assert values[end - 1] == math.fsum(walk[end - length : end]) / length


def test_a_giant_that_has_left_leaves_no_trace() -> None:
    series = np.full(100, 0.1)
    series[10] = 1e15
    values = SMA(series, length=5)
    assert values[15] == math.fsum([0.1] * 5) / 5
    assert values[-1] == values[9]


def test_a_window_of_one_is_the_series(prices: FloatArray) -> None:
    assert SMA(prices[:, 0], length=1).tolist() == prices[:, 0].tolist()
