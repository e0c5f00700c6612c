import numpy as np
import pytest
import talib
from statsmodels.regression.rolling import RollingOLS
from statsmodels.tools import add_constant

from nt_ray.features.ols import HEDGE_RATIO
from nt_ray.types import FloatArray


@pytest.mark.parametrize("length", [5, 60])
def test_it_is_rolling_least_squares(prices: FloatArray, length: int) -> None:
    y, x = np.log(prices[:1500, 0]), np.log(prices[:1500, 1])
    expected = RollingOLS(y, add_constant(x), window=length).fit(params_only=True).params[:, 1]
    found = HEDGE_RATIO(y, x, length=length)
    flat = np.ptp(np.lib.stride_tricks.sliding_window_view(x, length), axis=1) == 0.0
    assert np.flatnonzero(np.isnan(found[length - 1 :])).tolist() == np.flatnonzero(flat).tolist()
    # Where x hardly moves the oracle itself is short of digits.
    slope = ~np.isnan(found)
    np.testing.assert_allclose(found[slope], expected[slope], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("length", [2, 14, 100])
def test_against_time_it_is_talibs_slope(prices: FloatArray, length: int) -> None:
    y = np.ascontiguousarray(prices[:, 2])
    expected = talib.LINEARREG_SLOPE(y, length)
    found = HEDGE_RATIO(y, np.arange(len(y), dtype=np.float64), length=length)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-11)


def test_an_exact_line_has_its_exact_slope_however_far_from_zero() -> None:
    x = np.random.default_rng(5).integers(-50, 50, 5000) + 2.0**30
    found = HEDGE_RATIO(3.0 * x - 7.0, x, length=40)
    np.testing.assert_allclose(found[39:], 3.0, rtol=1e-12)


def test_there_is_no_slope_on_something_that_does_not_move() -> None:
    assert np.isnan(HEDGE_RATIO(np.arange(20.0), np.full(20, 0.1), length=6)).all()
