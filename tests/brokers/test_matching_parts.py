import math
from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nt_ray.brokers.simulated.hits import limit_hit, stop_hit, trailing_stop
from nt_ray.brokers.simulated.impact import impact_ppm, slipped_by, tier_ppm
from nt_ray.brokers.simulated.matching import UNKNOWN_PRICE

prices = st.integers(1, 60)


@given(st.sampled_from([1, -1]), prices, prices, prices)
def test_levels_are_met_at_the_first_price_of_the_walk_that_meets_them(
    side: int, level: int, start: int, end: int
) -> None:
    steps = range(start, end + 1) if end >= start else range(start, end - 1, -1)
    limit = next((p for p in steps if side * p <= side * level), UNKNOWN_PRICE)
    stop = next((p for p in steps if side * p >= side * level), UNKNOWN_PRICE)
    assert limit_hit(side, level, start, end) == limit
    assert stop_hit(side, level, start, end) == stop


def test_a_trailing_stop_keeps_its_distance_and_stays_positive() -> None:
    assert trailing_stop(-1, 200, 15, False) == 185
    assert trailing_stop(1, 200, 15, False) == 215
    assert trailing_stop(-1, 200, 20_000, True) == 196
    assert trailing_stop(-1, 20, 1, True) == 19
    assert trailing_stop(-1, 5, 15, False) == 1


@given(st.integers(1, 1000), st.integers(1, 10_000), st.integers(0, 50_000), st.integers(0, 50_000))
def test_impact_follows_the_square_and_the_root_of_the_share(lots: int, volume: int, quadratic: int, root: int) -> None:
    share = Fraction(lots, volume)
    exact = quadratic * float(share**2) + root * math.sqrt(share)
    assert abs(impact_ppm(lots, 1.0, float(volume), quadratic, root) - exact) <= 0.5 + 1e-6 * exact
    assert impact_ppm(lots, 1.0, math.nan, quadratic, root) == 0


def test_slippage_adds_ticks_and_never_leaves_the_positive() -> None:
    assert slipped_by(1000, 1, 2_000, 3) == 1005
    assert slipped_by(1000, -1, 2_000, 3) == 995
    assert slipped_by(2, -1, 0, 9) == 1


def test_the_last_tier_that_is_reached_counts() -> None:
    tiers = np.array([[0, 90, 80], [500, 50, 40], [900, 10, 0]])
    assert [tier_ppm(tiers, traded, 0, 7) for traded in (0, 499, 500, 2_000)] == [90, 90, 50, 10]
    assert tier_ppm(tiers, 900, 1, 7) == 0
    assert tier_ppm(tiers[1:], 0, 0, 7) == 7
