import numpy as np
import pytest
import talib

from nt_ray.features.ema import EMA
from nt_ray.types import FloatArray


@pytest.mark.parametrize("length", [2, 12, 200])
def test_it_is_talibs(prices: FloatArray, length: int) -> None:
    for column in prices.T:
        expected = talib.EMA(np.ascontiguousarray(column), length)
        np.testing.assert_allclose(EMA(column, length=length), expected, rtol=1e-9)


def test_a_constant_is_its_own_average() -> None:
    assert EMA(np.full(500, 0.1), length=9)[8:].tolist() == [0.1] * 492
