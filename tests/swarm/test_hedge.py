import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nt_ray.swarm.failures import SwarmSetupError
from nt_ray.swarm.hedge import Hedge, Learner, rate
from nt_ray.swarm.messages import TARGET_ONE, WEIGHT_ONE, Ballot, Opinions
from nt_ray.swarm.tally import tally_of

losses = arrays(np.float64, st.tuples(st.integers(1, 60), st.integers(2, 8)), elements=st.floats(0.0, 1.0))


def run(learner, table):
    awake = np.ones(table.shape[1], dtype=bool)
    return sum(learner.update(row, awake) for row in table)


@settings(max_examples=60)
@given(losses)
def test_regret_stays_below_its_bound_with_the_fixed_rate(table):
    rounds, experts = table.shape
    suffered = run(Learner(experts, rate(experts, rounds)), table)
    best = table.sum(axis=0).min()
    assert suffered - best <= math.sqrt(rounds * math.log(experts) / 2) + 1e-9


@settings(max_examples=60)
@given(losses)
def test_regret_stays_below_its_bound_with_the_anytime_rate(table):
    rounds, experts = table.shape
    suffered = run(Learner(experts), table)
    best = table.sum(axis=0).min()
    bound = 2 * math.sqrt(rounds * math.log(experts) / 2) + math.sqrt(math.log(experts) / 8)
    assert suffered - best <= bound + 1e-9


@pytest.mark.parametrize("anytime", [True, False])
def test_an_adversary_who_charges_the_heaviest_expert_gains_no_more_than_the_bound(anytime):
    rounds, experts = 400, 5
    learner = Learner(experts, None if anytime else rate(experts, rounds))
    total, table = 0.0, np.zeros(experts)
    for _ in range(rounds):
        row = np.zeros(experts)
        row[int(np.argmax(learner.weights()))] = 1.0
        total += learner.update(row, np.ones(experts, dtype=bool))
        table += row
    root = math.sqrt(rounds * math.log(experts) / 2)
    bound = 2 * root + math.sqrt(math.log(experts) / 8) if anytime else root
    assert 0.0 < total - table.min() <= bound


@settings(max_examples=60)
@given(losses, st.integers(0, 2**31))
def test_regret_against_a_specialist_counts_only_the_rounds_in_which_it_is_awake(table, seed):
    rounds, experts = table.shape
    awake = np.random.default_rng(seed).random(table.shape) < 0.6
    eta = rate(experts, rounds)
    learner = Learner(experts, eta)
    regret = np.zeros(experts)
    for row, up in zip(table, awake, strict=True):
        own = learner.update(np.where(up, row, np.nan), up)
        regret += np.where(up, own - row, 0.0)
    assert regret.max() <= math.log(experts) / eta + eta * rounds / 8 + 1e-9


def test_a_sleeper_keeps_its_share_of_the_weight():
    learner = Learner(3, 0.5)
    learner.update(np.array([0.2, 0.9, 0.4]), np.ones(3, dtype=bool))
    before = learner.weights() / learner.weights().sum()
    learner.update(np.array([0.1, 0.7, np.nan]), np.array([True, True, False]))
    after = learner.weights() / learner.weights().sum()
    # Charging the mixture's mean loss is the specialists' update up to second order in eta.
    assert after[2] == pytest.approx(before[2], abs=0.02)
    assert after[0] > before[0]
    assert after[1] < before[1]


def test_nobody_awake_changes_nothing_and_losses_out_of_range_are_refused():
    learner = Learner(2)
    assert learner.update(np.array([np.nan, np.nan]), np.zeros(2, dtype=bool)) == 0.0
    assert learner.rounds == 0
    for bad in (1.5, -0.1, float("nan")):
        with pytest.raises(SwarmSetupError, match="leave"):
            learner.update(np.array([bad, 0.5]), np.ones(2, dtype=bool))
    assert learner.losses.tolist() == [0.0, 0.0]


def bars(closes):
    closes = np.asarray(closes, dtype=float)
    return np.ascontiguousarray(closes[:, :, None] * np.ones(5))


