import numpy as np
import pytest
import talib

from nt_ray.features.zscore import ZSCORE
from nt_ray.types import FloatArray


@pytest.mark.parametrize("length", [5, 20, 100])
def test_it_is_the_place_between_talibs_bollinger_bands(prices: FloatArray, length: int) -> None:
    series = np.ascontiguousarray(np.diff(np.log(prices[:, 5])))
    upper, middle, _ = talib.BBANDS(series, timeperiod=length, nbdevup=2.0, nbdevdn=2.0, matype=0)
    expected = (series - middle) / (upper - middle) * 2.0
    np.testing.assert_allclose(ZSCORE(series, length=length), expected, rtol=1e-9, atol=1e-9)


def test_prices_score_as_in_their_windows(prices: FloatArray) -> None:
    for column in prices.T[:5]:
        windows = np.lib.stride_tricks.sliding_window_view(column, 20)
        expected = (column[19:] - windows.mean(axis=1)) / windows.std(axis=1)
        np.testing.assert_allclose(ZSCORE(column, length=20)[19:], expected, rtol=1e-8, atol=1e-8)


def test_a_flat_window_scores_nothing() -> None:
    assert ZSCORE(np.full(30, 0.1), length=10)[9:].tolist() == [0.0] * 21


def test_the_last_of_a_step_scores_by_closed_form() -> None:
    series = np.array([1.0] * 9 + [2.0])
    assert ZSCORE(series, length=10)[-1] == pytest.approx(3.0, rel=1e-12)
