"""A transport whose hosts live in the caller's process: for laptops, tests and plain replays.

Calls run at once, in the order in which they are sent. A script of faults may kill a host, drop an answer
or hold it back, so that every repair can be rehearsed without a cluster.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np

from nt_ray.strategies.base import Strategy
from nt_ray.swarm.agents import PlainAgent
from nt_ray.swarm.failures import HostFailure, LostStateError
from nt_ray.swarm.host import Host
from nt_ray.swarm.messages import AgentSpec
from nt_ray.swarm.roster import partition
from nt_ray.types import FloatArray


@dataclass(frozen=True, slots=True)
class Fault:
    """One scripted fault: what happens at the n-th call (from 0) that a host receives."""

    host: int
    call: int
    kind: Literal["kill", "drop", "delay"]
    """kill: the host dies before the call; drop: no answer ever; delay: no answer within any deadline."""


@dataclass(slots=True)
class _Slot:
    """A result, or why there is none."""

    value: Any = None
    failure: HostFailure | None = None


class InProcessTransport:
    """Hosts as plain objects, agents in contiguous ranges."""

    def __init__(
        self,
        specs: Sequence[AgentSpec],
        values: FloatArray,
        find: Callable[[str], Strategy],
        hosts: int = 1,
        *,
        plain: Mapping[int, PlainAgent] | None = None,
        faults: Sequence[Fault] = (),
        fields: Sequence[str] = (),
    ) -> None:
        self._specs = tuple(specs)
        self._values = values
        self._fields = tuple(fields)
        self._find = find
        self._plain = dict(plain or {})
        self._members = dict(enumerate(partition(self._specs, hosts)))
        self._faults = {(f.host, f.call): f.kind for f in faults}
        self._calls = dict.fromkeys(self._members, 0)
        self._hosts: dict[int, Host] = {}
        self.replaced: list[int] = []
        """Hosts replaced so far, in order."""
        for number in self._members:
            self._start(number)

    @property
    def members(self) -> Mapping[int, Sequence[AgentSpec]]:
        """Agents of each host."""
        return self._members

    @property
    def symbols(self) -> int:
        """Columns of the panel."""
        return int(self._values.shape[1])

    @property
    def bars(self) -> int:
        """Bars known so far."""
        return len(self._values)

    def send(self, host: int, method: str, *args: Any, returns: int = 1) -> list[Any]:
        """Call a host's method at once; a failed argument or a dead host gives failed slots."""
        fault = self._faults.get((host, self._calls[host]))
        self._calls[host] += 1
        if fault == "kill":
            self._hosts.pop(host, None)
        failure = self._failure(host, fault, args)
        if failure is None:
            plain = [a.value if isinstance(a, _Slot) else a for a in args]
            try:
                result = getattr(self._hosts[host], method)(*plain)
            except LostStateError as error:
                failure = HostFailure(host, "lost", str(error))
            else:
                return [_Slot(r) for r in result] if returns > 1 else [_Slot(result)]
        return [_Slot(failure=failure) for _ in range(returns)]

    def collect(
        self, refs: Mapping[Any, tuple[int, Any]], deadline: float
    ) -> tuple[dict[Any, Any], dict[Any, HostFailure]]:
        """Results and failures by key; nothing is waited for."""
        results: dict[Any, Any] = {}
        failures: dict[Any, HostFailure] = {}
        for key, (_, ref) in refs.items():
            slot = cast("_Slot", ref)
            if slot.failure is not None:
                failures[key] = slot.failure
            else:
                results[key] = slot.value
        return results, failures

    def replace(self, host: int) -> None:
        """Start a host afresh."""
        self.replaced.append(host)
        self._start(host)

    def resize(self, hosts: int) -> None:
        """Spread the agents anew over so many hosts."""
        self._members = dict(enumerate(partition(self._specs, hosts)))
        self._calls = {number: self._calls.get(number, 0) for number in self._members}
        self._hosts.clear()
        for number in self._members:
            self._start(number)

    def append(self, values: FloatArray) -> None:
        """Add new bars at every host."""
        self._values = np.concatenate([self._values, values])
        for host in self._hosts.values():
            host.append(values)

    def close(self) -> None:
        """Forget all hosts."""
        self._hosts.clear()

    def _start(self, number: int) -> None:
        specs = self._members[number]
        plain = {s.agent: self._plain[s.agent] for s in specs if s.agent in self._plain}
        self._hosts[number] = Host(number, specs, self._values, self._find, plain, self._fields)

    def _failure(self, host: int, fault: str | None, args: Sequence[Any]) -> HostFailure | None:
        if host not in self._hosts:
            return HostFailure(host, "dead", "the host is gone")
        if fault in ("drop", "delay"):
            return HostFailure(host, "late", "no answer at the deadline")
        for arg in args:
            if isinstance(arg, _Slot) and arg.failure is not None:
                return arg.failure
        return None
