"""The pool of live accounts: which of them orders may be routed to, from regular looks at how each one is.

An account is in the routing table while its circuit is closed and the last look found its venue. A look that finds it
away, or an order that certainly was not sent, is a failure of its circuit; latencies of the table are those that the
accounts have measured at their venues, once there are any. Circuits outlive the process in a file: what was open stays
open. Times are seconds since 1970, so that they mean the same after a restart. Several threads may call; nobody is
asked anything while the state is held.
"""

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from nt_ray.errors import StorageError
from nt_ray.storage.whole_file import flush, unfinished
from nt_ray.trader.circuit import Circuit, CircuitState, Switchboard
from nt_ray.trader.health import Health, LiveStatus
from nt_ray.trader.routing import RoutingTable, VenueFacts

_KEPT: Final = ("state", "failures", "trips", "probed_at", "probes")
"""What is kept of a circuit; how it behaves comes from the settings."""

Ask = Callable[[Sequence[str]], Mapping[str, LiveStatus | str]]
"""Asks accounts how they are, all at once: the answer of each, or why there is none."""


@dataclass(frozen=True, slots=True)
class PoolRow:
    """One account as the pool sees it; `latency_ms` is what the account measures at its venue."""

    account: str
    reachable: bool
    circuit: str
    failures: int
    trips: int
    share: str
    cost_bps: str
    latency_ms: float | None
    error: str
    status: LiveStatus | None = None


class LivePool:
    """Circuits and routing of live accounts."""

    def __init__(self, table: RoutingTable, circuit: Circuit, ask: Ask, clock: Callable[[], float], path: Path) -> None:
        """Go on with the circuits in the file at `path`, if it exists."""
        self._ask = ask
        self._clock = clock
        self._path = path
        self._lock = threading.Lock()
        self._board = Switchboard(table, circuit)
        self._kept = _read(path)
        self._board.restore({name: _circuit(circuit, values) for name, values in self._kept.items()})
        self._health = dict.fromkeys(table.accounts, Health())
        self._told: dict[str, LiveStatus] = {}

    @property
    def table(self) -> RoutingTable:
        """The routing table now in force."""
        with self._lock:
            return self._table()

    @property
    def accounts(self) -> tuple[str, ...]:
        """Names in order of preference."""
        return self._board.table.accounts

    def include(self, table: RoutingTable) -> RoutingTable:
        """Route by this table from now on, and over its accounts beside those that are known; return the table."""
        with self._lock:
            self._board.include(table)
            self._health = {name: self._health.get(name, Health()) for name in self.accounts}
            self._keep()
            return self._table()

    def failed(self, account: str) -> RoutingTable:
        """Record that an order could not be sent to an account; return the table then in force."""
        with self._lock:
            self._board.failed(account, self._clock())
            self._keep()
            return self._table()

    def probe(self) -> RoutingTable:
        """Look after the accounts whose circuits are open and due; return the table then in force."""
        with self._lock:
            due = self._board.due(self._clock())
        return self._look(due) if due else self.table

    def look(self) -> RoutingTable:
        """Look after every account; return the table then in force."""
        return self._look(self.accounts)

    def rows(self) -> list[PoolRow]:
        """Say how the accounts are, in order of preference."""
        with self._lock:
            table, circuits = self._table(), self._board.circuits()
            return [
                PoolRow(
                    name, name in table.reachable, str(circuits[name].state), circuits[name].failures,
                    circuits[name].trips, str(table.shares[name]), str(table.facts.get(name, VenueFacts()).cost_bps),
                    self._health[name].latency_ms, self._health[name].error, self._told.get(name),
                )
                for name in table.accounts
            ]  # fmt: skip

    def circuits(self) -> dict[str, CircuitState]:
        """State of each circuit."""
        with self._lock:
            return self._board.states()

    def _look(self, accounts: Sequence[str]) -> RoutingTable:
        answers = self._ask(accounts)
        with self._lock:
            faults = {name: _fault(answers[name]) for name in accounts}
            for name, fault in faults.items():
                self._note(name, fault, answers[name])
            self._board.probe(self._clock(), lambda name: not faults.get(name, self._health[name].error))
            self._keep()
            return self._table()

    def _note(self, name: str, fault: str, answer: LiveStatus | str) -> None:
        health = self._health[name]
        if isinstance(answer, str):
            self._told.pop(name, None)
        else:
            self._told[name] = answer
        if fault:
            self._health[name] = health.failed(fault)
            if self._board.states()[name] is CircuitState.CLOSED:
                self._board.failed(name, self._clock())
            return
        measured = None if isinstance(answer, str) else answer.health.latency_ms
        # The account smooths what it measures.
        self._health[name] = Health(True, measured, 0, health.checks + 1)
        self._board.answered(name)

    def _table(self) -> RoutingTable:
        table = self._board.table
        up = frozenset(name for name in table.reachable if self._health[name].up or not self._health[name].checks)
        facts = dict(table.facts)
        for name, health in self._health.items():
            if health.latency_ms is not None:
                facts[name] = replace(facts.get(name, VenueFacts()), latency_ms=health.latency_ms)
        return replace(table, reachable=up, facts=facts)

    def _keep(self) -> None:
        circuits = self._board.circuits().items()
        kept = {name: {field: getattr(circuit, field) for field in _KEPT} for name, circuit in circuits}
        if kept != self._kept:
            _write(self._path, kept)
            self._kept = kept


def kept_accounts(path: Path) -> tuple[str, ...]:
    """Names of the accounts whose circuits a file holds."""
    return tuple(_read(path))


def _fault(answer: LiveStatus | str) -> str:
    """Why orders are not to go to an account; empty where they may."""
    if isinstance(answer, str):
        return answer
    if answer.is_fenced:
        return "Another writer has taken over its journal."
    return "" if answer.health.up else answer.health.error or "Its venue has not answered yet."


def _circuit(like: Circuit, kept: Mapping[str, Any]) -> Circuit:
    return replace(like, **{**kept, "state": CircuitState(kept["state"])})


def _read(path: Path) -> dict[str, dict[str, Any]]:
    try:
        found: dict[str, dict[str, Any]] = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise StorageError(f"{path} holds no circuits ({error}). Remove it; all of them are closed then.") from error
    return found


def _write(path: Path, kept: Mapping[str, Mapping[str, Any]]) -> None:
    try:
        with unfinished(path.parent) as (own, file):
            file.write(json.dumps(kept).encode())
            flush(file)
            own.replace(path)
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error}. Free the folder or the disk.") from error
