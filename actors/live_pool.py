"""The broker pool of live accounts as an actor, and the way of an order through it.

A thin shell around `nt_ray.trader.live_pool`. It looks after the accounts about every `brokers.look_s` seconds, and its
circuits lie in a file of the state's folder. It never stands in an order's path: who routes orders holds a table and
goes to the accounts itself, and asks the pool anew every few seconds, or when something fails.
"""

import logging
import os
import random
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import ray
from ray.exceptions import ActorUnschedulableError, GetTimeoutError, RayActorError, RayError, RayTaskError

from actors.calls import settle
from actors.cluster import NAMESPACE, held_here
from actors.live_account import actor_name, find, has_actor
from actors.live_desk import RayLiveAccounts
from nt_ray.config import Settings
from nt_ray.errors import NeuralTraderError, ServiceError
from nt_ray.trader.dispatch import Dispatcher
from nt_ray.trader.health import LiveStatus
from nt_ray.trader.live_pool import LivePool, PoolRow, kept_accounts
from nt_ray.trader.planning import circuit_of, routing_table
from nt_ray.trader.routing import RoutingTable

NAME: Final = "broker-pool/live"
FILE: Final = "broker-pool.json"
ANSWER_S: Final = 2.0
"""How long an account has to say how it is."""
FRESH_S: Final = 5.0
"""How long a routing table is used before the pool is asked again."""
PAUSE_S: Final = 1.0
"""How often the pool looks whether an account that is left out is to be tried again."""
THREADS: Final = 8

_log = logging.getLogger(__name__)


class NoLiveAccountsError(ServiceError):
    """Orders are to be routed, and no account runs."""

    code = "no_live_accounts"

    def __init__(self) -> None:
        super().__init__(
            "No live account of the enabled brokers runs here. Start them, as with `nt-ray serve gateway --set "
            "gateway.accounts=east,west`, or name the account."
        )


@ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=0, max_concurrency=THREADS)  # type: ignore[call-overload]
class LivePoolActor:
    """Mailbox of a `LivePool`, and the loop that lets it look."""

    def __init__(self, settings: Settings, accounts: Sequence[str]) -> None:
        path = settings.state / FILE
        if ray.get_runtime_context().was_current_actor_reconstructed:
            accounts = [*accounts, *kept_accounts(path)]
        self._pool = LivePool(routing_table(settings, accounts), circuit_of(settings), ask, time.time, path)
        threading.Thread(target=self._watch, args=(settings.brokers.look_s,), name="pool", daemon=True).start()

    def include(self, settings: Settings, accounts: Sequence[str]) -> RoutingTable:
        """Route by these settings, over these accounts beside those that are known."""
        return self._pool.include(routing_table(settings, accounts))

    def table(self) -> RoutingTable:
        """The routing table now in force."""
        return self._pool.table

    def failed(self, account: str) -> RoutingTable:
        """Record that an order could not be sent to an account."""
        return self._pool.failed(account)

    def rows(self) -> list[PoolRow]:
        """Say how the accounts are."""
        return self._pool.rows()

    def circuits(self) -> dict[str, str]:
        """State of the circuit of each account, by the name of its actor."""
        return {actor_name(name): str(state) for name, state in self._pool.circuits().items()}

    def pid(self) -> int:
        """Process that holds the pool now."""
        return os.getpid()

    def _watch(self, period_s: float) -> None:
        # Periods differ a little, so that the pools of many clusters do not ask all accounts at the same moment.
        jitter = random.Random()  # noqa: S311  no secret
        due = time.monotonic()
        while True:
            try:
                if time.monotonic() >= due:
                    due = time.monotonic() + period_s * jitter.uniform(0.8, 1.2)
                    self._pool.look()
                else:
                    self._pool.probe()
            except (NeuralTraderError, RayError) as error:
                _log.warning("The broker pool could not look after its accounts: %s", error)
            time.sleep(PAUSE_S)


