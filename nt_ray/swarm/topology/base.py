"""What every topology is given and gives back: a dataflow plan over hosts against a `Transport`.

A plan sends calls whose arguments are refs of earlier calls, so no host ever waits inside a call for
another one. Plans hold no state between rounds; a failed host makes them raise `HostsFailedError`, nothing
else changes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from nt_ray.swarm.failures import HostFailure, HostsFailedError
from nt_ray.swarm.messages import Opinions, Tally
from nt_ray.swarm.transport import Ref, Transport
from nt_ray.types import FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Round:
    """One block of bars, after the agents have answered and before their voices are combined."""

    transport: Transport
    start: int
    stop: int
    gathers: bool
    """The rule needs every opinion, not only sums."""
    ballots: Mapping[int, Ref]
    """Ballot of each host that takes part, where the topology asks for ballots."""
    answered: Mapping[int, IntArray]
    """Agents that answered, by host."""
    deadline: float

    @property
    def hosts(self) -> tuple[int, ...]:
        """Hosts that take part, ascending."""
        return tuple(sorted(self.answered))

    @property
    def agents(self) -> IntArray:
        """Agents that take part, ascending."""
        return np.sort(np.concatenate([self.answered[h] for h in self.hosts]))


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """What a node of a mesh believes after gossip, each (K, N); NaN without votes or agreement."""

    exposures: FloatArray
    disagreement: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What a topology brought together, and what it took."""

    tally: Tally
    opinions: Opinions | None
    estimate: Estimate | None
    messages: int
    rounds: int


class Topology(Protocol):
    """A way for opinions to travel."""

    @property
    def name(self) -> str:
        """Name in configuration and reports."""

    @property
    def by_ballot(self) -> bool:
        """Whether hosts hand out ballots; if not, opinions stay with them until `combine`."""

    def combine(self, work: Round) -> Outcome:
        """Bring the voices of one round together."""

    def edges(self, members: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
        """Pairs of agents between which messages pass, for hosts with these agents."""


def fetch(work: Round, refs: Mapping[Any, tuple[int, Ref]]) -> dict[Any, Any]:
    """Wait for all of these results, or raise `HostsFailedError`."""
    results, failures = work.transport.collect(refs, work.deadline)
    if failures:
        raise HostsFailedError(_roots(tuple(failures.values())))
    return results


def _roots(failures: Sequence[HostFailure]) -> tuple[HostFailure, ...]:
    """Failures that are not mere consequences: hosts that died, else the first in the flow.

    A call whose argument comes from a failed host fails too, without any fault of its own host.
    """
    dead = {f.host: f for f in failures if f.kind == "dead"}
    return tuple(dead[h] for h in sorted(dead)) if dead else (failures[0],)


def depth(parents: Mapping[int, int]) -> int:
    """Longest way to the root of a tree given as child to parent."""
    longest = 0
    for node in parents:
        steps, at = 0, node
        while at in parents:
            at, steps = parents[at], steps + 1
        longest = max(longest, steps)
    return longest
