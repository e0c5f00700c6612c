import numpy as np
import pytest

from nt_ray.swarm.agents import AgentGroup
from nt_ray.swarm.failures import LostStateError, SwarmSetupError
from nt_ray.swarm.messages import TARGET_ONE, WEIGHT_ONE, AgentSpec


def same(a, b):
    return all(np.array_equal(getattr(a, n), getattr(b, n)) for n in ("agents", "symbols", "targets", "weights"))


class Steady:
    def __init__(self, target, confidence):
        self.target, self.confidence = target, confidence

    def opinions(self, start, stop):
        return np.full((stop - start, 1), self.target), np.full((stop - start, 1), self.confidence)


class Broken:
    def opinions(self, start, stop):
        raise RuntimeError("no data today")


class Misshapen:
    def opinions(self, start, stop):
        return np.zeros((1, 7)), np.zeros((1, 7))


def test_opinions_equal_a_plain_python_loop_over_the_step(specs, values, find):
    group = AgentGroup(specs, values, find)
    opinions, silent = group.opinions(40, 60)
    assert silent == ()
    for spec in specs:
        width = find(spec.strategy).width
        for lane in range(0, len(spec.symbols), width):
            columns = list(spec.symbols[lane : lane + width])
            state = np.zeros(find(spec.strategy).state_size(np.array(spec.params)))
            for t in range(60):
                targets = np.zeros(width)
                confidence = find(spec.strategy).step.py_func(
                    state, values[t, columns].copy(), np.array(spec.params), targets
                )
                if t < 40:
                    continue
                for j, column in enumerate(columns):
                    v = np.flatnonzero((opinions.agents == spec.agent) & (opinions.symbols == column))[0]
                    assert abs(opinions.targets[t - 40, v] - targets[j] * TARGET_ONE) <= 0.5 + 1e-6
                    assert abs(opinions.weights[t - 40, v] - confidence * WEIGHT_ONE) <= 0.5 + 1e-6


def test_columns_are_sorted_by_agent_then_symbol(specs, values, find):
    opinions, _ = AgentGroup(specs[::-1], values, find).opinions(0, 3)
    pairs = list(zip(opinions.agents.tolist(), opinions.symbols.tolist(), strict=True))
    assert pairs == sorted(pairs)
    assert len(pairs) == sum(len(s.symbols) for s in specs)


def test_asking_twice_gives_the_same_answer_and_moves_nothing(specs, values, find):
    group = AgentGroup(specs, values, find)
    first, _ = group.opinions(10, 20)
    again, _ = group.opinions(10, 20)
    assert same(first, again)
    following, _ = group.opinions(20, 30)
    fresh, _ = AgentGroup(specs, values, find).opinions(20, 30)
    assert same(following, fresh)


def test_a_later_block_replays_the_bars_between_and_an_earlier_one_rebuilds(specs, values, find):
    straight = AgentGroup(specs, values, find)
    whole, _ = straight.opinions(0, 150)
    jumping = AgentGroup(specs, values, find)
    for start, stop in ((100, 130), (7, 9), (9, 50), (149, 150)):
        part, _ = jumping.opinions(start, stop)
        assert np.array_equal(part.targets, whole.targets[start:stop])
        assert np.array_equal(part.weights, whole.weights[start:stop])


def test_an_agent_that_raises_is_silent_for_its_block_and_the_others_do_not_notice(values, find):
    specs = [AgentSpec(0, "a", "brittle", (0,), (25.0,)), AgentSpec(1, "b", "brittle", (1,), (1e6,))]
    drift = [AgentSpec(2, "c", "drift", (2, 3), (1.0,))]
    group = AgentGroup([*specs, *drift], values, find)
    before, silent = group.opinions(0, 20)
    assert set(before.agents) == {0, 1, 2}
    assert silent == ()
    during, silent = group.opinions(20, 30)
    assert set(during.agents) == {1, 2}
    assert [s.agent for s in silent] == [0]
    assert "this bar breaks me" in silent[0].reason
    # Its state counts bars, and the 25th is bar 24.
    assert (silent[0].bar, silent[0].symbol) == (24, 0)
    alone, _ = AgentGroup([AgentSpec(0, "c", "drift", (2, 3), (1.0,))], values, find).opinions(20, 30)
    assert np.array_equal(during.targets[:, 1:], alone.targets)


