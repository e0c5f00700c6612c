import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nt_ray.swarm.failures import SwarmSetupError
from nt_ray.swarm.messages import TARGET_ONE, WEIGHT_ONE, Ballot, Opinions, Tally
from nt_ray.swarm.rules import Majority, Mean, Median, Trimmed
from nt_ray.swarm.tally import tally_of

voice = st.tuples(st.integers(-TARGET_ONE, TARGET_ONE), st.integers(0, WEIGHT_ONE))


def ballot(voices, symbols=2, symbol=1):
    count = len(voices)
    opinions = Opinions(
        np.arange(count),
        np.full(count, symbol),
        np.array([[t for t, _ in voices]], dtype=np.int64),
        np.array([[w for _, w in voices]], dtype=np.int64),
    )
    return Ballot(tally_of(opinions, symbols), opinions)


@settings(max_examples=60)
@given(st.lists(voice, min_size=1, max_size=15))
def test_the_median_equals_the_standard_librarys_over_voters(voices):
    result = Median().exposures(0, ballot(voices))
    voters = [t for t, w in voices if w > 0]
    if voters:
        assert result[0, 1] == statistics.median(voters) / TARGET_ONE
    else:
        assert np.isnan(result[0, 1])
    assert np.isnan(result[0, 0])


@settings(max_examples=60)
@given(st.lists(voice, min_size=1, max_size=15), st.sampled_from([0.0, 0.1, 0.2, 0.34, 0.49]))
def test_the_trimmed_mean_equals_a_plain_one(voices, trim):
    result = Trimmed(trim).exposures(0, ballot(voices))[0, 1]
    voters = sorted([v for v in voices if v[1] > 0], key=lambda v: v[0])
    if not voters:
        assert np.isnan(result)
        return
    cut = int(trim * len(voters))
    kept = voters[cut : len(voters) - cut]
    weight = sum(w for _, w in kept)
    assert result == sum(w * t for t, w in kept) / (weight * TARGET_ONE)


def test_trimming_nothing_is_the_mean():
    voices = [(100, 5), (-300, 7), (20_000, 11)]
    assert Trimmed(0.0).exposures(0, ballot(voices))[0, 1] == Mean().exposures(0, ballot(voices))[0, 1]


@settings(max_examples=60)
@given(
    honest=st.lists(st.integers(-1000, 1000), min_size=9, max_size=15),
    faulty=st.lists(voice, min_size=0, max_size=2),
    random=st.randoms(use_true_random=False),
)
def test_up_to_f_faulty_voices_cannot_move_trimmed_mean_or_median_beyond_the_honest(honest, faulty, random):
    voices = [(t, WEIGHT_ONE) for t in honest] + [(t, max(w, 1)) for t, w in faulty]
    random.shuffle(voices)
    for rule in (Trimmed(0.2), Median()):
        result = rule.exposures(0, ballot(voices))[0, 1] * TARGET_ONE
        assert min(honest) - 1e-9 <= result <= max(honest) + 1e-9


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        ([16384, 8192, -32768], 0.375),
        ([16384, -8192, -32768], -0.625),
        ([0, 0, 32768], 0.0),
        ([16384, -16384, 0], np.nan),
        ([16384, -16384], np.nan),
        ([16384, 16384, -16384, -16384], np.nan),
    ],
)
def test_a_majority_of_signs_decides_at_its_own_mean_and_without_one_the_position_is_held(targets, expected):
    result = Majority().exposures(0, ballot([(t, WEIGHT_ONE) for t in targets]))[0, 1]
    assert result == pytest.approx(expected, nan_ok=True)


def test_a_majority_counts_heads_and_not_confidence():
    voices = [(32768, WEIGHT_ONE), (-16384, 1), (-16384, 1)]
    assert Majority().exposures(0, ballot(voices))[0, 1] == -0.5


def test_a_larger_share_is_harder_to_reach():
    voices = [(32768, 9)] * 3 + [(-32768, 9)] * 2
    assert Majority(0.5).exposures(0, ballot(voices))[0, 1] == 1.0
    assert np.isnan(Majority(0.6).exposures(0, ballot(voices))[0, 1])


def test_rules_refuse_impossible_parameters_and_sums_where_they_need_opinions():
    for make in (lambda: Trimmed(0.5), lambda: Trimmed(-0.1), lambda: Majority(0.4), lambda: Majority(1.0)):
        with pytest.raises(SwarmSetupError, match="impossible"):
            make()
    with pytest.raises(SwarmSetupError, match="every opinion"):
        Median().exposures(0, Ballot(Tally.empty(1, 2), None))
