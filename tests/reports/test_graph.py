import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nt_ray.reports.graph import positions, swarm_graph
from nt_ray.reports.record import RunRecord


def test_a_star_has_its_hub_in_the_middle_and_the_rest_on_a_circle() -> None:
    places = positions("star", [5, 6, 7, 8], [(6, 5), (6, 7), (6, 8)])
    assert places[6] == (0.0, 0.0)
    assert all(math.hypot(*places[a]) == pytest.approx(1.0) for a in (5, 7, 8))


def test_a_tree_sets_parents_left_of_the_middle_of_their_children() -> None:
    places = positions("hierarchical", [0, 1, 2, 3, 4], [(0, 1), (0, 2), (1, 3), (1, 4)])
    assert [places[a][0] for a in range(5)] == [0, 1, 1, 2, 2]
    assert places[1][1] == (places[3][1] + places[4][1]) / 2
    assert places[0][1] == (places[1][1] + places[2][1]) / 2


def test_a_large_tree_stands_in_rings_around_its_root() -> None:
    agents = list(range(40))
    depth = [0] + [1] * 3 + [2] * 9 + [3] * 27
    places = positions("hierarchical", agents, [((a - 1) // 3, a) for a in agents[1:]])
    assert [math.hypot(*places[a]) for a in agents] == pytest.approx(depth)


@given(st.integers(1, 120), st.integers(1, 5), st.sampled_from(["star", "hierarchical", "ring", "mesh", "new"]))
def test_every_agent_has_a_place_of_its_own(count: int, fanout: int, topology: str) -> None:
    agents = list(range(count))
    edges = [(0 if topology == "star" else (a - 1) // fanout, a) for a in agents[1:]]
    places = positions(topology, agents, edges)
    assert set(places) == set(agents)
    assert len({(round(x, 9), round(y, 9)) for x, y in places.values()}) == count


def test_a_cycle_in_a_tree_still_places_everyone() -> None:
    assert set(positions("hierarchical", [0, 1, 2], [(1, 2), (2, 1)])) == {0, 1, 2}


def test_edges_of_agents_that_are_not_there_are_left_out(make_record: Callable[..., RunRecord]) -> None:
    figure = swarm_graph(make_record(agents=3, topology="star", edges=[(0, 1), (0, 99)]))
    assert len(figure["data"][0]["x"]) == 3
    assert sum(len(trace["x"]) for trace in figure["data"][1:]) == 3
