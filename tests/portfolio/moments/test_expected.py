import numpy as np
import pytest

from nt_ray.errors import RiskError
from nt_ray.portfolio.moments.expected import (
    EXPECTATIONS,
    bayes_stein,
    capm,
    ewma_mean,
    implied,
    james_stein,
    market_risk_aversion,
    mean,
    shrink_bayes_stein,
    shrink_james_stein,
)
from nt_ray.portfolio.moments.factors import principal_factors
from nt_ray.types import FloatArray


def test_james_and_stein_shrink_as_skfolio(stocks: FloatArray) -> None:
    from skfolio.moments import ShrunkMu, ShrunkMuMethods

    fit = ShrunkMu(method=ShrunkMuMethods.JAMES_STEIN).fit(stocks[-500:])
    np.testing.assert_allclose(james_stein(stocks[-500:]), fit.mu_, rtol=1e-10)


def test_jorion_shrinks_by_his_formula(stocks: FloatArray) -> None:
    """Jorion (1986), equations 14 to 17, with explicit inverses."""
    returns = stocks[-300:]
    periods, assets = returns.shape
    inverse = np.linalg.inv(np.cov(returns.T) * (periods - 1) / (periods - assets - 2))
    means, ones = returns.mean(axis=0), np.ones(assets)
    target = ones @ inverse @ means / (ones @ inverse @ ones)
    apart = means - target
    intensity = (assets + 2) / (assets + 2 + periods * apart @ inverse @ apart)
    found = shrink_bayes_stein(returns)
    assert found.target == pytest.approx(target, rel=1e-9)
    assert found.intensity == pytest.approx(intensity, rel=1e-9)
    np.testing.assert_allclose(found.means, (1 - intensity) * means + intensity * target, rtol=1e-9)


def test_shrunk_means_err_less_than_plain_ones() -> None:
    draws = np.random.default_rng(3)
    truth = draws.normal(0.0005, 0.0002, 15)
    errors = np.zeros(3)
    for _ in range(60):
        returns = truth + 0.01 * draws.normal(size=(120, 15))
        for at, estimator in enumerate((mean, james_stein, bayes_stein)):
            errors[at] += np.sum((estimator(returns) - truth) ** 2)
    assert errors[1] < 0.6 * errors[0]
    assert errors[2] < 0.6 * errors[0]


def test_intensities_stay_between_nothing_and_everything() -> None:
    draws = np.random.default_rng(4)
    assert shrink_james_stein(draws.normal(size=(50, 2))).intensity == 0.0
    assert shrink_james_stein(1e-9 * draws.normal(size=(2, 1)) @ np.ones((1, 5)) + 0.1).intensity in (0.0, 1.0)
    alike = np.tile(draws.normal(size=(50, 1)), 4) + 1e-3 * draws.permuted(np.eye(50)[:, :4], axis=0)
    assert 0.0 <= shrink_bayes_stein(alike).intensity <= 1.0


def test_the_market_implies_returns_at_which_it_is_the_best_portfolio(stocks: FloatArray) -> None:
    covariance = np.cov(stocks.T)
    weights = np.random.default_rng(0).dirichlet(np.ones(20))
    returns = implied(covariance, weights, risk_aversion=2.5, rate=0.0001)
    np.testing.assert_allclose(np.linalg.solve(2.5 * covariance, returns - 0.0001), weights, rtol=1e-7)
    form = principal_factors(stocks, count=4)
    np.testing.assert_allclose(
        implied(form, weights, risk_aversion=2.5), implied(form.dense(), weights, risk_aversion=2.5), rtol=1e-10
    )


def test_betas_are_those_of_a_regression(stocks: FloatArray, index: FloatArray) -> None:
    betas = [np.polyfit(index, stocks[:, at], 1)[0] for at in range(20)]
    np.testing.assert_allclose(capm(stocks, index, premium=0.0002, rate=0.0001), 0.0001 + np.array(betas) * 0.0002)
    np.testing.assert_allclose(capm(stocks, index), np.array(betas) * index.mean())
    np.testing.assert_allclose(capm(index[:, None], index), [index.mean()])
    assert market_risk_aversion(index, rate=0.0001) == pytest.approx((index.mean() - 0.0001) / index.var(ddof=1))


def test_the_weighted_mean_by_hand() -> None:
    np.testing.assert_allclose(ewma_mean([[1.0], [2.0], [4.0]], decay=0.5), [(1 + 2 * 2 + 4 * 4) / 7])
    assert set(EXPECTATIONS) == {"mean", "ewma", "james_stein", "bayes_stein", "capm"}


def test_what_cannot_be_estimated_is_refused(stocks: FloatArray, index: FloatArray) -> None:
    with pytest.raises(RiskError, match=r"22 periods are too few for 20 assets.*at least 23"):
        bayes_stein(stocks[:22])
    with pytest.raises(RiskError, match="singular"):
        bayes_stein(np.tile(index[:50, None], 2))
    with pytest.raises(RiskError, match="Market 0 does not vary"):
        capm(stocks, np.full(1500, 0.1))
    with pytest.raises(RiskError, match="Market 0 does not vary"):
        market_risk_aversion(np.full(10, 0.1))
    with pytest.raises(RiskError, match="10 returns for 1500 periods"):
        capm(stocks, index[:10])
    with pytest.raises(RiskError, match="risk_aversion=0"):
        implied(np.eye(2), [0.5, 0.5], risk_aversion=0.0)
    with pytest.raises(RiskError, match="not positive semi-definite"):
        implied([[1.0, 2.0], [2.0, 1.0]], [0.5, 0.5], risk_aversion=2.0)
