import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtri

from nt_ray.errors import RiskError
from nt_ray.risk.contributions import Contributions, elliptical, incremental, scenario
from nt_ray.risk.historical import tail_of
from nt_ray.risk.measures.catalogue import measure
from nt_ray.risk.measures.student_t import student_tail

RNG = np.random.default_rng(12)
PANEL = RNG.standard_t(5, (1500, 4)) @ RNG.normal(0.0, 0.006, (4, 4))
WEIGHTS = np.array([0.5, 0.4, -0.3, 0.2])
COVARIANCE = np.cov(PANEL.T)


def test_jorions_two_currencies_are_reproduced() -> None:
    # Jorion, Value at Risk, chapter 7: $2m of CAD at 5 % and $1m of EUR at 12 %, uncorrelated, 95 % taken as 1.65.
    found = elliptical([2e6, 1e6], np.diag([0.05**2, 0.12**2]), 0.95)
    rounded = 1.65 / ndtri(0.95)
    assert found.var * rounded == pytest.approx(257_738, abs=1)
    assert found.component_var * rounded == pytest.approx([105_630, 152_108], abs=1)
    assert found.marginal_var * rounded == pytest.approx([0.0528, 0.1521], abs=5e-5)
    # Without either the other is left alone: 198,000 and 165,000.
    assert (found.var - found.incremental_var) * rounded == pytest.approx([198_000, 165_000], abs=1)


def test_hulls_two_asset_portfolio_is_reproduced() -> None:
    # Hull: $10m of Microsoft at 2 % a day, $5m of AT&T at 1 %, correlation 0.3, ten days, 99 % taken as 2.33.
    cross = 0.3 * 0.02 * 0.01
    found = elliptical([10e6, 5e6], [[0.02**2, cross], [cross, 0.01**2]], 0.99, 10)
    rounded = 2.33 / ndtri(0.99)
    assert found.var * rounded == pytest.approx(1_622_657, abs=1)
    alone = (found.var - found.incremental_var[::-1]) * rounded
    assert alone == pytest.approx([1_473_621, 368_405], abs=1)
    assert sum(alone) - found.var * rounded == pytest.approx(219_369, abs=1)


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.sampled_from([None, 3.5]), st.sampled_from([1, 10]))
def test_elliptical_components_sum_and_marginals_are_the_gradient(seed: int, nu: float | None, horizon: int) -> None:
    rng = np.random.default_rng(seed)
    factors = rng.normal(0.0, 0.01, (5, 8))
    covariance, mu, w = factors @ factors.T, rng.normal(0.0, 1e-3, 5), rng.normal(0.0, 1.0, 5)

    def found(at: np.ndarray) -> Contributions:
        return elliptical(at, covariance, 0.975, horizon, expected=mu, nu=nu)

    whole, step = found(w), 1e-6
    assert whole.component_var.sum() == pytest.approx(whole.var, rel=1e-10, abs=1e-14)
    assert whole.component_es.sum() == pytest.approx(whole.es, rel=1e-10, abs=1e-14)
    for i, unit in enumerate(np.eye(5)):
        slope = (found(w + step * unit).es - found(w - step * unit).es) / (2.0 * step)
        assert whole.marginal_es[i] == pytest.approx(slope, rel=1e-4, abs=1e-7)
        rest = found(w - w[i] * unit)
        assert whole.incremental_var[i] == pytest.approx(whole.var - rest.var, rel=1e-9, abs=1e-12)
        assert whole.incremental_es[i] == pytest.approx(whole.es - rest.es, rel=1e-9, abs=1e-12)


