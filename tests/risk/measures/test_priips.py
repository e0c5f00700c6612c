import math

import numpy as np
import pytest
from scipy import stats

from nt_ray.errors import RiskError
from nt_ray.risk.measures.cornish_fisher import expansion
from nt_ray.risk.measures.priips import market_risk, prescribed_var


def test_the_prescribed_coefficients_are_those_of_the_expansion_at_the_chosen_quantile() -> None:
    # Regulation (EU) 2017/653 rounds -1.96, 0.474, -0.0687, 0.146: w(z) at 2.5 % by skewness, kurtosis and its square.
    z = np.array(stats.norm.ppf(0.025))
    assert float(expansion(z, 0.0, 0.0)) == pytest.approx(-1.96, abs=5e-4)
    by_kurtosis = float(expansion(z, 0.0, 1.0) - expansion(z, 0.0, 0.0))
    even = float(expansion(z, 1.0, 0.0) + expansion(z, -1.0, 0.0)) / 2.0 - float(z)
    odd = float(expansion(z, 1.0, 0.0) - expansion(z, -1.0, 0.0)) / 2.0
    assert (odd, by_kurtosis, even) == pytest.approx((0.474, -0.0687, 0.146), abs=6e-4)
    assert prescribed_var(0.01, -1.0, 2.0, 1) == pytest.approx(0.01 * (-1.96 - 0.474 - 0.1374 + 0.146) - 0.00005)


def test_a_normal_product_has_its_own_volatility_and_class() -> None:
    rng = np.random.default_rng(0)
    logs = rng.normal(0.0, 1.0, 20_000)
    logs = 0.15 / math.sqrt(256) * (logs - logs.mean()) / logs.std()
    risk = market_risk(np.expm1(logs), 256, 1.0)
    assert risk.volatility == pytest.approx(0.15, rel=5e-3)
    assert risk.risk_class == 4
    # An equivalent volatility turns back into the same percentile: VaR = -1.96 s - s^2 / 2.
    s = risk.volatility
    assert risk.var_return == pytest.approx(-1.96 * s - 0.5 * s * s, abs=5e-4)


@pytest.mark.parametrize(("volatility", "risk_class"), [(0.003, 1), (0.04, 2), (0.1, 3), (0.25, 5), (0.5, 6), (1.2, 7)])
def test_classes_rise_with_volatility(volatility: float, risk_class: int) -> None:
    logs = np.random.default_rng(1).normal(0.0, 1.0, 5000)
    logs = volatility / math.sqrt(256) * (logs - logs.mean()) / logs.std()
    assert market_risk(np.expm1(logs), 256, 1.0).risk_class == risk_class


def test_too_few_prices_and_impossible_periods_are_refused() -> None:
    with pytest.raises(RiskError, match="at least 59"):
        market_risk(np.full(58, 0.01), 12, 1.0)
    with pytest.raises(RiskError, match="-1 years"):
        market_risk(np.zeros(60), 12, -1)
