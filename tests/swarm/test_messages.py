import numpy as np
import pytest

from nt_ray.swarm.messages import MAX_AGENTS, TARGET_ONE, WEIGHT_ONE, Decision, RoundStats, Tally, to_fixed


def test_sums_of_as_many_agents_as_allowed_stay_exact():
    assert MAX_AGENTS * WEIGHT_ONE * TARGET_ONE**2 < 2**63
    assert MAX_AGENTS * WEIGHT_ONE * TARGET_ONE < 2**53


def test_fixed_point_rounds_half_to_even():
    assert to_fixed(np.array([0.5, 1.5, 2.5, -0.5]) / 8, 8).tolist() == [0, 2, 2, 0]


def test_tallies_add_field_by_field_and_the_empty_one_changes_nothing():
    some = Tally(*(np.full((2, 3), i) for i in range(1, 5)))
    both = some + some
    assert [int(a[0, 0]) for a in (both.weight, both.weighted, both.squared, both.present)] == [2, 4, 6, 8]
    same = some + Tally.empty(2, 3)
    assert np.array_equal(same.squared, some.squared)


def test_a_decision_of_uneven_shapes_is_refused():
    with pytest.raises(ValueError, match="shape"):
        Decision(0, np.zeros((1, 2)), np.zeros((1, 3)), np.zeros((1, 2), dtype=bool), RoundStats(0, 0, 0))
