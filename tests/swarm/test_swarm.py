import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nt_ray.errors import SwarmError
from nt_ray.swarm.failures import AgentFaultError, SwarmSetupError
from nt_ray.swarm.hedge import Hedge
from nt_ray.swarm.in_process import Fault, InProcessTransport
from nt_ray.swarm.messages import AgentSpec
from nt_ray.swarm.rules import Majority, Mean, Median, Trimmed
from nt_ray.swarm.swarm import Swarm, SwarmParams
from nt_ray.swarm.topology.hierarchical import Hierarchical
from nt_ray.swarm.topology.mesh import Mesh
from nt_ray.swarm.topology.ring import Ring
from nt_ray.swarm.topology.star import Star

EPSILON = 0.01
TOPOLOGIES = {
    "star": Star,
    "hierarchical": lambda: Hierarchical(2),
    "ring": Ring,
    "mesh": lambda: Mesh(degree=4, epsilon=EPSILON, seed=5),
}
RULES = {
    "mean": lambda values: Mean(),
    "median": lambda values: Median(),
    "trimmed": lambda values: Trimmed(0.2),
    "majority": lambda values: Majority(),
    "hedge": lambda values: Hedge(20, values),
}


class Steady:
    def __init__(self, target, confidence=1.0):
        self.target, self.confidence = target, confidence

    def opinions(self, start, stop):
        return np.full((stop - start, 1), self.target), np.full((stop - start, 1), self.confidence)


class Broken:
    def opinions(self, start, stop):
        raise RuntimeError("gone fishing")


def decide(swarm, block, first=0, last=150):
    parts = [swarm.decide(a, min(a + block, last)) for a in range(first, last, block)]
    return np.concatenate([p.exposures for p in parts]), np.concatenate([p.disagreement for p in parts])


def build(specs, values, find, hosts=1, topology="star", rule="mean", faults=(), params=None, plain=None):
    transport = InProcessTransport(specs, values, find, hosts, faults=faults, plain=plain)
    return Swarm(specs, transport, TOPOLOGIES[topology](), RULES[rule](values), params), transport


def steady_swarm(values, find, targets, rule="mean", topology="star", hosts=1, plain=None, **params):
    specs = [AgentSpec(i, f"p{i}", "plain", (0,), ()) for i in range(len(targets))]
    agents = {i: Steady(t) for i, t in enumerate(targets)} | (plain or {})
    transport = InProcessTransport(specs, values, find, hosts, plain=agents)
    return Swarm(specs, transport, TOPOLOGIES[topology](), RULES[rule](values), SwarmParams(**params))


@pytest.fixture(scope="module")
def reference(specs, values, find):
    return {rule: decide(build(specs, values, find, rule=rule)[0], 150) for rule in RULES}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("topology", ["star", "hierarchical", "ring"])
def test_star_hierarchy_and_ring_decide_the_same_bits(specs, values, find, reference, rule, topology):
    swarm, _ = build(specs, values, find, hosts=5, topology=topology, rule=rule)
    exposures, disagreement = decide(swarm, 32)
    assert np.array_equal(exposures, reference[rule][0], equal_nan=True)
    assert np.array_equal(disagreement, reference[rule][1], equal_nan=True)


@pytest.mark.parametrize("rule", ["median", "trimmed", "majority", "hedge"])
def test_a_mesh_floods_gathering_rules_to_the_same_bits(specs, values, find, reference, rule):
    swarm, _ = build(specs, values, find, hosts=3, topology="mesh", rule=rule)
    assert np.array_equal(decide(swarm, 64)[0], reference[rule][0], equal_nan=True)


def test_a_mesh_gossips_to_within_epsilon_of_the_mean(specs, values, find, reference):
    swarm, _ = build(specs, values, find, hosts=3, topology="mesh")
    exposures, _ = decide(swarm, 64)
    expected, _ = reference["mean"]
    assert np.array_equal(np.isnan(exposures), np.isnan(expected))
    assert np.nanmax(np.abs(exposures - expected)) <= EPSILON
    assert np.nanmax(np.abs(exposures - expected)) > 0.0


@settings(max_examples=12)
@given(
    hosts=st.integers(1, 20),
    block=st.integers(1, 80),
    topology=st.sampled_from(["star", "hierarchical", "ring", "mesh"]),
    rule=st.sampled_from(sorted(RULES)),
)
def test_decisions_depend_on_neither_hosts_nor_block_size(specs, values, find, hosts, block, topology, rule):
    short = values[:60]
    one = build(specs, short, find, 1, topology, rule)[0].decide(0, 60)
    many, _ = decide(build(specs, short, find, hosts, topology, rule)[0], block, last=60)
    assert np.array_equal(one.exposures, many, equal_nan=True)


