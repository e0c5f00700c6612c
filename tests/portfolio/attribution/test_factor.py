import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from nt_ray.errors import RiskError
from nt_ray.portfolio.attribution.factor import attribute_factors, regress_exposures
from nt_ray.types import FloatArray


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32 - 1), periods=st.integers(1, 40), against=st.booleans())
def test_contributions_costs_and_residual_sum_to_the_compounded_return(seed: int, periods: int, against: bool) -> None:
    draws = np.random.default_rng(seed)
    factors, exposures = draws.normal(0, 0.02, (periods, 3)), draws.normal(0, 1, (periods, 3))
    returns = np.clip(draws.normal(0, 0.05, periods), -0.5, None)
    base = np.clip(draws.normal(0, 0.05, periods), -0.5, None)
    costs = draws.uniform(0, 0.001, periods)
    found = attribute_factors(returns, exposures, factors, costs=costs, benchmark=base if against else None)
    total = np.prod(1 + returns) - (np.prod(1 + base) if against else 1)
    assert found.total == pytest.approx(total, abs=1e-12)
    assert found.contributions.sum() + found.costs + found.residual == pytest.approx(total, abs=1e-12)
    assert found.costs <= 0


def test_one_period_by_hand() -> None:
    found = attribute_factors([0.05], [1.2, -0.5], [[0.03, 0.01]], factors=["market", "size"], costs=[0.001])
    np.testing.assert_allclose(found.contributions, [0.036, -0.005])
    assert (found.costs, found.residual) == (pytest.approx(-0.001), pytest.approx(0.02))
    assert found.factors == ("market", "size")


def test_factors_that_make_the_return_leave_nothing() -> None:
    draws = np.random.default_rng(1)
    factors = draws.normal(0, 0.01, (50, 2))
    found = attribute_factors(factors @ [0.5, 2.0], [0.5, 2.0], factors)
    assert found.residual == pytest.approx(0.0, abs=1e-15)
    assert found.explained == pytest.approx(1.0)


def test_exposures_are_regressed_as_by_statsmodels(stocks: FloatArray, index: FloatArray) -> None:
    factors = np.column_stack([index, stocks[:, 3]])
    fit = sm.OLS(stocks[:, 0], sm.add_constant(factors)).fit()
    exposures = regress_exposures(stocks[:, 0], factors)
    np.testing.assert_allclose(exposures, fit.params[1:], rtol=1e-8)
    assert attribute_factors(stocks[:, 0], exposures, factors).explained == pytest.approx(fit.rsquared, rel=1e-9)


def test_bad_input_is_refused() -> None:
    with pytest.raises(RiskError, match="3 periods of factors for 2 returns"):
        attribute_factors([0.1, 0.1], [1.0], np.ones((3, 1)))
    with pytest.raises(RiskError, match="Exposures have shape"):
        attribute_factors([0.1, 0.1], [1.0, 2.0], np.ones((2, 1)))
    with pytest.raises(RiskError, match="Costs"):
        attribute_factors([0.1, 0.1], [1.0], np.ones((2, 1)), costs=[-0.1, 0.0])
    with pytest.raises(RiskError, match="2 factor names for 1"):
        attribute_factors([0.1], [1.0], np.ones((1, 1)), factors=["a", "b"])
    with pytest.raises(RiskError, match="1 benchmark returns for 2"):
        attribute_factors([0.1, 0.1], [1.0], np.ones((2, 1)), benchmark=[0.1])
    with pytest.raises(RiskError, match="Only 1 of 2 factors"):
        regress_exposures([0.1, 0.2, 0.1, 0.3, 0.2], np.column_stack([np.arange(5), np.arange(5)]))
    with pytest.raises(RiskError, match="cannot be regressed"):
        regress_exposures([0.1, 0.2], np.ones((2, 2)))
