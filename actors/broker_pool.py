"""The broker pool: supervises accounts and keeps the routing table. It never stands in an order's path.

Circuits open on reported failures and close on probes, both counted on the session's clock, so a replay fails over the
same way every time. Beside that the pool looks after its accounts every `period_s` of wall time, for the
health report; that look changes no route.
"""

import threading
import time
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import ray
from ray.actor import ActorHandle
from ray.exceptions import GetTimeoutError, RayActorError

from actors.calls import settle
from actors.cluster import NAMESPACE
from nt_ray.trader.circuit import Switchboard
from nt_ray.trader.routing import RoutingTable

PING_TIMEOUT_S = 2.0


@ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)
class BrokerPoolActor:
    """Switchboard and health of the accounts of a run."""

    def __init__(self, actor_names: Mapping[str, str], shares: Mapping[str, Decimal], period_s: float) -> None:
        """Supervise accounts by the names of their actors, so that a restart finds them again."""
        self._accounts = {name: ray.get_actor(actor, NAMESPACE) for name, actor in actor_names.items()}
        self._switchboard = Switchboard(shares)
        self._health: dict[str, dict[str, object]] = {}
        self._stop = threading.Event()
        threading.Thread(target=self._watch, args=(period_s,), daemon=True).start()

    def table(self) -> RoutingTable:
        """Return the routing table now in force."""
        return self._switchboard.table

    def failed(self, account: str, now: float) -> RoutingTable:
        """Record that an account could not be reached."""
        return self._switchboard.failed(account, now)

    def probe(self, now: float) -> RoutingTable:
        """Probe open circuits that are due."""
        return self._switchboard.probe(now, self._reach)

    def health(self) -> dict[str, dict[str, object]]:
        """Look after every account now: whether it answers, in how many milliseconds, its circuit."""
        self._check()
        states = self._switchboard.states()
        return {name: {**entry, "circuit": str(states[name])} for name, entry in self._health.items()}

    def trips(self) -> int:
        """How often a circuit has opened."""
        return self._switchboard.trips

    def _reach(self, account: str) -> bool:
        try:
            return bool(ray.get(self._accounts[account].reach.remote(), timeout=PING_TIMEOUT_S))
        except (RayActorError, GetTimeoutError):
            return False

    def _check(self) -> None:
        for name in self._accounts:
            started = time.perf_counter()
            up = self._reach(name)
            self._health[name] = {"up": up, "ms": round((time.perf_counter() - started) * 1e3, 3)}

    def _watch(self, period_s: float) -> None:
        while not self._stop.wait(period_s):
            self._check()


class RayRouter:
    """The session's view of the pool: the table at hand, the pool asked only when something fails."""

    def __init__(
        self,
        run: str,
        actor_names: Mapping[str, str],
        shares: Mapping[str, Decimal],
        *,
        period_s: float = 30.0,
    ) -> None:
        self._pool: ActorHandle[Any] = BrokerPoolActor.options(  # type: ignore[attr-defined]
            name=f"broker-pool/{run}", namespace=NAMESPACE
        ).remote(dict(actor_names), dict(shares), period_s)
        self.table: RoutingTable = self._ask("table")

    def failed(self, account: str, now: float) -> RoutingTable:
        """Record that an account could not be reached."""
        self.table = self._ask("failed", account, now)
        return self.table

    def probe(self, now: float, reach: object = None) -> RoutingTable:
        """Let the pool probe what is unreachable; it reaches the accounts itself."""
        self.table = self._ask("probe", now)
        return self.table

    def health(self) -> dict[str, dict[str, object]]:
        """Health of every account."""
        answer: dict[str, dict[str, object]] = self._ask("health")
        return answer

    @property
    def trips(self) -> int:
        """How often a circuit has opened."""
        return int(self._ask("trips"))

    def close(self) -> None:
        """End the pool."""
        ray.kill(self._pool)

    def _ask(self, method: str, *args: object) -> Any:
        def call() -> "ray.ObjectRef[Any]":
            return getattr(self._pool, method).remote(*args)  # type: ignore[no-any-return]

        return settle(call(), call, "The broker pool")
