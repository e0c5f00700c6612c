"""Hierarchical: a tree of fan-out k; each node merges its own voices with what its children have merged.

Hosts form a heap: the children of the i-th live host are those at k i + 1 to k i + k. Without a dead host
the tree is simply laid out again over the rest. Inside a host its agents form the same kind of heap under
its first agent.
"""

from collections.abc import Sequence

from nt_ray.swarm.failures import SwarmSetupError
from nt_ray.swarm.messages import Ballot
from nt_ray.swarm.topology.base import Outcome, Round, depth, fetch
from nt_ray.swarm.transport import Ref


class Hierarchical:
    """For many agents on many hosts: no node receives more than `fanout` messages from other hosts."""

    name = "hierarchical"
    by_ballot = True

    def __init__(self, fanout: int = 4) -> None:
        if fanout < 1:
            raise SwarmSetupError(f"fanout={fanout} is impossible. Use at least 1.")
        self._fanout = fanout

    def combine(self, work: Round) -> Outcome:
        """Merge from the leaves to the root by refs, without the coordinator in between."""
        hosts = work.hosts
        merged: dict[int, Ref] = {}
        for place in reversed(range(len(hosts))):
            children = [merged[c] for c in self._children(place, len(hosts))]
            merged[place] = work.ballots[hosts[place]]
            if children or place == 0:
                [merged[place]] = work.transport.send(hosts[place], "merge", merged[place], *children)
        ballot: Ballot = fetch(work, {"root": (hosts[0], merged[0])})["root"]
        edges = self.edges([work.answered[h].tolist() for h in hosts])
        return Outcome(ballot.tally, ballot.opinions, None, len(edges), depth({b: a for a, b in edges}))

    def edges(self, members: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
        """Pairs (parent, child): a heap of host leaders, and a heap inside each host."""
        crews = [list(m) for m in members if len(m)]
        edges = [(crews[(i - 1) // self._fanout][0], crews[i][0]) for i in range(1, len(crews))]
        for crew in crews:
            edges += [(crew[(i - 1) // self._fanout], crew[i]) for i in range(1, len(crew))]
        return edges

    def _children(self, place: int, count: int) -> range:
        first = self._fanout * place + 1
        return range(first, min(first + self._fanout, count))