def ballot(targets, weights=None):
    """Agents over one symbol each, all symbol 0; (K, A) targets in [-1, 1]."""
    targets = np.rint(np.asarray(targets) * TARGET_ONE).astype(np.int64)
    weights = np.full(targets.shape, WEIGHT_ONE) if weights is None else np.asarray(weights) * WEIGHT_ONE
    count = targets.shape[1]
    opinions = Opinions(np.arange(count), np.zeros(count, dtype=np.int64), targets, weights.astype(np.int64))
    return Ballot(tally_of(opinions, 1), opinions)


def test_exposures_equal_a_hand_written_loop():
    random = np.random.default_rng(5)
    closes = 100 * np.exp(np.cumsum(random.normal(0, 0.02, (40, 1)), axis=0))
    targets = np.rint(random.uniform(-1, 1, (40, 4)) * TARGET_ONE) / TARGET_ONE
    got = Hedge(4, bars(closes), scale=0.05).exposures(0, ballot(targets))[:, 0]
    cumulative = np.zeros(4)
    for t in range(40):
        if t:
            move = closes[t, 0] / closes[t - 1, 0] - 1
            cumulative += np.clip(0.5 - targets[t - 1] * move / 0.1, 0, 1)
        weights = np.exp(-math.sqrt(8 * math.log(4) / (t + 1)) * cumulative)
        assert got[t] == pytest.approx((weights * targets[t]).sum() / weights.sum(), abs=1e-12)


def test_a_decision_does_not_depend_on_prices_of_later_bars():
    random = np.random.default_rng(6)
    closes = 100 * np.exp(np.cumsum(random.normal(0, 0.02, (30, 1)), axis=0))
    targets = random.uniform(-1, 1, (30, 3))
    one = Hedge(3, bars(closes)).exposures(0, ballot(targets))
    for cut in (5, 17):
        other = closes.copy()
        other[cut + 1 :] *= 3.0
        two = Hedge(3, bars(other)).exposures(0, ballot(targets))
        assert np.array_equal(one[: cut + 1], two[: cut + 1])
        assert not np.array_equal(one[cut + 1 :], two[cut + 1 :])


def test_weight_moves_to_the_agent_that_earns():
    closes = 100 * 1.01 ** np.arange(60)[:, None]
    rule = Hedge(3, bars(closes))
    exposures = rule.exposures(0, ballot(np.tile([1.0, 0.0, -1.0], (60, 1))))
    assert exposures[0, 0] == pytest.approx(0.0)
    assert exposures[-1, 0] > 0.9
    assert rule.weights.sum() == pytest.approx(1.0)
    assert rule.weights[0] > 0.9


def test_abstainers_neither_count_nor_lose():
    closes = 100 * 1.01 ** np.arange(5)[:, None]
    rule = Hedge(2, bars(closes))
    said = ballot(np.tile([1.0, -1.0], (5, 1)), weights=np.tile([1, 0], (5, 1)))
    assert (rule.exposures(0, said)[:, 0] == 1.0).all()
    assert rule.weights == pytest.approx([0.5, 0.5])


def test_the_same_block_again_is_answered_alike_and_an_earlier_one_learns_anew():
    random = np.random.default_rng(8)
    closes = 100 * np.exp(np.cumsum(random.normal(0, 0.02, (20, 1)), axis=0))
    targets = random.uniform(-1, 1, (20, 3))
    rule = Hedge(3, bars(closes))
    first = rule.exposures(0, ballot(targets))
    weights = rule.weights
    assert np.array_equal(rule.exposures(0, ballot(targets)), first)
    assert np.array_equal(rule.weights, weights)
    again = np.concatenate([rule.exposures(0, ballot(targets[:9])), rule.exposures(9, ballot(targets[9:]))])
    assert np.array_equal(again, first)


def test_impossible_parameters_are_refused():
    for make in (lambda: Learner(0), lambda: Learner(2, 0.0), lambda: Hedge(2, bars([[1.0]]), scale=0.0)):
        with pytest.raises(SwarmSetupError):
            make()
