"""What all hosts of a mesh agree on before they exchange anything: who takes part, where, in which graph."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from nt_ray.swarm.graph import Graph, regular_graph
from nt_ray.types import IntArray


@dataclass(frozen=True, slots=True, eq=False)
class MeshPlan:
    """One session of exchange over one block. `session` tells it from any other."""

    session: int
    start: int
    stop: int
    agents: IntArray
    """(A,) agents that take part, ascending: their order is their place in the graph."""
    owners: IntArray
    """(A,) host of each."""
    hosts: tuple[int, ...]
    """Hosts that take part, ascending: the order of parcels."""
    degree: int
    seed: int

    def graph(self) -> Graph:
        """The graph over places 0 to A - 1."""
        return cached_graph(len(self.agents), self.degree, self.seed)

    def places(self, host: int) -> IntArray:
        """Places of a host's agents, ascending."""
        return np.flatnonzero(self.owners == host)

    def border(self, source: int, target: int) -> IntArray:
        """Places at `source` with a neighbour at `target`, ascending: whose shares a parcel carries."""
        graph = self.graph()
        touches = np.repeat(np.arange(len(self.agents)), graph.degrees)[self.owners[graph.neighbours] == target]
        return np.unique(touches[self.owners[touches] == source])


@lru_cache(maxsize=16)
def cached_graph(n: int, degree: int, seed: int) -> Graph:
    """The graph of a mesh, drawn once in a process."""
    return regular_graph(n, degree, seed)
