import numpy as np
import pytest
import talib

from nt_ray.features.momentum import MOMENTUM
from nt_ray.types import FloatArray


@pytest.mark.parametrize("length", [1, 10, 252])
def test_it_is_talibs(prices: FloatArray, length: int) -> None:
    for column in prices.T[:6]:
        column = np.ascontiguousarray(column)
        np.testing.assert_array_equal(MOMENTUM(column, length=length), talib.MOM(column, length))
