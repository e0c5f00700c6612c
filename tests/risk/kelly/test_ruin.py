import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nt_ray.errors import RiskError
from nt_ray.risk.kelly.ruin import (
    decay_exponent,
    fall_bound,
    fall_probability,
    growth_share,
    largest_share,
    risk_aversion,
)


def test_full_kelly_falls_to_a_share_with_just_that_probability() -> None:
    assert fall_probability(1.0, 0.5) == 0.5
    assert fall_probability(0.5, 0.5) == pytest.approx(0.5**3, abs=1e-15)
    assert fall_probability(0.25, 0.5) == pytest.approx(0.5**7, abs=1e-15)
    assert fall_probability(2.0, 0.9) == 1.0


@given(st.floats(0.05, 1.9), st.floats(0.05, 0.95))
def test_the_largest_share_inverts_the_law(share: float, level: float) -> None:
    probability = fall_probability(share, level)
    if 0.0 < probability < 1.0:
        assert largest_share(level, probability) == pytest.approx(share, rel=1e-9)


def test_half_kelly_keeps_three_quarters_of_the_growth() -> None:
    assert growth_share(0.5) == 0.75


def test_simulated_diffusions_obey_the_law() -> None:
    # Log wealth of a share c of Kelly, unit Sharpe ratio: drift c - c^2/2, variance c^2 a year.
    rng = np.random.default_rng(5)
    share, level, step, paths = 0.6, 0.6, 1.0 / 400.0, 4000
    logs = np.zeros(paths)
    lowest = np.zeros(paths)
    for _ in range(4000):
        before = logs
        noise = rng.standard_normal(paths)
        logs = before + (share - share**2 / 2.0) * step + share * math.sqrt(step) * noise
        # The lowest point of the bridge between both ends.
        spread = np.sqrt((logs - before) ** 2 - 2.0 * share**2 * step * np.log(rng.random(paths)))
        lowest = np.minimum(lowest, (logs + before - spread) / 2.0)
    share_fallen = float(np.mean(lowest <= math.log(level)))
    law = fall_probability(share, level)
    assert abs(share_fallen - law) < 4.0 * math.sqrt(law * (1.0 - law) / paths)


def test_the_exponent_of_an_even_money_walk_is_the_gamblers_ruin() -> None:
    # Steps of equal size in log wealth: P(ever down k steps) = (q/p)^k.
    wealth, chances = np.array([1.1, 1.0 / 1.1]), np.array([0.6, 0.4])
    assert fall_bound(wealth, chances, 1.1**-5) == pytest.approx((0.4 / 0.6) ** 5, rel=1e-10)


def test_wealth_without_growth_falls_surely_and_without_losses_never() -> None:
    assert decay_exponent(np.array([1.1, 0.9]), np.array([0.5, 0.5])) == 0.0
    assert math.isinf(decay_exponent(np.array([1.1, 1.0]), np.array([0.5, 0.5])))
    assert fall_bound(np.array([1.0]), np.array([1.0])) == 0.0


def test_levels_shares_and_probabilities_out_of_range_are_refused() -> None:
    for level, probability in ((0.0, 0.1), (1.0, 0.1), (0.7, 0.0), (0.7, 1.0)):
        with pytest.raises(RiskError, match="does not lie between 0 and 1"):
            risk_aversion(level, probability)
    with pytest.raises(RiskError, match="is not positive"):
        fall_probability(0.0, 0.5)
    with pytest.raises(RiskError, match=r"\(0, 1\]"):
        fall_probability(0.5, 1.5)
