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
from ray.exceptions import GetTimeoutError, RayActorError, RayError, RayTaskError, RuntimeEnvSetupError

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
STARTS = 3
"""How often a host is started whose node cannot unpack the files of the job, which it may the next time."""


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
        self._specs = tuple(specs)
        self._name = name or f"swarm-{uuid4().hex[:8]}"
        self._namespace = namespace
        self._members: dict[int, Sequence[AgentSpec]] = {}
        self._generations: dict[int, int] = {}
        self._actors: dict[int, Any] = {}
        self.resize(hosts)

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
        self._actors[host] = self._start(host, self._members[host])

    def resize(self, hosts: int) -> None:
        """Start so many hosts and end those before them, once all have started; `ServiceError` where they do not."""
        members: dict[int, Sequence[AgentSpec]] = dict(enumerate(partition(self._specs, hosts)))
        started: dict[int, Any] = {}
        try:
            self._begin(members, started)
        except (RayError, GetTimeoutError) as error:
            _kill(started)
            raise ServiceError(f"The swarm's hosts did not start: {error} Look at the Ray logs.") from error
        before, self._actors, self._members = self._actors, started, members
        _kill(before)

    def append(self, values: FloatArray) -> None:
        """Send new bars to every host and keep them for hosts started later."""
        self._added = np.concatenate([self._added, values])
        for actor in self._actors.values():
            actor.append.remote(values)

    def close(self) -> None:
        """Kill all hosts."""
        _kill(self._actors)
        self._actors = {}

    def _begin(self, members: Mapping[int, Sequence[AgentSpec]], started: dict[int, Any]) -> None:
        """Start hosts and wait for them; one whose node failed to unpack the job's files is started again."""
        waiting = dict(members)
        for left in reversed(range(STARTS)):
            begun = {number: self._start(number, specs) for number, specs in waiting.items()}
            started.update(begun)
            answers = {number: actor.ping.remote() for number, actor in begun.items()}
            waiting = {}
            for number, answer in answers.items():
                try:
                    ray.get(answer, timeout=START_SECONDS)
                except RuntimeEnvSetupError:
                    if not left:
                        raise
                    waiting[number] = members[number]

    def _start(self, number: int, specs: Sequence[AgentSpec]) -> Any:
        # The name of one that was killed may still be taken.
        self._generations[number] = self._generations.get(number, -1) + 1
        return AgentHost.options(  # type: ignore[attr-defined]
            name=f"{self._name}/host-{number}.{self._generations[number]}",
            namespace=self._namespace,
            scheduling_strategy="SPREAD",
        ).remote(number, specs, self._panel_ref, self._find, self._added)

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


def _kill(actors: Mapping[int, Any]) -> None:
    for actor in actors.values():
        ray.kill(actor, no_restart=True)


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
