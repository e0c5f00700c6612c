import numpy as np
import pytest
import talib

from nt_ray.features.roc import ROC
from nt_ray.types import FloatArray


@pytest.mark.parametrize("length", [1, 10, 252])
def test_it_is_talibs(prices: FloatArray, length: int) -> None:
    for column in prices.T:
        column = np.ascontiguousarray(column)
        found = ROC(column, length=length)
        np.testing.assert_allclose(found, talib.ROCP(column, length), rtol=1e-9, atol=1e-15)
        np.testing.assert_allclose(found * 100.0, talib.ROC(column, length), rtol=1e-9, atol=1e-13)


def test_a_change_from_zero_is_unknown() -> None:
    assert np.isnan(ROC(np.array([0.0, 1.0]), length=1)[1])