def test_the_mean_equals_a_plain_weighted_average(values, find):
    swarm = steady_swarm(values, find, [0.5, -0.25, 1.0], plain={1: Steady(-0.25, 0.5)})
    decision = swarm.decide(0, 2)
    mean = (0.5 - 0.25 * 0.5 + 1.0) / 2.5
    variance = (0.25 + 0.0625 * 0.5 + 1.0) / 2.5 - mean**2
    assert decision.exposures[0, 0] == pytest.approx(mean, abs=1e-12)
    assert decision.disagreement[0, 0] == pytest.approx(np.sqrt(variance), abs=1e-12)
    assert np.isnan(decision.exposures[:, 1:]).all()


def test_one_agent_alone_decides_exactly_what_it_says(values, find):
    specs = [AgentSpec(0, "d", "drift", (0, 1), (0.7,))]
    decision = build(specs, values, find)[0].decide(0, 150)
    opinions, _ = InProcessTransport(specs, values, find)._hosts[0]._group.opinions(0, 150)
    said = np.where(opinions.weights > 0, opinions.targets / 2**15, np.nan)
    assert np.array_equal(decision.exposures[:, :2], said, equal_nan=True)


def test_everyone_abstaining_means_hold(values, find):
    swarm = steady_swarm(values, find, [0.5, 0.5], plain={0: Steady(0.5, 0.0), 1: Steady(-1.0, 0.0)})
    decision = swarm.decide(3, 5)
    assert np.isnan(decision.exposures).all()
    assert decision.quorate[:, 0].all()


@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize(("quorum", "held"), [(0.75, False), (0.76, True)])
def test_below_quorum_the_decision_is_hold(values, find, topology, quorum, held):
    swarm = steady_swarm(values, find, [0.5] * 4, topology=topology, hosts=2, plain={2: Broken()}, quorum=quorum)
    decision = swarm.decide(0, 3)
    assert np.isnan(decision.exposures[:, 0]).all() == held
    assert decision.stats.silent == 1
    assert swarm.stats.silent_rounds.tolist() == [0, 0, 1, 0]
    assert "gone fishing" in swarm.stats.faults[2].reason


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_a_fault_may_stop_the_swarm_before_it_decides(values, find, topology):
    swarm = steady_swarm(values, find, [0.5] * 4, topology=topology, hosts=2, plain={2: Broken()}, on_fault="stop")
    with pytest.raises(AgentFaultError, match="Agent 2 is at fault at bar 3: RuntimeError: gone fishing") as caught:
        swarm.decide(3, 5)
    assert [(f.agent, f.bar) for f in caught.value.faults] == [(2, 3)]
    assert swarm.stats.decisions == 0


def test_nobody_answering_holds_everything(values, find):
    swarm = steady_swarm(values, find, [0.5, 0.5], plain={0: Broken(), 1: Broken()})
    decision = swarm.decide(0, 2)
    assert np.isnan(decision.exposures).all()
    assert not decision.quorate.any()


# A fifth of the voters is trimmed at each end: of ten, two may lie.
@settings(max_examples=30)
@given(
    honest=st.lists(st.floats(-0.5, 0.5), min_size=8, max_size=11),
    lies=st.lists(st.sampled_from([-1.0, 1.0]), min_size=1, max_size=2),
    rule=st.sampled_from(["median", "trimmed"]),
)
def test_median_and_trimmed_mean_stay_among_honest_voices(values, find, honest, lies, rule):
    swarm = steady_swarm(values, find, [*lies, *honest], rule=rule)
    exposure = swarm.decide(0, 1).exposures[0, 0]
    half_unit = 2.0**-16
    assert min(honest) - half_unit <= exposure <= max(honest) + half_unit


def test_the_mean_is_moved_by_a_liar_where_median_and_trimmed_mean_are_not(values, find):
    voices = [1.0, 0.0, 0.0, 0.0, 0.0]
    assert steady_swarm(values, find, voices, "mean").decide(0, 1).exposures[0, 0] == pytest.approx(0.2)
    assert steady_swarm(values, find, voices, "median").decide(0, 1).exposures[0, 0] == 0.0
    assert steady_swarm(values, find, voices, "trimmed").decide(0, 1).exposures[0, 0] == 0.0


