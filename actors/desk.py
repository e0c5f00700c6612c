"""The desk on a cluster: each account an actor, on the driver's node, where the journals' disk is."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import ray
from ray.actor import ActorHandle
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from actors.account import AccountActor
from actors.calls import settle
from actors.cluster import NAMESPACE
from nt_ray.market.archive import save_panel
from nt_ray.market.bars import BarPanel
from nt_ray.trader.account import AccountState
from nt_ray.trader.desk import Orders, Reports
from nt_ray.trader.replay_account import AccountPlan
from nt_ray.trading.orders import Fill


class RayDesk:
    """Accounts in actors; every call goes to the account itself, one hop."""

    def __init__(self, run: str, plans: Sequence[AccountPlan], panel: BarPanel) -> None:
        self._run = run
        for plan in plans:
            if not plan.bars_path.exists():
                save_panel(panel, plan.bars_path)
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        self._handles: dict[str, ActorHandle[Any]] = {
            plan.name: AccountActor.options(  # type: ignore[attr-defined]
                name=_actor_name(run, plan.name), namespace=NAMESPACE, scheduling_strategy=here
            ).remote(plan)
            for plan in plans
        }
        self._latencies: list[float] = []
        self._each(lambda handle: handle.ping.remote())

    @property
    def actor_names(self) -> dict[str, str]:
        """Name of the actor of each account."""
        return {name: _actor_name(self._run, name) for name in self._handles}

    @property
    def accounts(self) -> tuple[str, ...]:
        """Names in order of preference."""
        return tuple(self._handles)

    @property
    def latencies_ms(self) -> list[float]:
        """Milliseconds from each call of an account's `submit` to its answer."""
        return self._latencies

    def advance(self, row: int) -> dict[str, AccountState]:
        """Move every account to a row; return their states."""
        return self._each(lambda handle: handle.advance.remote(row))

    def submit(self, orders: Orders) -> Reports:
        """Submit to several accounts at once."""
        started = time.perf_counter()
        refs: dict[str, ray.ObjectRef[Any]] = {
            name: self._handles[name].submit.remote(requests) for name, requests in orders.items()
        }
        reports: Reports = {}
        for name, ref in refs.items():
            reports[name] = settle(ref, self._again(name, orders), f"Account {name}")
            self._latencies.append((time.perf_counter() - started) * 1e3)
        return reports

    def reach(self, account: str) -> bool:
        """Whether the venue of an account answers."""
        handle = self._handles[account]
        return bool(settle(handle.reach.remote(), handle.reach.remote, f"Account {account}"))

    def states(self) -> dict[str, AccountState]:
        """Return the accounts as they stand."""
        return self._each(lambda handle: handle.state.remote())

    def fills(self) -> dict[str, list[Fill]]:
        """All executions by account, oldest first."""
        return self._each(lambda handle: handle.fills.remote())

    def close(self) -> None:
        """Close the accounts' files and end their actors."""
        self._each(lambda handle: handle.close.remote())
        for handle in self._handles.values():
            ray.kill(handle)
        self._handles = {}

    def _again(self, name: str, orders: Orders) -> Callable[[], "ray.ObjectRef[Any]"]:
        return lambda: self._handles[name].submit.remote(orders[name])

    def _each(self, call: Callable[["ActorHandle[Any]"], "ray.ObjectRef[Any]"]) -> dict[str, Any]:
        refs = {name: call(handle) for name, handle in self._handles.items()}
        return {
            name: settle(ref, lambda name=name: call(self._handles[name]), f"Account {name}")  # type: ignore[misc]
            for name, ref in refs.items()
        }


def _actor_name(run: str, account: str) -> str:
    return f"account/{run}/{account}"