def ask(accounts: Sequence[str]) -> dict[str, LiveStatus | str]:
    """Ask live accounts how they are, all at once; why, where one does not say."""
    asked: dict[str, Any] = {}
    for name in accounts:
        try:
            asked[name] = find(name).status.remote()
        except ValueError:
            asked[name] = None
    refs = [ref for ref in asked.values() if ref is not None]
    if refs:
        ray.wait(refs, num_returns=len(refs), timeout=ANSWER_S)
    return {name: _answer(ref) for name, ref in asked.items()}


def _answer(ref: "ray.ObjectRef[LiveStatus] | None") -> LiveStatus | str:
    if ref is None:
        return "It has no actor. Start it."
    try:
        return ray.get(ref, timeout=0)
    except (RayActorError, ActorUnschedulableError, GetTimeoutError, RayTaskError) as error:
        return f"Its actor does not answer: {type(error).__name__}."


def running(settings: Settings) -> list[str]:
    """List the live accounts of the enabled brokers that have an actor here."""
    return [name for name in settings.brokers.enabled if has_actor(name)]


def start(settings: Settings, accounts: Sequence[str]) -> Any:
    """Start the pool or find it, and let it route by these settings, over these accounts too; it outlives all."""
    here = settings.model_copy(update={"state": Path(settings.state).absolute()})
    here.state.mkdir(parents=True, exist_ok=True)
    names = list(accounts)

    def begin() -> "ray.ObjectRef[RoutingTable]":
        # Found again each time: an actor whose node has just died bears the name until Ray notices.
        actor: Any = LivePoolActor.options(  # type: ignore[attr-defined]
            name=NAME, namespace=NAMESPACE, lifetime="detached", get_if_exists=True, resources=held_here()
        ).remote(here, names)
        answer: ray.ObjectRef[RoutingTable] = actor.include.remote(here, names)
        return answer

    settle(begin(), begin, "The broker pool")
    return find_pool()


def start_over_several(settings: Settings) -> None:
    """Start the pool where more than one account runs: there is something to route."""
    found = running(settings)
    if len(found) > 1:
        start(settings, found)


def find_pool() -> Any:
    """Find the pool of live accounts; raises ValueError where there is none."""
    return ray.get_actor(NAME, NAMESPACE)


def stop() -> None:
    """End the pool; accounts go on, and circuits stay in its file."""
    ray.kill(find_pool())


class PoolSwitches:
    """The pool as the dispatcher asks it: a table at hand, the pool asked when that is old or something fails."""

    def __init__(self) -> None:
        self._table: RoutingTable = self._ask("table")

    @property
    def table(self) -> RoutingTable:
        """The routing table, a few seconds old at the most."""
        return self._table if time.monotonic() - self._asked_at < FRESH_S else self._ask("table")

    def failed(self, account: str, now: float) -> RoutingTable:
        """Record that an order could not be sent; the pool has a clock of its own."""
        del now
        return self._ask("failed", account)

    def probe(self, now: float, reach: Callable[[str], bool]) -> RoutingTable:
        """Give the table: the pool tries again by itself what is left out and due, so that no order waits for that."""
        del now, reach
        return self.table

    def _ask(self, method: str, *arguments: object) -> RoutingTable:
        def call() -> "ray.ObjectRef[RoutingTable]":
            answer: ray.ObjectRef[RoutingTable] = getattr(find_pool(), method).remote(*arguments)
            return answer

        try:
            self._table = settle(call(), call, "The broker pool")
        except ValueError as error:
            raise ServiceError("No broker pool runs here. Start it with two accounts or more, or name one.") from error
        self._asked_at = time.monotonic()
        return self._table


def dispatcher(settings: Settings) -> Dispatcher:
    """Make the way of an order over the live accounts that run, under the pool, which is started where it is not."""
    found = running(settings)
    if not found:
        raise NoLiveAccountsError
    pool = start(settings, found)
    # An account that the pool knows and that is away may have an order: it is asked, too, and waited for.
    table: RoutingTable = ray.get(pool.table.remote())
    return Dispatcher(RayLiveAccounts(table.accounts), PoolSwitches(), time.time)
