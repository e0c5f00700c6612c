import numpy as np
import pytest
import talib

from nt_ray.features.stddev import STDDEV
from nt_ray.types import FloatArray


@pytest.mark.parametrize("length", [2, 20, 252])
def test_it_is_the_deviation_of_each_window(prices: FloatArray, length: int) -> None:
    column = np.ascontiguousarray(prices[:, 3])
    windows = np.lib.stride_tricks.sliding_window_view(column, length)
    found = STDDEV(column, length=length)[length - 1 :]
    np.testing.assert_allclose(found, windows.std(axis=1), rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("length", [5, 20])
def test_it_is_talibs(prices: FloatArray, length: int) -> None:
    # TA-Lib subtracts the squared mean from the mean square, which costs it half its digits on prices; on
    # returns it keeps enough of them to compare.
    returns = np.ascontiguousarray(np.diff(np.log(prices[:, 0])))
    expected = talib.STDDEV(returns, length)
    np.testing.assert_allclose(STDDEV(returns, length=length), expected, rtol=1e-9)


def test_a_level_a_billion_times_the_noise_does_not_drown_it(walk: FloatArray) -> None:
    noise = np.rint(walk * 64.0) / 64.0
    lifted = STDDEV(noise + 2.0**36, length=30)
    np.testing.assert_allclose(lifted[-5000:], STDDEV(noise, length=30)[-5000:], rtol=1e-11)


@pytest.mark.parametrize("level", [0.0, 0.1, 1e-9, 123456.789])
def test_a_flat_window_has_no_deviation(level: float) -> None:
    series = np.concatenate([np.arange(10.0), np.full(20, level)])
    assert STDDEV(series, length=7)[16:].tolist() == [0.0] * 14