@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("rule", ["mean", "median"])
def test_strict_repair_gives_the_decisions_of_an_undisturbed_run(specs, values, find, topology, rule):
    undisturbed, _ = build(specs, values, find, 4, topology, rule)
    expected, _ = decide(undisturbed, 50)
    random = np.random.default_rng(11)
    kinds = ("kill", "drop", "delay")
    faults = [
        Fault(int(random.integers(4)), int(random.integers(12)), kinds[int(random.integers(3))]) for _ in range(8)
    ]
    swarm, transport = build(specs, values, find, 4, topology, rule, faults, SwarmParams(max_repairs=20))
    got, _ = decide(swarm, 50)
    assert np.array_equal(got, expected, equal_nan=True)
    assert swarm.stats.repairs > 0
    assert len(transport.replaced) == swarm.stats.repairs
    assert swarm.stats.silent == 0


@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("call", [0, 1])
def test_without_strictness_the_round_goes_on_without_a_dead_hub(specs, values, find, topology, call):
    params = SwarmParams(strict=False, quorum=0.3)
    swarm, transport = build(specs, values, find, 4, topology, "mean", [Fault(0, call, "kill")], params)
    decision = swarm.decide(20, 40)
    rest = [AgentSpec(i, s.name, s.strategy, s.symbols, s.params) for i, s in enumerate(specs[5:])]
    alone, _ = build(rest, values, find, 2, "star", "mean", params=SwarmParams(quorum=0.01))
    expected = alone.decide(20, 40)
    tolerance = EPSILON if topology == "mesh" else 0.0
    both = ~np.isnan(decision.exposures)
    assert both.any()
    assert np.abs(decision.exposures - expected.exposures)[both].max() <= tolerance
    assert decision.stats.silent == 5
    assert transport.replaced == [0]
    assert swarm.decide(40, 60).stats.silent == 0


def test_a_host_that_is_late_is_left_out_and_one_that_is_late_again_is_replaced(specs, values, find):
    faults = [Fault(1, 0, "delay"), Fault(1, 1, "delay")]
    swarm, transport = build(specs, values, find, 4, faults=faults, params=SwarmParams(strict=False, quorum=0.1))
    assert swarm.decide(0, 10).stats.silent == 5
    assert transport.replaced == []
    assert swarm.decide(10, 20).stats.silent == 5
    assert transport.replaced == [1]
    assert swarm.decide(20, 30).stats.silent == 0


def test_repairs_are_bounded(specs, values, find):
    faults = [Fault(2, call, "kill") for call in range(20)]
    params = SwarmParams(max_repairs=3, quorum=0.1)
    swarm, transport = build(specs, values, find, 4, faults=faults, params=params)
    decision = swarm.decide(0, 10)
    assert decision.stats.silent == 5
    assert swarm.stats.repairs == 3
    assert len(transport.replaced) == 4


def test_a_swarm_without_any_host_says_so(specs, values, find):
    faults = [Fault(h, c, "kill") for h in range(2) for c in range(20)]
    swarm, _ = build(specs, values, find, 2, faults=faults, params=SwarmParams(max_repairs=2))
    with pytest.raises(SwarmError, match="No host answered"):
        swarm.decide(0, 5)


def test_prefetching_changes_nothing(specs, values, find, reference):
    swarm, _ = build(specs, values, find, 3, "hierarchical")
    parts = []
    for start in range(0, 150, 50):
        parts.append(swarm.decide(start, start + 50).exposures)
        if start < 100:
            swarm.prefetch(start + 50, start + 100)
    assert np.array_equal(np.concatenate(parts), reference["mean"][0], equal_nan=True)
    assert swarm.stats.decisions == 3
    assert swarm.stats.bars == 150


@pytest.mark.parametrize("rule", ["mean", "hedge"])
def test_live_bars_give_the_decisions_of_a_replay(specs, values, find, reference, rule):
    transport = InProcessTransport(specs, values[:100], find, 3)
    swarm = Swarm(specs, transport, Star(), RULES[rule](values[:100]))
    parts = [swarm.decide(0, 100).exposures]
    for bar in range(100, 150):
        swarm.append(values[bar : bar + 1])
        parts.append(swarm.decide(bar, bar + 1).exposures)
    assert np.array_equal(np.concatenate(parts), reference[rule][0], equal_nan=True)


