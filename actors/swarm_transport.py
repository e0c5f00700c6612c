"""The cluster's transport of a swarm: hosts are actors spread over the nodes.

Results travel from actor to actor as object references. A host whose process or node has died, that is
restarting or that misses the deadline is reported as a failure; an error in the platform's own code is
raised as it is. Replaced hosts are killed for good and started again under the next name, on whatever node
is alive.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import uuid4

import numpy as np
import ray
from ray.exceptions import GetTimeoutError, RayActorError, RayError, RayTaskError

from actors.host import AgentHost
from nt_ray.errors import ServiceError
from nt_ray.market.bars import BarPanel
from nt_ray.strategies.base import Strategy
from nt_ray.swarm.failures import HostFailure, LostStateError
from nt_ray.swarm.messages import AgentSpec
from nt_ray.swarm.roster import partition
from nt_ray.types import FloatArray

START_SECONDS = 120.0
"""How long hosts may take to start: worker processes come up one after the other on a small machine."""


class RayTransport:
    """Hosts as actors, agents in contiguous ranges; Ray must be running."""

    def __init__(
        self,
        specs: Sequence[AgentSpec],
        panel: BarPanel | Any,
        find: Callable[[str], Strategy],
        hosts: int,
        *,
        name: str | None = None,
        namespace: str = "nt-ray",
    ) -> None:
        """Start the hosts; `panel` is a panel or an object reference to one, `find` finds a strategy."""
        self._panel_ref = ray.put(panel) if isinstance(panel, BarPanel) else panel
        known: BarPanel = ray.get(self._panel_ref)
        self._bars, self._symbols = len(known), len(known.symbols)
        self._added = np.zeros((0, *known.values.shape[1:]))
        self._find = find
        self._name = name or f"swarm-{uuid4().hex[:8]}"
        self._namespace = namespace
        self._members = dict(enumerate(partition(specs, hosts)))
        self._generations = dict.fromkeys(self._members, 0)
        self._actors = {number: self._start(number) for number in self._members}
        try:
            ray.get([a.ping.remote() for a in self._actors.values()], timeout=START_SECONDS)
        except (RayError, GetTimeoutError) as error:
            self.close()
            raise ServiceError(f"The swarm's hosts did not start: {error} Look at the Ray logs.") from error

    @property
    def members(self) -> Mapping[int, Sequence[AgentSpec]]:
        """Agents of each host."""
        return self._members

    @property
    def symbols(self) -> int:
        """Columns of the panel."""
        return self._symbols

    @property
    def bars(self) -> int:
        """Bars known so far."""
        return self._bars + len(self._added)

    @property
    def actors(self) -> Mapping[int, Any]:
        """Handle of each host's present actor."""
        return self._actors

    def send(self, host: int, method: str, *args: Any, returns: int = 1) -> list[Any]:
        """Call a host's method; refs among the arguments are resolved on the way to it."""
        call = getattr(self._actors[host], method)
        refs = call.options(num_returns=returns).remote(*args)
        return list(refs) if returns > 1 else [refs]

    def collect(
        self, refs: Mapping[Any, tuple[int, Any]], deadline: float
    ) -> tuple[dict[Any, Any], dict[Any, HostFailure]]:
        """Wait for all at once; only where that fails look at each."""
        ends = time.monotonic() + deadline
        try:
            values = ray.get([ref for _, ref in refs.values()], timeout=deadline)
            return dict(zip(refs, values, strict=True)), {}
        except (RayError, LostStateError):
            return self._collect_each(refs, max(ends - time.monotonic(), 0.0))

    def replace(self, host: int) -> None:
        """Kill a host for good and start another with the same agents."""
        ray.kill(self._actors[host], no_restart=True)
        self._generations[host] += 1
        self._actors[host] = self._start(host)

    def append(self, values: FloatArray) -> None:
        """Send new bars to every host and keep them for hosts started later."""
        self._added = np.concatenate([self._added, values])
        for actor in self._actors.values():
            actor.append.remote(values)

    def close(self) -> None:
        """Kill all hosts."""
        for actor in self._actors.values():
            ray.kill(actor, no_restart=True)
        self._actors = {}

    def _start(self, number: int) -> Any:
        return AgentHost.options(  # type: ignore[attr-defined]
            name=f"{self._name}/host-{number}.{self._generations[number]}",
            namespace=self._namespace,
            scheduling_strategy="SPREAD",
        ).remote(number, self._members[number], self._panel_ref, self._find, self._added)

    def _collect_each(
        self, refs: Mapping[Any, tuple[int, Any]], seconds: float
    ) -> tuple[dict[Any, Any], dict[Any, HostFailure]]:
        pending = [ref for _, ref in refs.values()]
        ready = set(ray.wait(pending, num_returns=len(pending), timeout=seconds)[0])
        results: dict[Any, Any] = {}
        failures: dict[Any, HostFailure] = {}
        for key, (host, ref) in refs.items():
            if ref not in ready:
                failures[key] = HostFailure(host, "late", "no answer at the deadline")
                continue
            try:
                results[key] = ray.get(ref)
            except (RayError, LostStateError) as error:
                failures[key] = _failure(host, error)
        return results, failures


def _failure(host: int, error: Exception) -> HostFailure:
    """Say what an error means for a host; raise it where it is a fault of the platform's code."""
    reason = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    if isinstance(error, LostStateError):
        return HostFailure(host, "lost", reason)
    if isinstance(error, RayTaskError):
        # An argument that was lost with another host surfaces as the cause of this host's failure.
        if isinstance(error.cause, RayError):
            return HostFailure(host, "lost", reason)
        raise error
    return HostFailure(host, "dead" if isinstance(error, RayActorError) else "lost", reason)
