import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nt_ray.errors import RiskError
from nt_ray.portfolio.moments.factor_covariance import FactorCovariance


@given(assets=st.integers(1, 12), factors=st.integers(1, 5), seed=st.integers(0, 2**32 - 1))
def test_products_without_the_matrix_equal_those_with_it(assets: int, factors: int, seed: int) -> None:
    draws = np.random.default_rng(seed)
    root = draws.normal(size=(factors, factors))
    form = FactorCovariance(draws.normal(size=(assets, factors)), root @ root.T, draws.uniform(0, 1, assets))
    weights = draws.normal(size=assets)
    whole = form.loadings @ form.factor_covariance @ form.loadings.T + np.diag(form.specific)
    np.testing.assert_allclose(form.dense(), whole, rtol=1e-12, atol=1e-12)
    assert np.array_equal(form.dense(), form.dense().T)
    np.testing.assert_allclose(form.times(weights), whole @ weights, rtol=1e-10, atol=1e-10)
    assert form.variance(weights) == pytest.approx(weights @ whole @ weights, rel=1e-9, abs=1e-12)
    assert (form.assets, form.factors) == (assets, factors)


@pytest.mark.parametrize(
    ("loadings", "factors", "specific", "words"),
    [
        (np.ones(3), np.eye(1), np.ones(3), "loadings have shape"),
        (np.ones((3, 2)), np.eye(3), np.ones(3), "for 2 factors"),
        (np.ones((3, 1)), np.eye(1), np.ones(2), "for 3 assets"),
        (np.ones((3, 1)), np.eye(1), np.array([1.0, -1e-9, 1.0]), "specific of asset 1"),
        (np.ones((3, 1)), np.eye(1), np.array([1.0, 1.0, np.nan]), r"specific at \(2,\)"),
        (np.ones((3, 2)), np.array([[1.0, 0.5], [0.4, 1.0]]), np.ones(3), "not symmetric"),
        (np.ones((3, 2)), np.array([[1.0, 2.0], [2.0, 1.0]]), np.ones(3), "eigenvalue -1"),
    ],
)
def test_what_is_no_covariance_is_refused(
    loadings: np.ndarray, factors: np.ndarray, specific: np.ndarray, words: str
) -> None:
    with pytest.raises(RiskError, match=words):
        FactorCovariance(loadings, factors, specific)
