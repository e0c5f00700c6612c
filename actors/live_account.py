"""The actor of a live account: one writer for one brokerage account at a real venue, for the whole cluster.

Its constructor is the recovery, so a restarted actor is complete. Orders have threads of their own, as many as the
venue takes orders at a time, so that cancels and kill switches pass while orders wait for it. Methods are never retried
by Ray; callers repeat them under the same ids (`actors.calls`). A copy that another one has replaced answers every
write with `FencedError`.
"""

import gc
import os
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import ray
from ray.exceptions import ActorUnschedulableError, GetTimeoutError, RayActorError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from actors.calls import settle
from actors.cluster import NAMESPACE, PLACED_BYTES
from actors.logs import configure
from nt_ray.trader.health import LiveStatus
from nt_ray.trader.history import Changes
from nt_ray.trader.journal_reading import check_free
from nt_ray.trader.live_account import LiveAccount
from nt_ray.trader.live_plan import LivePlan, SettingsPlan
from nt_ray.trader.parcels import pack_reports, unpack_orders
from nt_ray.trader.reports import OrderReport
from nt_ray.trader.watcher import Pace
from nt_ray.trading.orders import OrderRequest
from nt_ray.trading.origin import Origin
from nt_ray.trading.steps import Step

OTHER_THREADS = 8
FOLLOWERS = 32
"""How many may wait for news of an account at once."""
STATUS_S = 5.0
"""How long an actor that bears the name of one to be started is waited for, until it says whether it still writes."""


class LiveAccountActor(LiveAccount):
    """Mailbox of a `LiveAccount`."""

    def __init__(self, plan: LivePlan, pace: Pace | None = None) -> None:
        if isinstance(plan, SettingsPlan):
            configure(plan.settings.observability)
        super().__init__(plan, pace)
        # What has been loaded lives as long as the actor: no collection need walk it, and hold up orders meanwhile.
        gc.freeze()

    @ray.method(concurrency_group="orders")
    def submit(self, requests: Sequence[OrderRequest]) -> list[OrderReport]:  # type: ignore[override]
        """Pass orders through gate, journal and venue; one report for each, in order."""
        return super().submit(requests)

    @ray.method(concurrency_group="orders")
    def submit_parcel(self, parcel: bytes) -> bytes:
        """Submit the orders in a parcel; return their reports in another."""
        return pack_reports(super().submit(unpack_orders(parcel)))

    @ray.method(concurrency_group="orders")
    def order_within(self, origin: Origin, method: str, *arguments: object) -> tuple[Any, tuple[Step, ...]]:
        """Call what orders for a request; give its answer, and its steps where the request is traced."""
        return super().order_within(origin, method, *arguments)

    @ray.method(concurrency_group="orders")
    def replace(self, request: OrderRequest) -> OrderReport:  # type: ignore[override]
        """Put an order in the place of the open one that it `replaces`; report on the new one."""
        return super().replace(request)

    @ray.method(concurrency_group="followers")
    def changes(self, after: int, wait_s: float = 0.0) -> Changes:  # type: ignore[override]
        """Return changes of orders after a number, waiting for one."""
        return super().changes(after, wait_s)

    def status(self) -> LiveStatus:
        """Say how the account is, and where."""
        return replace(super().status(), node=ray.get_runtime_context().get_node_id())

    def ping(self) -> None:
        """Answer once the account has recovered."""

    def pid(self) -> int:
        """Process that holds the account now."""
        return os.getpid()


@cache
def actor_class(order_threads: int) -> Any:
    """Make the class of an actor that takes so many orders at a time; more threads would wait for each other."""
    groups = {"orders": order_threads, "followers": FOLLOWERS}
    made = ray.remote(  # type: ignore[call-overload]
        num_cpus=0,
        memory=PLACED_BYTES,
        max_restarts=-1,
        max_task_retries=0,
        # A record of each call in the head node would cost a tenth of it; the journal is the record.
        enable_task_events=False,
        max_concurrency=OTHER_THREADS,
        concurrency_groups=groups,
    )
    return made(LiveAccountActor)


def actor_name(account: str) -> str:
    """Name of the actor of a live account."""
    return f"account/live/{account}"


def start(plan: LivePlan, pace: Pace | None = None, node: str = "") -> Any:
    """Start the actor of an account, or find it; it outlives its starter.

    It begins on a node by its id, else on this one. Where `plan.moves`, another takes it should that one die; otherwise
    it stays where its journal is, and whoever reaches the journal elsewhere starts it there. One that another writer
    has replaced makes room.
    """
    if _is_replaced(plan.name):
        ray.kill(find(plan.name))
    here = NodeAffinitySchedulingStrategy(node or ray.get_runtime_context().get_node_id(), soft=plan.moves)
    actor = actor_class(plan.concurrency).options(
        name=actor_name(plan.name),
        namespace=NAMESPACE,
        lifetime="detached",
        get_if_exists=True,
        scheduling_strategy=here,
    )

    def begin() -> "ray.ObjectRef[None]":
        # Found again each time: an actor whose node has just died bears the name until Ray notices.
        answer: ray.ObjectRef[None] = actor.remote(plan, pace).ping.remote()
        return answer

    settle(begin(), begin, f"Account {plan.name}")
    return find(plan.name)


def start_free(plan: SettingsPlan) -> Any:
    """Start the actor of an account, or find it; `HeldError` where there is none and another process holds it."""
    if not has_actor(plan.name) or _is_replaced(plan.name):
        check_free(plan.settings, plan.name)
    return start(plan)


def has_actor(account: str) -> bool:
    """Whether an actor bears the name of a live account."""
    try:
        find(account)
    except ValueError:
        return False
    return True


def _is_replaced(account: str) -> bool:
    """Whether an actor bears the name and another writer has taken over its journal."""
    try:
        status: LiveStatus = ray.get(find(account).status.remote(), timeout=STATUS_S)
    except (ValueError, RayActorError, ActorUnschedulableError, GetTimeoutError):
        # Nobody, or one who is away: it recovers and takes an epoch of its own when it is back.
        return False
    return status.is_fenced


def find(account: str) -> Any:
    """Find the actor of a live account; raises ValueError where there is none."""
    return ray.get_actor(actor_name(account), NAMESPACE)


def stop(account: str) -> None:
    """Close an account and end its actor."""
    handle = find(account)
    settle(handle.close.remote(), handle.close.remote, f"Account {account}")
    ray.kill(handle)