def test_a_t_portfolio_has_the_tail_of_its_univariate_t() -> None:
    found = elliptical(WEIGHTS, COVARIANCE, 0.99, 10, nu=4.0)
    scale = math.sqrt(WEIGHTS @ COVARIANCE @ WEIGHTS * (4.0 - 2.0) / 4.0)
    assert (found.var, found.es) == pytest.approx(tuple(scale * x for x in student_tail(4.0, 0.99, 10)), rel=1e-12)


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.sampled_from([0.9, 0.973, 0.99]))
def test_scenario_components_sum_and_shortfall_is_exact(seed: int, confidence: float) -> None:
    w = np.random.default_rng(seed).normal(0.0, 1.0, 4)
    found = scenario(w, PANEL, confidence)
    assert (found.var, found.es) == tail_of(PANEL @ w, confidence)
    assert found.component_var.sum() == pytest.approx(found.var, rel=1e-10)
    assert found.component_es.sum() == pytest.approx(found.es, rel=1e-10)
    # Moving a weight by less than reorders the tail moves ES along its gradient, exactly.
    moved = w + 1e-9 * np.arange(4)
    assert tail_of(PANEL @ moved, confidence)[1] - found.es == pytest.approx(found.marginal_es @ (moved - w), abs=1e-14)


def test_kernel_components_near_the_closed_form_on_normal_scenarios() -> None:
    factor = np.linalg.cholesky(COVARIANCE)
    drawn = np.random.default_rng(1).standard_normal((200_000, 4)) @ factor.T
    exact, found = elliptical(WEIGHTS, COVARIANCE, 0.95), scenario(WEIGHTS, drawn, 0.95)
    assert found.component_var == pytest.approx(exact.component_var, abs=0.03 * exact.var)
    assert found.component_es == pytest.approx(exact.component_es, abs=0.02 * exact.es)
    assert "scaled by" in found.notes[0]


def test_scenario_increments_revalue_the_portfolio_in_full() -> None:
    found = scenario(WEIGHTS, PANEL, 0.975)
    for i in range(4):
        rest = np.where(np.arange(4) == i, 0.0, WEIGHTS)
        var, es = tail_of(PANEL @ rest, 0.975)
        assert (found.incremental_var[i], found.incremental_es[i]) == pytest.approx(
            (found.var - var, found.es - es), abs=1e-14
        )


def test_a_trade_adds_the_difference_of_two_full_measures() -> None:
    trade = np.array([0.0, -0.4, 0.0, 0.1])
    for name in ("historical", "student_t"):
        before, after = (measure(name, PANEL, 0.975, 5, weights=w) for w in (WEIGHTS, WEIGHTS + trade))
        added = incremental(name, WEIGHTS, trade, PANEL, 0.975, 5)
        assert added == pytest.approx((after.var - before.var, after.es - before.es), rel=1e-12)


def test_opening_and_closing_a_whole_portfolio_adds_and_takes_its_whole_risk() -> None:
    tail = measure("historical", PANEL, 0.975, weights=WEIGHTS)
    assert incremental("historical", np.zeros(4), WEIGHTS, PANEL, 0.975) == (tail.var, tail.es)
    assert incremental("historical", WEIGHTS, -WEIGHTS, PANEL, 0.975) == (-tail.var, -tail.es)
    assert incremental("historical", np.zeros(4), np.zeros(4), PANEL, 0.975) == (0.0, 0.0)


def test_what_cannot_be_taken_apart_is_refused() -> None:
    with pytest.raises(RiskError, match="not symmetric"):
        elliptical([1.0, 1.0], [[1.0, 0.5], [0.4, 1.0]], 0.99)
    with pytest.raises(RiskError, match="not positive semi-definite"):
        elliptical([1.0, 1.0], [[1.0, 2.0], [2.0, 1.0]], 0.99)
    with pytest.raises(RiskError, match="variance is 0"):
        elliptical([0.0, 0.0], np.eye(2), 0.99)
    with pytest.raises(RiskError, match="no covariance"):
        elliptical([1.0, 1.0], np.eye(2), 0.99, nu=2.0)
    with pytest.raises(RiskError, match="one an asset"):
        elliptical([1.0, 1.0], np.eye(2), 0.99, expected=[0.1])
    with pytest.raises(RiskError, match="less than one"):
        scenario(WEIGHTS, PANEL[:50], 0.99)
    with pytest.raises(RiskError, match="width -1"):
        scenario(WEIGHTS, PANEL, 0.99, bandwidth=-1.0)
    with pytest.raises(RiskError, match="no factor"):
        scenario([1.0], np.linspace(-0.001, 0.1, 100)[:, None], 0.99, bandwidth=1.0)
