"""A swarm that is changed while it trades: more or fewer hosts, another topology, from the next block of bars on.

What agents remember is a function of the bars, and linear rules decide the same in every topology, so a change moves
cost and never a decision (in a mesh up to its epsilon). A change that cannot be made is told and leaves the swarm as it
was. It knows nothing of who asks.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from nt_ray.errors import ServiceError
from nt_ray.swarm.messages import Decision
from nt_ray.swarm.swarm import Swarm
from nt_ray.swarm.topology.base import Topology


@dataclass(frozen=True, slots=True)
class Course:
    """What a swarm is to be like; None leaves it as it is."""

    hosts: int | None = None
    topology: str | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """What a swarm is like from a bar on, after a change was asked for; `refused` says why it was not made."""

    bar: int
    hosts: int
    topology: str
    refused: str = ""


class Steering(Protocol):
    """Whoever steers a swarm."""

    def course(self) -> Course:
        """What it is to be like now; asked before each block."""
        ...

    def turned(self, turn: Turn) -> None:
        """Hear what became of a change."""
        ...


class Steered:
    """Decides as the swarm does, and changes it between two blocks."""

    def __init__(self, swarm: Swarm, topology_of: Callable[[str], Topology], steering: Steering) -> None:
        """Take a swarm; `topology_of` makes a topology of its name."""
        self._swarm = swarm
        self._topology_of = topology_of
        self._steering = steering
        asked = steering.course()
        self._course = Course() if any(self._changes(asked)) else asked
        self.turns: list[Turn] = []
        """Changes so far."""

    def prefetch(self, start: int, stop: int) -> None:
        """Start working on a block of bars."""
        self._swarm.prefetch(start, stop)

    def decide(self, start: int, stop: int) -> Decision:
        """Decide a block of bars, by the swarm as it is asked for now."""
        asked = self._steering.course()
        if asked != self._course:
            self._course = asked
            self._turn(start, asked)
        return self._swarm.decide(start, stop)

    def _turn(self, bar: int, asked: Course) -> None:
        swarm, refused = self._swarm, ""
        try:
            hosts, topology = self._changes(asked)
            if hosts is not None:
                swarm.resize(hosts)
            if topology is not None:
                swarm.rewire(self._topology_of(topology))
        except ServiceError as error:
            refused = str(error)
        turn = Turn(bar, len(swarm.transport.members), swarm.topology, refused)
        self.turns.append(turn)
        self._steering.turned(turn)

    def _changes(self, asked: Course) -> tuple[int | None, str | None]:
        """Hosts and topology that the swarm does not have yet; no host is without an agent."""
        hosts = None if asked.hosts is None else min(asked.hosts, len(self._swarm.specs))
        topology = None if asked.topology == self._swarm.topology else asked.topology
        return None if hosts == len(self._swarm.transport.members) else hosts, topology