def test_states_after_a_failure_are_those_of_an_undisturbed_run(values, find):
    specs = [AgentSpec(0, "a", "brittle", (0,), (25.0,)), AgentSpec(1, "b", "counting", (1,), (40.0,))]
    failing = [AgentSpec(2, "c", "brittle", (2,), (1e6,))]
    group = AgentGroup([*specs, *failing], values, find)
    for start in range(0, 60, 10):
        opinions, _ = group.opinions(start, start + 10)
    counted = opinions.targets[:, opinions.agents == 1]
    assert (counted == TARGET_ONE).all()
    assert (opinions.targets[:, opinions.agents == 2] == TARGET_ONE // 4).all()


@pytest.mark.parametrize(
    ("target", "confidence", "fault"),
    [
        (1.5, 1.0, "target 1.5"),
        (float("nan"), 1.0, "target nan"),
        (0.5, -0.1, "confidence -0.1"),
        (0.5, float("nan"), "confidence nan"),
        (0.5, 1.01, "confidence 1.01"),
    ],
)
def test_numbers_out_of_range_silence_an_agent_with_the_reason(values, find, target, confidence, fault):
    specs = [AgentSpec(0, "w", "wild", (0,), (target, confidence)), AgentSpec(1, "d", "drift", (1,), (1.0,))]
    opinions, silent = AgentGroup(specs, values, find).opinions(0, 10)
    assert set(opinions.agents) == {1}
    assert len(silent) == 1
    assert fault in silent[0].reason


def test_a_fault_is_placed_at_its_first_bar_and_symbol_wherever_the_block_begins(values, find):
    values = np.array(values)
    values[30:, 4] = np.nan
    specs = [AgentSpec(0, "g", "gap", (0, 1, 2, 4), (5.0,)), AgentSpec(1, "d", "drift", (3, 5), (1.0,))]
    for start in (0, 7, 30):
        opinions, silent = AgentGroup(specs, values, find).opinions(start, 40)
        assert set(opinions.agents) == {1}
        assert [(s.agent, s.bar, s.symbol, s.reason) for s in silent] == [(0, 30, 2, "target nan is outside [-1, 1]")]


def test_of_several_symbols_the_one_whose_step_raises_is_named(values, find):
    falling = np.flatnonzero(np.diff(values[:, :, 3], axis=0)[:, [1, 3]].min(axis=1) < 0.0)[0] + 1
    expected = next(c for c in (1, 3) if values[falling, c, 3] < values[falling - 1, c, 3])
    _, silent = AgentGroup([AgentSpec(0, "t", "touchy", (1, 3), (5.0,))], values, find).opinions(0, 40)
    assert [(s.bar, s.symbol) for s in silent] == [(falling, expected)]


def test_a_target_without_confidence_may_be_anything_and_abstains(values, find):
    opinions, silent = AgentGroup([AgentSpec(0, "w", "wild", (0,), (float("nan"), 0.0))], values, find).opinions(0, 4)
    assert silent == ()
    assert (opinions.targets == 0).all()
    assert (opinions.weights == 0).all()


def test_plain_agents_speak_beside_compiled_ones_and_fail_alone(values, find):
    specs = [AgentSpec(i, f"p{i}", "plain", (i,), ()) for i in range(3)] + [AgentSpec(3, "d", "drift", (0,), (1.0,))]
    plain = {0: Steady(0.5, 1.0), 1: Broken(), 2: Misshapen()}
    opinions, silent = AgentGroup(specs, values, find, plain).opinions(5, 9)
    assert opinions.agents.tolist() == [0, 3]
    assert (opinions.targets[:, 0] == TARGET_ONE // 2).all()
    assert [s.agent for s in silent] == [1, 2]
    assert "no data today" in silent[0].reason
    assert "shapes" in silent[1].reason


def test_contributions_equal_targets_times_next_returns_whatever_the_blocks(specs, values, find):
    whole = AgentGroup(specs, values, find)
    opinions, _ = whole.opinions(0, 150)
    closes = values[:, :, 3]
    returns = closes[1:] / closes[:-1] - 1.0
    report = whole.report()
    for spec in specs:
        mine = opinions.agents == spec.agent
        targets = opinions.targets[:-1, mine] / TARGET_ONE
        expected = (targets * returns[:, opinions.symbols[mine]]).sum(axis=0).mean()
        assert report.contributions[spec.agent] == pytest.approx(expected, abs=1e-12)
        confidence = opinions.weights[:, mine].mean() / WEIGHT_ONE
        assert report.confidences[spec.agent] == pytest.approx(confidence, abs=1e-12)
    parts = AgentGroup(specs, values, find)
    for start in range(0, 150, 7):
        parts.opinions(start, min(start + 7, 150))
    assert np.array_equal(parts.report().contributions, report.contributions)


def test_a_return_spans_a_gap_in_the_closes(find):
    bars = np.full((4, 1, 5), 100.0)
    bars[:, 0, 3] = [100.0, np.nan, np.nan, 110.0]
    group = AgentGroup([AgentSpec(0, "w", "wild", (0,), (0.5, 1.0))], bars, find)
    group.opinions(0, 4)
    assert group.report().contributions[0] == pytest.approx(0.05)


def test_bars_can_be_added_as_they_come(specs, values, find):
    live = AgentGroup(specs, values[:100], find)
    live.opinions(0, 100)
    with pytest.raises(LostStateError, match="100 bars"):
        live.opinions(100, 101)
    live.append(values[100:101])
    got, _ = live.opinions(100, 101)
    expected, _ = AgentGroup(specs, values, find).opinions(100, 101)
    assert same(got, expected)
    with pytest.raises(SwarmSetupError, match="shape"):
        live.append(values[0])


def test_impossible_agents_are_refused(values, find):
    for spec, match in (
        (AgentSpec(0, "x", "drift", (9,), (1.0,)), "columns"),
        (AgentSpec(0, "x", "drift", (1, 1), (1.0,)), "columns"),
        (AgentSpec(0, "x", "gap", (1,), (1.0,)), "multiple of 2"),
        (AgentSpec(0, "x", "drift", (1,), ()), "parameters"),
    ):
        with pytest.raises(SwarmSetupError, match=match):
            AgentGroup([spec], values, find)


def test_a_failing_agent_is_in_the_same_state_whatever_the_blocks_and_after_a_restart(values, find):
    specs = [AgentSpec(0, "a", "touchy", (0,), (60.0,)), AgentSpec(1, "d", "drift", (1,), (1.0,))]
    answers = []
    for blocks in ([(0, 100)], [(0, 50), (50, 70), (70, 100)], [(95, 100)]):
        group = AgentGroup(specs, values, find)
        for start, stop in blocks:
            group.opinions(start, stop)
        opinions, silent = group.opinions(100, 150)
        assert silent == ()
        answers.append(opinions)
    assert same(answers[0], answers[1])
    assert same(answers[0], answers[2])
