"""Circuit breakers of venues and the routing table that follows from them.

A circuit is closed (in use), open (not used) or half-open (one probe under way). It opens after `threshold` failures in
a row and is probed after `probe_every` ticks of the injected clock: bars in a replay, seconds in live trading. A
probe that succeeds closes it; one that fails leaves it open, and the next comes `backoff` times later, up to `longest`.
The order path only ever reads the resulting table.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from nt_ray.trader.routing import RoutingTable


class CircuitState(StrEnum):
    """State of a circuit breaker."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(slots=True)
class Circuit:
    """One venue's circuit breaker."""

    threshold: int = 1
    probe_every: float = 1.0
    backoff: float = 1.0
    longest: float = float("inf")
    state: CircuitState = CircuitState.CLOSED
    failures: int = 0
    trips: int = 0
    probed_at: float = 0.0
    probes: int = 0

    @property
    def wait(self) -> float:
        """Ticks from the last failure to the next probe."""
        try:
            return min(self.probe_every * self.backoff**self.probes, self.longest)
        except OverflowError:
            # A venue that is away for days is probed more often than a float can grow.
            return self.longest

    def failed(self, now: float) -> None:
        """Record a failure; open the circuit at the threshold, or at once where it was half-open."""
        self.failures += 1
        if self.state is CircuitState.CLOSED and self.failures >= self.threshold:
            self.trips += 1
        if self.state is CircuitState.HALF_OPEN:
            self.probes += 1
        if self.failures >= self.threshold or self.state is CircuitState.HALF_OPEN:
            self.state = CircuitState.OPEN
            self.probed_at = now

    def succeeded(self) -> None:
        """Record a success: the circuit closes."""
        self.failures = self.probes = 0
        self.state = CircuitState.CLOSED

    def is_due(self, now: float) -> bool:
        """Whether an open circuit should be probed now."""
        return self.state is CircuitState.OPEN and now - self.probed_at >= self.wait

    def due(self, now: float) -> bool:
        """Whether an open circuit should be probed now; if so it becomes half-open."""
        if self.is_due(now):
            self.state = CircuitState.HALF_OPEN
            return True
        return False


class Switchboard:
    """Circuits of all accounts and the routing table that results from them."""

    def __init__(self, table: RoutingTable, circuit: Circuit | None = None) -> None:
        """Watch the accounts of a table, each with a circuit like this one."""
        self._new = circuit or Circuit()
        self._circuits = {name: replace(self._new) for name in table.accounts}
        self._table = table

    @property
    def table(self) -> RoutingTable:
        """The routing table now in force."""
        return self._table

    @property
    def trips(self) -> int:
        """How often a circuit has opened."""
        return sum(c.trips for c in self._circuits.values())

    def states(self) -> dict[str, CircuitState]:
        """State of each circuit."""
        return {name: c.state for name, c in self._circuits.items()}

    def circuits(self) -> dict[str, Circuit]:
        """Copy the circuits, for who keeps them."""
        return {name: replace(circuit) for name, circuit in self._circuits.items()}

    def restore(self, kept: Mapping[str, Circuit]) -> None:
        """Go on with circuits that were kept; a probe that was under way is made again."""
        for name, circuit in kept.items():
            if name in self._circuits:
                state = CircuitState.CLOSED if circuit.state is CircuitState.CLOSED else CircuitState.OPEN
                self._circuits[name] = replace(circuit, state=state)
        self._refresh()

    def include(self, table: RoutingTable) -> None:
        """Route by another table, over its accounts and those that are known; each keeps its circuit."""
        for name in table.accounts:
            self._circuits.setdefault(name, replace(self._new))
        before = self._table
        shares, facts = {**before.shares, **table.shares}, {**before.facts, **table.facts}
        self._table = replace(table, shares=shares, facts=facts, version=before.version + 1)
        self._refresh()

    def answered(self, account: str) -> None:
        """Record that an account in use was reached: failures before it are not in a row with those to come."""
        circuit = self._circuits[account]
        if circuit.state is CircuitState.CLOSED:
            circuit.succeeded()

    def due(self, now: float) -> list[str]:
        """List the accounts whose open circuits are to be probed."""
        return [name for name, circuit in self._circuits.items() if circuit.is_due(now)]

    def failed(self, account: str, now: float) -> RoutingTable:
        """Record that an account could not be reached; return the table then in force."""
        self._circuits[account].failed(now)
        return self._refresh()

    def probe(self, now: float, reach: Callable[[str], bool]) -> RoutingTable:
        """Probe each open circuit that is due through `reach`; return the table then in force."""
        for name, circuit in self._circuits.items():
            if circuit.due(now):
                if reach(name):
                    circuit.succeeded()
                else:
                    circuit.failed(now)
        return self._refresh()

    def _refresh(self) -> RoutingTable:
        reachable = frozenset(n for n, c in self._circuits.items() if c.state is CircuitState.CLOSED)
        if reachable != self._table.reachable:
            self._table = self._table.with_reachable(reachable)
        return self._table
