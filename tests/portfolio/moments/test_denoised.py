import numpy as np
import pytest
from scipy.integrate import trapezoid

from nt_ray.errors import RiskError
from nt_ray.portfolio.moments.denoised import denoised, marchenko_pastur, noise_edge
from nt_ray.types import FloatArray


def test_real_returns_are_denoised_as_by_skfolio(stocks: FloatArray) -> None:
    from skfolio.moments import DenoiseCovariance

    for periods in (500, 1500):
        theirs = DenoiseCovariance().fit(stocks[-periods:]).covariance_
        np.testing.assert_allclose(denoised(stocks[-periods:]), theirs, rtol=1e-10)


def test_noise_alone_keeps_no_correlation() -> None:
    returns = np.random.default_rng(5).normal(size=(2000, 100))
    values = np.linalg.eigvalsh(np.corrcoef(returns.T))
    edge = noise_edge(values, 20.0)
    # The law of variance 1 ends at (1 + sqrt(1/20))^2.
    assert edge == pytest.approx((1 + 20**-0.5) ** 2, rel=0.05)
    assert (values > edge).sum() <= 2


def test_factors_stay_and_the_variances_too() -> None:
    draws = np.random.default_rng(6)
    returns = draws.normal(size=(1000, 4)) @ draws.normal(size=(4, 50)) + draws.normal(size=(1000, 50))
    cleaned = denoised(returns)
    np.testing.assert_allclose(cleaned.diagonal(), returns.var(axis=0, ddof=1), rtol=1e-12)
    scale = np.sqrt(cleaned.diagonal())
    values = np.linalg.eigvalsh(cleaned / np.outer(scale, scale))
    assert (values > 1.0).sum() == 4
    assert np.linalg.cond(cleaned) < np.linalg.cond(np.cov(returns.T))


def test_the_law_is_a_density_whose_mean_is_the_variance() -> None:
    places, density = marchenko_pastur(0.7, 4.0, 20_000)
    assert trapezoid(density, places) == pytest.approx(1.0, abs=1e-4)
    assert trapezoid(density * places, places) == pytest.approx(0.7, abs=1e-4)


def test_too_few_periods_are_refused() -> None:
    with pytest.raises(RiskError, match="more periods than assets"):
        noise_edge(np.ones(5), 1.0)
    with pytest.raises(RiskError, match="bandwidth"):
        noise_edge(np.ones(5), 2.0, bandwidth=0.0)
    with pytest.raises(RiskError, match="at least 6"):
        denoised(np.random.default_rng(0).normal(size=(5, 5)))
    with pytest.raises(RiskError, match="Asset 1 does not vary"):
        denoised(np.column_stack([np.arange(9.0), np.full(9, 0.1)]))
