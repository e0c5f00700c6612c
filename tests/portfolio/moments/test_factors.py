import numpy as np
import pytest
import statsmodels.api as sm
from sklearn.decomposition import PCA

from nt_ray.errors import RiskError
from nt_ray.portfolio.moments.factors import given_factors, principal_factors
from nt_ray.types import FloatArray


def test_given_factors_are_regressed_as_by_statsmodels(stocks: FloatArray, index: FloatArray) -> None:
    factors = np.column_stack([index, index**2])
    form = given_factors(stocks, factors)
    for asset in (0, 7):
        fit = sm.OLS(stocks[:, asset], sm.add_constant(factors)).fit()
        np.testing.assert_allclose(form.loadings[asset], fit.params[1:], rtol=1e-8)
        assert form.specific[asset] == pytest.approx(fit.scale, rel=1e-10)
    np.testing.assert_allclose(form.factor_covariance, np.cov(factors.T), rtol=1e-10)


@pytest.mark.parametrize("periods", [1500, 12])
def test_principal_factors_are_those_of_scikit_learn(stocks: FloatArray, periods: int) -> None:
    form = principal_factors(stocks[:periods], count=3)
    fit = PCA(3, svd_solver="full").fit(stocks[:periods])
    np.testing.assert_allclose(form.factor_covariance.diagonal(), fit.explained_variance_, rtol=1e-9)
    np.testing.assert_allclose(np.abs(form.loadings), np.abs(fit.components_.T), atol=1e-7)
    np.testing.assert_allclose(form.dense().diagonal(), stocks[:periods].var(axis=0, ddof=1), rtol=1e-10)


def test_as_many_components_as_assets_are_the_sample_covariance(stocks: FloatArray) -> None:
    np.testing.assert_allclose(principal_factors(stocks, count=20).dense(), np.cov(stocks.T), rtol=1e-9, atol=1e-16)


def test_what_cannot_be_estimated_is_refused(stocks: FloatArray, index: FloatArray) -> None:
    with pytest.raises(RiskError, match="Only 1 of 2 factors"):
        given_factors(stocks, np.column_stack([index, -2.0 * index]))
    with pytest.raises(RiskError, match="same periods"):
        given_factors(stocks, index[:-1, None])
    with pytest.raises(RiskError, match="at least 4"):
        given_factors(stocks[:3], np.column_stack([index, index**2])[:3])
    for count in (0, 21, 1.5):
        with pytest.raises(RiskError, match="Give 1 to 20"):
            principal_factors(stocks, count=count)  # type: ignore[arg-type]
