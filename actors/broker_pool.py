"""The broker pool: supervises accounts and keeps the routing table. It never stands in an order's path.

Circuits open on reported failures and close on probes, both counted on the session's clock, so a replay fails over the
same way every time, whenever the pool itself dies. Beside that the pool looks after its accounts about every `period_s`
of wall time, for the health report; that look changes no route. Live accounts have a pool of their own
(`actors.live_pool`).
"""

import dataclasses
import random
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, TypeAlias

import ray
from ray.actor import ActorHandle
from ray.exceptions import ActorUnschedulableError, GetTimeoutError, RayActorError

from actors.calls import settle
from actors.cluster import NAMESPACE
from nt_ray.trader.circuit import Circuit, Switchboard
from nt_ray.trader.health import Health
from nt_ray.trader.routing import RoutingTable

PING_TIMEOUT_S = 2.0

Circuits: TypeAlias = dict[str, Circuit]


@ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)
class BrokerPoolActor:
    """Switchboard and health of the accounts of a run."""

    def __init__(self, actor_names: Mapping[str, str], table: RoutingTable, period_s: float) -> None:
        """Supervise accounts by the names of their actors, so that a restart finds them again."""
        self._actor_names = dict(actor_names)
        self._accounts = {name: ray.get_actor(actor, NAMESPACE) for name, actor in actor_names.items()}
        self._switchboard = Switchboard(table)
        self._health = dict.fromkeys(actor_names, Health())
        self._stop = threading.Event()
        threading.Thread(target=self._watch, args=(period_s,), daemon=True).start()

    def table(self) -> RoutingTable:
        """Return the routing table now in force."""
        return self._switchboard.table

    def failed(self, account: str, now: float, known: Circuits) -> tuple[RoutingTable, Circuits]:
        """Record that an account could not be reached; `known` are the circuits before, which a restart forgets."""
        self._switchboard.restore(known)
        return self._switchboard.failed(account, now), self._switchboard.circuits()

    def probe(self, now: float, known: Circuits) -> tuple[RoutingTable, Circuits]:
        """Probe open circuits that are due."""
        self._switchboard.restore(known)
        return self._switchboard.probe(now, self._reach), self._switchboard.circuits()

    def health(self) -> dict[str, dict[str, object]]:
        """Look after every account now; return its health and the state of its circuit."""
        self._check()
        states = self._switchboard.states()
        return {name: {**dataclasses.asdict(h), "circuit": str(states[name])} for name, h in self._health.items()}

    def circuits(self) -> dict[str, str]:
        """State of the circuit of each account, by the name of its actor."""
        return {self._actor_names[name]: str(state) for name, state in self._switchboard.states().items()}

    def _reach(self, account: str) -> bool:
        return not self._fault(account)

    def _fault(self, account: str) -> str:
        """Why an account cannot be reached; empty where it can."""
        try:
            return "" if _answer(self._accounts[account]) else "The venue does not answer."
        except (RayActorError, ActorUnschedulableError, GetTimeoutError) as error:
            # Who started it anew gave the name to another actor.
            with suppress(ValueError):
                self._accounts[account] = ray.get_actor(self._actor_names[account], NAMESPACE)
            return f"The account's actor does not answer: {type(error).__name__}."

    def _check(self) -> None:
        for name, health in self._health.items():
            started = time.perf_counter()
            fault = self._fault(name)
            ms = (time.perf_counter() - started) * 1e3
            self._health[name] = health.failed(fault) if fault else health.answered(ms)

    def _watch(self, period_s: float) -> None:
        # Periods differ a little, so that the pools of many runs do not ask all venues at the same moment.
        jitter = random.Random()  # noqa: S311  no secret
        while not self._stop.wait(period_s * jitter.uniform(0.8, 1.2)):
            self._check()


def _answer(account: "ActorHandle[Any]") -> bool:
    return bool(ray.get(account.reach.remote(), timeout=PING_TIMEOUT_S))


class RayRouter:
    """The session's view of the pool: the table at hand, the pool asked only when something fails."""

    def __init__(
        self,
        run: str,
        actor_names: Mapping[str, str],
        table: RoutingTable,
        *,
        period_s: float = 30.0,
    ) -> None:
        self._pool: ActorHandle[Any] = BrokerPoolActor.options(  # type: ignore[attr-defined]
            name=f"broker-pool/{run}", namespace=NAMESPACE
        ).remote(dict(actor_names), table, period_s)
        self.table: RoutingTable = self._ask("table")
        # Kept by the one who asks, so a pool that dies and begins anew goes on with what was open.
        self._circuits: Circuits = {}

    def failed(self, account: str, now: float) -> RoutingTable:
        """Record that an account could not be reached."""
        self.table, self._circuits = self._ask("failed", account, now, self._circuits)
        return self.table

    def probe(self, now: float, reach: object = None) -> RoutingTable:
        """Let the pool probe what is unreachable; it reaches the accounts itself."""
        self.table, self._circuits = self._ask("probe", now, self._circuits)
        return self.table

    def health(self) -> dict[str, dict[str, object]]:
        """Health of every account."""
        answer: dict[str, dict[str, object]] = self._ask("health")
        return answer

    @property
    def trips(self) -> int:
        """How often a circuit has opened."""
        return sum(circuit.trips for circuit in self._circuits.values())

    def close(self) -> None:
        """End the pool."""
        ray.kill(self._pool)

    def _ask(self, method: str, *args: object) -> Any:
        def call() -> "ray.ObjectRef[Any]":
            return getattr(self._pool, method).remote(*args)  # type: ignore[no-any-return]

        return settle(call(), call, "The broker pool")
