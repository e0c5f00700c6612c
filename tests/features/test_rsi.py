import numpy as np
import pytest
import talib

from nt_ray.features.rsi import RSI
from nt_ray.types import FloatArray


@pytest.mark.parametrize("length", [2, 14, 100])
def test_it_is_talibs(prices: FloatArray, length: int) -> None:
    for column in prices.T:
        column = np.ascontiguousarray(column)
        expected = talib.RSI(column, length)
        # Until the first change TA-Lib says 0; a series that stands still is at 50 here.
        moved = np.abs(np.diff(column, prepend=column[0])).cumsum() > 0.0
        np.testing.assert_allclose(RSI(column, length=length)[moved], expected[moved], rtol=1e-9, atol=1e-9)


def test_only_rises_give_a_hundred_only_falls_nothing_and_no_move_fifty() -> None:
    assert RSI(np.arange(1.0, 20.0), length=5)[-1] == 100.0
    assert RSI(-np.arange(1.0, 20.0), length=5)[-1] == 0.0
    assert RSI(np.ones(20), length=5)[-1] == 50.0
