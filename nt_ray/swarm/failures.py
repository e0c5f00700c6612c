"""Failures of hosts, as the coordinator of a swarm sees them.

A failure of a host is an event to live with: it is repaired or left out. It is never raised for a fault in
the code of the platform, which travels to the caller as what it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from nt_ray.errors import BadInputError, StrategyError, SwarmError
from nt_ray.swarm.messages import Silence


@dataclass(frozen=True, slots=True)
class HostFailure:
    """A host that gave no result: it died, was late at the deadline, or lost what a call relied on."""

    host: int
    kind: Literal["dead", "late", "lost"]
    reason: str


class HostsFailedError(SwarmError):
    """Some hosts failed while opinions were combined."""

    def __init__(self, failures: tuple[HostFailure, ...]) -> None:
        names = ", ".join(f"{f.host} ({f.kind}: {f.reason})" for f in failures)
        super().__init__(f"Hosts failed during a round: {names}. Repair or leave out these hosts and ask again.")
        self.failures = failures


class LostStateError(SwarmError):
    """A host was asked to continue something it does not remember, as after a restart."""


class AgentFaultError(StrategyError):
    """Agents whose strategy raised, or said what is no vote, where that is to stop the swarm.

    `faults` are those of the first bar at which there is one.
    """

    code = "agent_fault"

    def __init__(self, faults: Sequence[Silence], sentence: str = "") -> None:
        first = min(fault.bar for fault in faults)
        self.faults = tuple(sorted((f for f in faults if f.bar == first), key=lambda f: f.agent))
        plain = f"Agent {self.faults[0].agent} is at fault at bar {first}: {self.faults[0].reason}."
        super().__init__(sentence or f"{plain} Mend its strategy, or let it abstain.")

    @property
    def bar(self) -> int:
        """Bar of the faults."""
        return self.faults[0].bar


class SwarmSetupError(BadInputError):
    """A swarm that cannot be built, or a block that cannot be asked for."""

    code = "swarm_setup"
