"""The actor of a live account: one writer for one brokerage account at a real venue, for the whole cluster.

Its constructor is the recovery, so a restarted actor is complete. Orders have threads of their own, so that cancels and
kill switches pass while orders wait for the venue. Methods are never retried by Ray; callers repeat them under the same
ids (`actors.calls`). A copy that another one has replaced answers every write with `FencedError`.
"""

import gc
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from actors.calls import settle
from actors.cluster import NAMESPACE
from nt_ray.trader.health import LiveStatus
from nt_ray.trader.history import Changes
from nt_ray.trader.live_account import LiveAccount
from nt_ray.trader.live_plan import LivePlan
from nt_ray.trader.reports import OrderReport
from nt_ray.trader.steps import Step
from nt_ray.trader.watcher import Pace
from nt_ray.trading.orders import OrderRequest

ORDER_THREADS = 16
OTHER_THREADS = 8
FOLLOWERS = 32
"""How many may wait for news of an account at once."""


@ray.remote(  # type: ignore[call-overload]
    num_cpus=0,
    max_restarts=-1,
    max_task_retries=0,
    # A record of each call in the head node would cost a tenth of it; the journal is the record.
    enable_task_events=False,
    max_concurrency=OTHER_THREADS,
    concurrency_groups={"orders": ORDER_THREADS, "followers": FOLLOWERS},
)
class LiveAccountActor(LiveAccount):
    """Mailbox of a `LiveAccount`."""

    def __init__(self, plan: LivePlan, pace: Pace | None = None) -> None:
        super().__init__(plan, pace)
        # What has been loaded lives as long as the actor: no collection need walk it, and hold up orders meanwhile.
        gc.freeze()

    @ray.method(concurrency_group="orders")
    def submit(self, requests: Sequence[OrderRequest]) -> list[OrderReport]:  # type: ignore[override]
        """Pass orders through gate, journal and venue; one report for each, in order."""
        return super().submit(requests)

    @ray.method(concurrency_group="orders")
    def submit_timed(  # type: ignore[override]
        self, requests: Sequence[OrderRequest]
    ) -> tuple[list[OrderReport], tuple[Step, ...]]:
        """Pass orders as `submit` does, and say when each step of their way began and ended."""
        return super().submit_timed(requests)

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


def actor_name(account: str) -> str:
    """Name of the actor of a live account."""
    return f"account/live/{account}"


def start(plan: LivePlan, pace: Pace | None = None, node: str = "") -> Any:
    """Start the actor of an account, or find it; it outlives its starter.

    It begins on a node by its id, else on this one. Where `plan.moves`, Ray starts it on another node should that one
    die; otherwise it stays where its journal is, and whoever reaches the journal elsewhere starts it there.
    """
    here = NodeAffinitySchedulingStrategy(node or ray.get_runtime_context().get_node_id(), soft=plan.moves)
    actor = LiveAccountActor.options(  # type: ignore[attr-defined]
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


def find(account: str) -> Any:
    """Find the actor of a live account; raises ValueError where there is none."""
    return ray.get_actor(actor_name(account), NAMESPACE)


def stop(account: str) -> None:
    """Close an account and end its actor."""
    handle = find(account)
    settle(handle.close.remote(), handle.close.remote, f"Account {account}")
    ray.kill(handle)
