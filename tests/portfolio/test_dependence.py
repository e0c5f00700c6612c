import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import dblquad
from scipy.stats import kendalltau, multivariate_normal, norm

from nt_ray.errors import RiskError
from nt_ray.portfolio.dependence import exceedance_correlation, kendall, tail_dependence
from nt_ray.types import FloatArray


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32 - 1), periods=st.integers(2, 60), levels=st.sampled_from([2, 5, 1000]))
def test_kendall_is_that_of_scipy_with_and_without_ties(seed: int, periods: int, levels: int) -> None:
    returns = np.random.default_rng(seed).integers(0, levels, (periods, 3)) * 0.01
    found = kendall(returns)
    for i in range(3):
        for j in range(3):
            if np.ptp(returns[:, i]) == 0 or np.ptp(returns[:, j]) == 0:
                assert np.isnan(found[i, j])
            else:
                assert found[i, j] == pytest.approx(kendalltau(returns[:, i], returns[:, j])[0], abs=1e-12)


def test_kendall_of_real_returns_is_that_of_scipy(stocks: FloatArray) -> None:
    found = kendall(stocks[:, :6])
    assert found[4, 1] == pytest.approx(kendalltau(stocks[:, 4], stocks[:, 1])[0], abs=1e-12)
    assert np.array_equal(found, found.T)


def gaussian(correlation: float, periods: int, seed: int = 1) -> np.ndarray:
    draws = np.random.default_rng(seed).normal(size=(periods, 2))
    draws[:, 1] = correlation * draws[:, 0] + (1 - correlation**2) ** 0.5 * draws[:, 1]
    return draws


@pytest.mark.parametrize("correlation", [0.0, 0.7])
def test_gaussian_tails_depend_as_the_bivariate_distribution_says(correlation: float) -> None:
    periods, quantile = 200_000, 0.05
    place = norm.ppf(quantile)
    joint = multivariate_normal(cov=[[1, correlation], [correlation, 1]]).cdf([place, place])
    found = tail_dependence(gaussian(correlation, periods), quantile=quantile)[0, 1]
    error = (joint * (1 - joint) / periods) ** 0.5 / quantile
    assert found == pytest.approx(joint / quantile, abs=4 * error)


def test_assets_that_fall_together_have_full_tail_dependence() -> None:
    base = np.random.default_rng(2).normal(size=100)
    found = tail_dependence(np.column_stack([base, np.exp(base), -base]))
    np.testing.assert_array_equal(found, [[1, 1, 0], [1, 1, 0], [0, 0, 1]])


@pytest.mark.parametrize("threshold", [-1.0, 0.5])
def test_gaussian_exceedances_correlate_as_the_truncated_distribution_says(threshold: float) -> None:
    """Numerical integration over the corner in which both lie beyond the threshold."""
    correlation = 0.6
    law = multivariate_normal(cov=[[1, correlation], [correlation, 1]])
    low, high = (threshold, 7.0) if threshold > 0 else (-7.0, threshold)

    def moment(i: int, j: int) -> float:
        return float(dblquad(lambda y, x: x**i * y**j * density(x, y), low, high, low, high, epsabs=1e-7)[0])

    def density(x: float, y: float) -> float:
        away = (x * x - 2 * correlation * x * y + y * y) / (1 - correlation**2)
        return float(np.exp(-0.5 * away) / (2 * np.pi * (1 - correlation**2) ** 0.5))

    assert density(0.3, -0.4) == pytest.approx(law.pdf([0.3, -0.4]))
    mass, first, second, cross = moment(0, 0), moment(1, 0), moment(2, 0), moment(1, 1)
    expected = (cross / mass - (first / mass) ** 2) / (second / mass - (first / mass) ** 2)
    found = exceedance_correlation(gaussian(correlation, 400_000), threshold=threshold)[0, 1]
    assert found == pytest.approx(expected, abs=0.02)
    assert found < correlation


def test_too_few_common_periods_give_nan() -> None:
    found = exceedance_correlation(gaussian(0.0, 100), threshold=-2.0)
    assert np.isnan(found[0, 1])
    assert found[0, 0] == 1.0


def test_bad_requests_are_refused(stocks: FloatArray) -> None:
    with pytest.raises(RiskError, match=r"quantile=0\.6"):
        tail_dependence(stocks, quantile=0.6)
    with pytest.raises(RiskError, match="tail of 10 periods"):
        tail_dependence(stocks[:10])
    with pytest.raises(RiskError, match="Asset 0 does not vary"):
        exceedance_correlation(np.full((30, 2), 0.1))
    with pytest.raises(RiskError, match="least=1"):
        exceedance_correlation(stocks, least=1)
