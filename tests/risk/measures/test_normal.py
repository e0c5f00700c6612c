import math

import numpy as np
import polars as pl
import pytest
from scipy import integrate, stats

from nt_ray.errors import RiskError
from nt_ray.market.embedded import load_embedded
from nt_ray.risk.measures.normal import normal

RETURNS = np.random.default_rng(2).normal(0.0005, 0.012, 500)


def test_apple_agrees_with_the_normal_figures_of_quantstats() -> None:
    # quantstats 0.0.86 prints VaR -0.029142 and, as CVaR, the normal shortfall -0.036795 for these 2,516 returns.
    panel = load_embedded("sp500")
    years = pl.Series(panel.timestamps).cast(pl.Datetime("ns")).dt.year().to_numpy()
    closes = panel.closes[int(np.argmax(years >= 2013)) - 1 :, panel.symbols.index("AAPL")]
    tail = normal(closes[1:] / closes[:-1] - 1.0, 0.95)
    assert tail.var == pytest.approx(0.029142, abs=5e-7)
    assert tail.es == pytest.approx(0.036795, abs=5e-7)


@pytest.mark.parametrize("horizon", [1, 10])
def test_simple_returns_add_up_in_mean_and_variance(horizon: int) -> None:
    law = stats.norm(horizon * RETURNS.mean(), math.sqrt(horizon) * RETURNS.std(ddof=1))
    tail = normal(RETURNS, 0.99, horizon)
    assert tail.var == pytest.approx(-law.ppf(0.01), rel=1e-12)
    assert tail.es == pytest.approx(-law.expect(lambda x: x, ub=law.ppf(0.01)) / 0.01, rel=1e-7)


@pytest.mark.parametrize("horizon", [1, 250])
def test_log_returns_make_a_lognormal_tail(horizon: int) -> None:
    logs = np.log1p(RETURNS)
    m, s = horizon * logs.mean(), math.sqrt(horizon) * logs.std(ddof=1)
    worst = stats.norm(m, s).ppf(0.01)
    lost, _ = integrate.quad(lambda x: (1.0 - math.exp(x)) * stats.norm.pdf(x, m, s), worst - 12.0 * s, worst)
    tail = normal(RETURNS, 0.99, horizon, compounding="log")
    assert tail.var == pytest.approx(1.0 - math.exp(worst), rel=1e-12)
    assert tail.es == pytest.approx(lost / 0.01, rel=1e-7)


def test_compounding_matters_over_a_year_and_hardly_over_a_day() -> None:
    assert normal(RETURNS, 0.99, compounding="log").var == pytest.approx(normal(RETURNS, 0.99).var, rel=0.02)
    volatile = RETURNS * 4.0
    assert normal(volatile, 0.99, 250).var > 1.0 > normal(volatile, 0.99, 250, compounding="log").var


def test_returns_that_cannot_be_normal_are_refused() -> None:
    with pytest.raises(RiskError, match=r"All 30 returns equal 0\.1"):
        normal(np.full(30, 0.1), 0.95)
    with pytest.raises(RiskError, match="no logarithm"):
        normal(np.array([0.1, -1.0, 0.2]), 0.95, compounding="log")
    with pytest.raises(RiskError, match="'simple' or 'log'"):
        normal(RETURNS, 0.95, compounding="daily")


def test_returns_of_any_scale_vary_and_constant_ones_of_any_scale_do_not() -> None:
    returns = np.random.default_rng(5).normal(size=300)
    base = normal(returns, 0.95)
    for scale in (1e-100, 1e-15, 1e15):
        found = normal(scale * returns, 0.95)
        assert (found.var / scale, found.es / scale) == pytest.approx((base.var, base.es), rel=1e-9)
        with pytest.raises(RiskError, match="returns equal"):
            normal(np.full(300, 0.3 * scale), 0.95)
