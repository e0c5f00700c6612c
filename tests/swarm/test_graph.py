import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nt_ray.swarm.failures import SwarmSetupError
from nt_ray.swarm.graph import regular_graph


@settings(max_examples=60)
@given(n=st.integers(1, 150), half=st.integers(1, 5), seed=st.integers(0, 2**31))
def test_the_graph_is_simple_regular_and_connected(n, half, seed):
    graph = regular_graph(n, 2 * half, seed)
    edges = graph.edges()
    assert len(edges) == len(set(edges))
    assert all(i != j for i, j in edges)
    assert (graph.degrees == min(2 * half, n - 1)).all()
    reach = np.eye(n, dtype=bool)
    for i, j in edges:
        reach[i, j] = reach[j, i] = True
    for _ in range(8):
        reach = reach @ reach
    assert reach.all()


def test_the_same_seed_draws_the_same_graph_and_another_another():
    assert regular_graph(100, 6, 1).edges() == regular_graph(100, 6, 1).edges()
    assert regular_graph(100, 6, 1).edges() != regular_graph(100, 6, 2).edges()


def test_distances_equal_those_by_powers_of_the_adjacency_matrix():
    graph = regular_graph(60, 4, 9)
    adjacency = np.eye(60, dtype=np.int64)
    for i, j in graph.edges():
        adjacency[i, j] = adjacency[j, i] = 1
    expected = np.full((60, 60), -1)
    power = np.eye(60, dtype=np.int64)
    for steps in range(60):
        expected[(expected < 0) & (power > 0)] = steps
        power = np.minimum(power @ adjacency, 1)
    assert np.array_equal(graph.distances(np.arange(60)), expected)


def test_a_large_graph_mixes_fast():
    graph = regular_graph(1000, 8, 0)
    matrix = np.eye(1000)
    for i, j in graph.edges():
        matrix[i, j] = matrix[j, i] = 1.0
    second = np.sort(np.abs(np.linalg.eigvalsh(matrix / 9.0)))[-2]
    assert second < 0.8


@pytest.mark.parametrize("degree", [0, 1, 3, -2])
def test_impossible_degrees_are_refused(degree):
    with pytest.raises(SwarmSetupError, match="degree"):
        regular_graph(10, degree, 0)
