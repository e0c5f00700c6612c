from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nt_ray.swarm.messages import TARGET_ONE, WEIGHT_ONE, Ballot, Opinions
from nt_ray.swarm.tally import join_ballots, join_opinions, mean_target, spread, tally_of

voices = st.lists(
    st.tuples(st.integers(0, 2), st.integers(-TARGET_ONE, TARGET_ONE), st.integers(0, WEIGHT_ONE)),
    min_size=1,
    max_size=12,
)


def opinions(said, first=0):
    count = len(said)
    return Opinions(
        np.arange(first, first + count),
        np.array([s for s, _, _ in said]),
        np.array([[t for _, t, _ in said]]),
        np.array([[w for _, _, w in said]]),
    )


@settings(max_examples=60)
@given(voices)
def test_mean_and_spread_equal_exact_fractions(said):
    tally = tally_of(opinions(said), 3)
    mean = mean_target(tally.weight, tally.weighted)
    deviation = spread(tally.weight, tally.weighted, tally.squared)
    for symbol in range(3):
        mine = [(Fraction(t, TARGET_ONE), w) for s, t, w in said if s == symbol]
        assert tally.present[0, symbol] == len(mine)
        weight = sum(w for _, w in mine)
        if weight == 0:
            assert np.isnan(mean[0, symbol])
            assert np.isnan(deviation[0, symbol])
            continue
        exact = sum(t * w for t, w in mine) / weight
        variance = sum(w * (t - exact) ** 2 for t, w in mine) / weight
        assert mean[0, symbol] == float(exact)
        assert abs(deviation[0, symbol] ** 2 - float(variance)) < 1e-12


@settings(max_examples=30)
@given(voices, st.integers(0, 12), st.randoms(use_true_random=False))
def test_ballots_merge_to_the_same_in_any_grouping(said, cut, random):
    whole = opinions(said)
    parts = [opinions(said[:cut]), opinions(said[cut:], min(cut, len(said)))]
    parts = [p for p in parts if len(p.agents)]
    random.shuffle(parts)
    merged = join_ballots([Ballot(tally_of(p, 3), p) for p in parts])
    for name in ("weight", "weighted", "squared", "present"):
        assert np.array_equal(getattr(merged.tally, name), getattr(tally_of(whole, 3), name))
    assert np.array_equal(merged.opinions.agents, whole.agents)
    assert np.array_equal(merged.opinions.targets, whole.targets)


def test_joined_columns_are_sorted_by_agent_then_symbol():
    a = Opinions(np.array([3, 3]), np.array([1, 4]), np.array([[1, 2]]), np.array([[5, 6]]))
    b = Opinions(np.array([0, 7]), np.array([9, 0]), np.array([[3, 4]]), np.array([[7, 8]]))
    joined = join_opinions([a, b])
    assert joined.agents.tolist() == [0, 3, 3, 7]
    assert joined.targets.tolist() == [[3, 1, 2, 4]]
    assert joined.weights.tolist() == [[7, 5, 6, 8]]
