import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.covariance import ledoit_wolf as sklearn_ledoit_wolf
from sklearn.covariance import oas as sklearn_oas

from nt_ray.portfolio.moments.shrinkage import ledoit_wolf, oas, shrink_ledoit_wolf, shrink_oas
from nt_ray.types import FloatArray


@settings(max_examples=40)
@given(
    periods=st.integers(2, 80), assets=st.integers(2, 60), scale=st.sampled_from([1e-4, 0.01, 50.0]),
    seed=st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_both_are_those_of_scikit_learn(periods: int, assets: int, scale: float, seed: int) -> None:
    draws = np.random.default_rng(seed)
    returns = scale * (draws.normal(size=(periods, 2)) @ draws.normal(size=(2, assets)) + draws.normal(size=assets))
    returns += scale * draws.normal(size=(periods, assets))
    for ours, theirs in ((shrink_ledoit_wolf, sklearn_ledoit_wolf), (shrink_oas, sklearn_oas)):
        shrunk, (covariance, intensity) = ours(returns), theirs(returns)
        assert shrunk.intensity == pytest.approx(intensity, abs=1e-11)
        np.testing.assert_allclose(shrunk.covariance, covariance, rtol=0, atol=1e-11 * np.abs(covariance).max())


def test_real_returns_agree_to_twelve_digits(stocks: FloatArray) -> None:
    covariance, intensity = sklearn_ledoit_wolf(stocks)
    assert shrink_ledoit_wolf(stocks).intensity == pytest.approx(intensity, rel=1e-12)
    np.testing.assert_allclose(ledoit_wolf(stocks), covariance, rtol=1e-12, atol=1e-18)
    np.testing.assert_allclose(oas(stocks), sklearn_oas(stocks)[0], rtol=1e-12, atol=1e-18)


def test_fewer_periods_than_assets_still_give_a_matrix_that_can_be_inverted(stocks: FloatArray) -> None:
    for estimator in (ledoit_wolf, oas):
        np.linalg.cholesky(estimator(stocks[:10]))


def test_one_asset_has_its_own_variance(stocks: FloatArray) -> None:
    for estimator in (ledoit_wolf, oas):
        np.testing.assert_allclose(estimator(stocks[:, :1]), [[stocks[:, 0].var()]], rtol=1e-12)


def test_returns_that_never_change_have_no_covariance() -> None:
    for estimator in (ledoit_wolf, oas):
        assert not estimator(np.full((5, 3), 0.25)).any()
