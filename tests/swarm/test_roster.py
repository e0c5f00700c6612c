import pytest

from nt_ray.strategies import registry
from nt_ray.swarm.failures import SwarmSetupError
from nt_ray.swarm.messages import MAX_AGENTS, AgentSpec
from nt_ray.swarm.roster import DEFAULT_VARIANTS, RosterParams, partition, roster, symbol_groups

SYMBOLS = [f"S{i}" for i in range(20)]


def many(count):
    return [AgentSpec(i, "x", "x", (0,), ()) for i in range(count)]


def test_the_default_roster_over_twenty_symbols_has_at_least_sixty_agents_of_every_strategy():
    specs = roster(SYMBOLS, RosterParams(), registry.find)
    assert len(specs) >= 60
    assert [s.agent for s in specs] == list(range(len(specs)))
    assert len({s.name for s in specs}) == len(specs)
    assert {s.strategy for s in specs} == {"momentum", "mean_reversion", "pairs"}
    assert {c for s in specs for c in s.symbols} == set(range(20))
    assert specs == roster(SYMBOLS, RosterParams(), registry.find)


def test_every_default_variant_is_a_valid_setting_of_its_strategy():
    for name, variants in DEFAULT_VARIANTS.items():
        vectors = {tuple(registry.find(name).vector(values)) for values in variants.values()}
        assert len(vectors) == len(variants)


def test_pairs_are_neighbours_within_their_group():
    specs = roster(SYMBOLS, RosterParams(group_size=5), registry.find)
    pairs = {s.symbols for s in specs if s.strategy == "pairs"}
    assert pairs == {(0, 1, 2, 3), (5, 6, 7, 8), (10, 11, 12, 13), (15, 16, 17, 18)}


def test_copies_and_deference_are_passed_on():
    specs = roster(SYMBOLS, RosterParams(copies=3, defer=True), registry.find)
    single = roster(SYMBOLS, RosterParams(), registry.find)
    assert len(specs) == 3 * len(single)
    assert all(s.defers for s in specs)
    assert len({s.name for s in specs}) == len(specs)


@pytest.mark.parametrize(
    ("count", "size", "sizes"),
    [(20, 5, [5, 5, 5, 5]), (11, 5, [5, 6]), (12, 5, [5, 5, 2]), (3, 5, [3]), (3, 1, [1, 1, 1])],
)
def test_groups_cover_all_columns_and_none_is_left_alone(count, size, sizes):
    groups = symbol_groups(count, size)
    assert [len(g) for g in groups] == sizes
    assert [c for g in groups for c in g] == list(range(count))


@pytest.mark.parametrize(("agents", "hosts"), [(10, 3), (3, 10), (1, 1), (64, 7)])
def test_a_partition_is_contiguous_even_and_complete(agents, hosts):
    parts = partition(many(agents), hosts)
    assert len(parts) == min(agents, hosts)
    assert [s.agent for p in parts for s in p] == list(range(agents))
    sizes = [len(p) for p in parts]
    assert max(sizes) - min(sizes) <= 1


def test_impossible_rosters_are_refused():
    with pytest.raises(SwarmSetupError, match="group_size"):
        RosterParams(group_size=0)
    with pytest.raises(SwarmSetupError, match="no strategy"):
        RosterParams(variants={})
    with pytest.raises(SwarmSetupError, match="hosts"):
        partition(many(3), 0)
    with pytest.raises(SwarmSetupError, match=str(MAX_AGENTS)):
        partition(many(MAX_AGENTS + 1), 2)
    with pytest.raises(SwarmSetupError, match="order"):
        partition(many(3)[::-1], 2)
