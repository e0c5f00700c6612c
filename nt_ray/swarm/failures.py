"""Failures of hosts, as the coordinator of a swarm sees them.

A failure of a host is an event to live with: it is repaired or left out. It is never raised for a fault in
the code of the platform, which travels to the caller as what it is.
"""

from dataclasses import dataclass
from typing import Literal

from nt_ray.errors import BadInputError, SwarmError


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


class SwarmSetupError(BadInputError):
    """A swarm that cannot be built, or a block that cannot be asked for."""

    code = "swarm_setup"
