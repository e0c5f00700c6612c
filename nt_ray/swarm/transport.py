"""How the coordinator reaches hosts: the one interface of the in-process and the cluster transport.

A *ref* stands for a result that may not exist yet. Refs can be given as arguments, so results go from host
to host without passing through the coordinator.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from nt_ray.swarm.failures import HostFailure
from nt_ray.swarm.messages import AgentSpec
from nt_ray.types import FloatArray

Ref: TypeAlias = Any
"""A future result; what it is belongs to the transport."""


class Transport(Protocol):
    """Hosts numbered from 0; each call either yields a result or a `HostFailure`."""

    @property
    def members(self) -> Mapping[int, Sequence[AgentSpec]]:
        """Agents of each host."""

    @property
    def symbols(self) -> int:
        """Columns of the panel."""

    @property
    def bars(self) -> int:
        """Bars known so far."""

    def send(self, host: int, method: str, *args: Any, returns: int = 1) -> list[Ref]:
        """Call a host's method without waiting: `returns` refs."""

    def collect(
        self, refs: Mapping[Any, tuple[int, Ref]], deadline: float
    ) -> tuple[dict[Any, Any], dict[Any, HostFailure]]:
        """Wait for all (host, ref), at most `deadline` seconds: results and failures by key."""

    def replace(self, host: int) -> None:
        """Give up a host and start another with the same agents."""

    def resize(self, hosts: int) -> None:
        """Spread the agents anew over so many hosts, which rebuild what the agents remember; all or nothing."""

    def append(self, values: FloatArray) -> None:
        """Add new bars at every host, those started later included."""

    def close(self) -> None:
        """Stop all hosts."""