def test_the_report_covers_every_agent_whatever_the_hosts(specs, values, find):
    one, _ = build(specs, values, find, 1)
    many, _ = build(specs, values, find, 6, "ring")
    for swarm in (one, many):
        swarm.decide(0, 150)
    assert np.array_equal(one.report().contributions, many.report().contributions)
    assert not np.isnan(one.report().contributions).any()


def test_messages_are_counted_as_the_topologies_define_them(specs, values, find):
    counts = {}
    for name in TOPOLOGIES:
        swarm, _ = build(specs, values, find, 4, name)
        counts[name] = swarm.decide(0, 10).stats
    assert (counts["star"].messages, counts["star"].rounds) == (19, 1)
    assert counts["hierarchical"].messages == 19
    assert (counts["ring"].messages, counts["ring"].rounds) == (20, 20)
    assert counts["mesh"].messages == counts["mesh"].rounds * 20 * 4


def test_edges_draw_the_graph_of_each_topology(specs, values, find):
    swarm, _ = build(specs, values, find, 4)
    assert swarm.edges() == [(0, i) for i in range(1, 20)]
    tree = swarm.edges(Hierarchical(2))
    assert len(tree) == 19
    assert {child for _, child in tree} == set(range(1, 20))
    ring = swarm.edges(Ring())
    assert len(ring) == 20
    assert (19, 0) in ring
    degrees = np.bincount(np.array(swarm.edges(Mesh(4))).ravel(), minlength=20)
    assert (degrees == 4).all()


def test_deferring_agents_yield_to_a_more_confident_running_decision(values, find):
    specs = [
        AgentSpec(0, "sure", "plain", (0,), ()),
        AgentSpec(1, "contrary", "plain", (0,), (), defers=True),
        AgentSpec(2, "stubborn", "plain", (0,), ()),
        AgentSpec(3, "agrees", "plain", (0,), (), defers=True),
        AgentSpec(4, "surer", "plain", (0,), (), defers=True),
    ]
    plain = {
        0: Steady(1.0, 0.5),
        1: Steady(-1.0, 0.25),
        2: Steady(-0.5, 0.25),
        3: Steady(0.5, 0.125),
        4: Steady(-1.0, 1.0),
    }
    for hosts in (1, 2, 5):
        transport = InProcessTransport(specs, values, find, hosts, plain=plain)
        swarm = Swarm(specs, transport, Ring(), Mean())
        spoken = [(1.0, 0.5), (-0.5, 0.25), (0.5, 0.125), (-1.0, 1.0)]
        expected = sum(t * w for t, w in spoken) / sum(w for _, w in spoken)
        assert swarm.decide(0, 2).exposures[0, 0] == pytest.approx(expected, abs=1e-12)
        gathered = Swarm(specs, transport, Ring(), Median())
        assert gathered.decide(0, 2).exposures[0, 0] == pytest.approx((-0.5 + 0.5) / 2)


def test_impossible_settings_and_blocks_are_refused(specs, values, find):
    for bad in ({"quorum": 0.0}, {"quorum": 1.1}, {"deadline": 0.0}, {"max_repairs": -1}):
        with pytest.raises(SwarmSetupError):
            SwarmParams(**bad)
    swarm, _ = build(specs, values, find)
    for start, stop in ((-1, 2), (5, 5), (140, 151)):
        with pytest.raises(SwarmSetupError, match="outside the panel"):
            swarm.decide(start, stop)


def test_a_mesh_that_does_not_agree_in_time_holds(specs, values, find):
    transport = InProcessTransport(specs, values, find, 2)
    hasty = Swarm(specs, transport, Mesh(degree=2, epsilon=1e-6, max_rounds=2), Mean())
    decision = hasty.decide(40, 60)
    assert np.isnan(decision.exposures).all()
    assert decision.quorate.all()
    assert decision.stats.rounds == 2
    patient = Swarm(specs, transport, Mesh(degree=2, epsilon=0.01, max_rounds=2000), Mean())
    assert not np.isnan(patient.decide(40, 60).exposures).any()


def test_impossible_topologies_are_refused():
    for make in (
        lambda: Hierarchical(0),
        lambda: Mesh(degree=3),
        lambda: Mesh(epsilon=0.0),
        lambda: Mesh(epsilon=1.0),
        lambda: Mesh(max_rounds=0),
    ):
        with pytest.raises(SwarmSetupError):
            make()
