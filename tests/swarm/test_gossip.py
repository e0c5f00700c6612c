import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nt_ray.swarm.failures import LostStateError
from nt_ray.swarm.flood import FloodNode
from nt_ray.swarm.gossip import GossipNode
from nt_ray.swarm.mesh_plan import MeshPlan
from nt_ray.swarm.messages import TARGET_ONE, WEIGHT_ONE, Opinions

SYMBOLS = 3


def session(agents, hosts, bars, seed):
    random = np.random.default_rng(seed)
    owners = np.sort(np.concatenate([np.arange(hosts), random.integers(0, hosts, agents - hosts)]))
    names = np.sort(random.choice(10 * agents, agents, replace=False))
    plan = MeshPlan(0, 0, bars, names, owners, tuple(range(hosts)), 4, seed)
    opinions = []
    for host in range(hosts):
        mine = names[owners == host]
        columns = np.repeat(mine, 2), np.tile([0, 2], len(mine))
        shape = (bars, 2 * len(mine))
        targets = random.integers(-TARGET_ONE, TARGET_ONE + 1, shape)
        weights = random.integers(0, WEIGHT_ONE + 1, shape) * (random.random(shape) < 0.6)
        opinions.append(Opinions(*columns, targets, weights))
    return plan, opinions


def exchange(nodes, number, parcels):
    hosts = range(len(nodes))
    results = [nodes[h].step(number, tuple(parcels[(o, h)] for o in hosts if o != h) if number else ()) for h in hosts]
    out = {}
    for h in hosts:
        for other, parcel in zip([o for o in hosts if o != h], results[h][1], strict=True):
            out[(h, other)] = parcel
    return [summary for summary, _ in results], out


@settings(max_examples=15)
@given(agents=st.integers(4, 40), hosts=st.integers(1, 4), seed=st.integers(0, 10_000))
def test_mass_is_conserved_to_the_last_unit_and_the_truth_lies_between_the_estimates(agents, hosts, seed):
    plan, opinions = session(agents, hosts, 2, seed)
    nodes = [GossipNode(h, plan, opinions[h], SYMBOLS) for h in range(hosts)]
    before = sum(n.mass() for n in nodes)
    truth = np.full(2 * SYMBOLS, np.nan)
    np.divide(before[1], before[0] * float(TARGET_ONE), out=truth, where=before[0] > 0)
    parcels = {}
    for number in range(20):
        summaries, parcels = exchange(nodes, number, parcels)
        assert np.array_equal(sum(n.mass() + n.in_flight() for n in nodes), before)
        least = np.min([s.least for s in summaries], axis=0).ravel()
        greatest = np.max([s.greatest for s in summaries], axis=0).ravel()
        known = ~np.isnan(truth)
        assert (least[known] <= truth[known] + 1e-12).all()
        assert (greatest[known] >= truth[known] - 1e-12).all()


def test_estimates_draw_together():
    plan, opinions = session(60, 3, 1, 4)
    nodes = [GossipNode(h, plan, opinions[h], SYMBOLS) for h in range(3)]
    parcels = {}
    for number in range(60):
        summaries, parcels = exchange(nodes, number, parcels)
    least = np.min([s.least for s in summaries], axis=0)
    greatest = np.max([s.greatest for s in summaries], axis=0)
    assert (greatest - least)[:, [0, 2]].max() < 1e-3
    assert (sum(s.reached for s in summaries)[:, [0, 2]] == 60).all()
    assert (sum(s.reached for s in summaries)[:, 1] == 0).all()


def test_a_round_out_of_order_is_refused():
    plan, opinions = session(10, 1, 1, 0)
    node = GossipNode(0, plan, opinions[0], SYMBOLS)
    node.step(0, ())
    with pytest.raises(LostStateError, match="round 3"):
        node.step(3, ())
    flood = FloodNode(0, plan, opinions[0])
    with pytest.raises(LostStateError, match="round 2"):
        flood.step(2, ())


@settings(max_examples=15)
@given(agents=st.integers(4, 60), hosts=st.integers(1, 4), seed=st.integers(0, 10_000))
def test_flooding_ends_when_every_host_knows_every_opinion_after_as_many_rounds_as_the_graph_is_wide(
    agents, hosts, seed
):
    plan, opinions = session(agents, hosts, 2, seed)
    nodes = [FloodNode(h, plan, opinions[h]) for h in range(hosts)]
    parcels, number, done = {}, 0, False
    while not done:
        summaries, parcels = exchange(nodes, number, parcels)
        done = all(s.complete for s in summaries)
        number += 1
        assert number < 50
    width = plan.graph().distances(np.arange(agents)).max()
    assert number - 1 == width
    targets = np.concatenate([o.targets for o in opinions], axis=1)
    for node in nodes:
        assert node.known().agents.tolist() == np.repeat(plan.agents, 2).tolist()
        assert np.array_equal(node.known().targets, targets)
