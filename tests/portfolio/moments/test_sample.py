import numpy as np
import pytest

from nt_ray.errors import RiskError
from nt_ray.portfolio.moments.sample import ewma, sample
from nt_ray.types import FloatArray


def test_the_sample_covariance_is_that_of_numpy(stocks: FloatArray) -> None:
    np.testing.assert_allclose(sample(stocks), np.cov(stocks.T), rtol=1e-11)


def test_a_covariance_that_must_be_singular_is_given_only_on_demand(stocks: FloatArray) -> None:
    with pytest.raises(RiskError, match=r"20 periods cannot give 20 assets.*at least 21"):
        sample(stocks[:20])
    assert np.linalg.matrix_rank(sample(stocks[:20], singular=True)) == 19
    assert np.linalg.matrix_rank(sample(stocks[:21])) == 20


def test_the_weighted_covariance_follows_the_recursion_of_riskmetrics(stocks: FloatArray) -> None:
    """s(t) = 0.94 s(t-1) + 0.06 r(t) r(t)', RiskMetrics Technical Document (1996), equations 5.3 and 5.6; after
    1,500 days the value it starts from is forgotten."""
    matrix = np.zeros((20, 20))
    for row in stocks:
        matrix = 0.94 * matrix + 0.06 * np.outer(row, row)
    np.testing.assert_allclose(ewma(stocks), matrix, rtol=1e-12)


def test_short_series_are_weighted_to_one() -> None:
    """Three days by hand: weights 1, 1/2, 1/4 over 7/4."""
    returns = np.array([[0.01, 0.02], [-0.02, 0.01], [0.03, -0.01]])
    expected = (4 * np.outer(returns[2], returns[2]) + 2 * np.outer(returns[1], returns[1])
                + np.outer(returns[0], returns[0])) / 7  # fmt: skip
    np.testing.assert_allclose(ewma(returns, decay=0.5), expected, rtol=1e-14)


@pytest.mark.parametrize("decay", [0.0, 1.0, -0.1, np.nan])
def test_a_decay_outside_zero_and_one_is_refused(decay: float) -> None:
    with pytest.raises(RiskError, match="decay"):
        ewma(np.ones((3, 2)), decay=decay)


def test_missing_periods_are_refused() -> None:
    with pytest.raises(RiskError, match=r"Returns at \(1, 0\): nan"):
        sample([[0.1, 0.2], [np.nan, 0.1], [0.1, 0.1], [0.2, 0.4]])
