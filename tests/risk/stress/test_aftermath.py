import math

import numpy as np
import pytest
from scipy.stats import norm

from nt_ray.errors import RiskError
from nt_ray.risk.stress.aftermath import normal_aftermath, recoloured, scenario_aftermath


def test_the_tail_contains_the_shocks_own_loss() -> None:
    after = normal_aftermath(0.2, 0.1, floor=0.5, confidence=0.95)
    assert after.var == pytest.approx(0.2 + norm.ppf(0.95) * 0.1, rel=1e-12)
    assert after.es == pytest.approx(0.2 + norm.pdf(norm.ppf(0.95)) / 0.05 * 0.1, rel=1e-12)
    assert after.survival_at_end == pytest.approx(norm.cdf(3.0), rel=1e-12)


def test_simulated_paths_stay_above_the_floor_as_often_as_the_closed_form_says() -> None:
    after = normal_aftermath(0.3, 0.25, floor=0.4, confidence=0.95)
    rng = np.random.default_rng(2)
    paths, steps = 4000, 250
    level, alive = np.full(paths, 0.7), np.ones(paths, dtype=bool)
    scale = 0.25 / math.sqrt(steps)
    for _ in range(steps):
        before = level
        level = before + scale * rng.standard_normal(paths)
        # A bridge between both ends may still touch the floor.
        gap = np.maximum(before - 0.4, 0.0) * np.maximum(level - 0.4, 0.0)
        alive &= (level > 0.4) & (rng.random(paths) > np.exp(-2.0 * gap / scale**2))
    spread = math.sqrt(after.survival * (1 - after.survival) / paths)
    assert abs(alive.mean() - after.survival) < 4 * spread
    assert after.survival < after.survival_at_end


def test_a_floor_already_broken_is_not_survived_and_no_risk_is_no_doubt() -> None:
    assert normal_aftermath(0.6, 0.1, floor=0.5, confidence=0.95).survival == 0.0
    certain = normal_aftermath(0.2, 0.0, floor=0.5, confidence=0.95)
    assert (certain.survival, certain.survival_at_end, certain.var) == (1.0, 1.0, 0.2)


def test_recoloured_returns_have_just_the_covariance_asked_for(covariance: np.ndarray) -> None:
    past = np.random.default_rng(4).standard_t(4, (300, 5)) * 0.01 + 0.001
    drawn = recoloured(past, covariance, horizon=5)
    assert np.cov(drawn.T) == pytest.approx(5 * covariance, rel=1e-8, abs=1e-14)
    assert np.abs(drawn.mean(axis=0)).max() < 1e-15


def test_many_normal_scenarios_agree_with_the_closed_form(covariance: np.ndarray) -> None:
    positions = np.array([0.4, 0.3, 0.2, -0.1, 0.1])
    drawn = recoloured(np.random.default_rng(6).standard_normal((60_000, 5)), covariance, horizon=9)
    deviation = float(np.sqrt(9 * positions @ covariance @ positions))
    found = scenario_aftermath(0.1, positions, drawn, floor=0.88, confidence=0.99)
    closed = normal_aftermath(0.1, deviation, floor=0.88, confidence=0.99)
    assert found.var == pytest.approx(closed.var, rel=0.02)
    assert found.es == pytest.approx(closed.es, rel=0.02)
    assert found.survival is None
    assert found.survival_at_end == pytest.approx(closed.survival_at_end, abs=0.01)


def test_returns_that_span_no_covariance_are_refused(covariance: np.ndarray) -> None:
    with pytest.raises(RiskError, match="span no covariance"):
        recoloured(np.zeros((5, 5)), covariance)
    with pytest.raises(RiskError, match="singular"):
        recoloured(np.repeat(np.arange(40.0)[:, None], 5, axis=1), covariance)
