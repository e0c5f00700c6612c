"""The trader's runtime on Ray: hosts spread over the nodes, accounts and broker pool as actors."""

from collections.abc import Sequence
from typing import Any

import ray

from actors.broadcasting import ToStream
from actors.broker_pool import RayRouter
from actors.cluster import Cluster, connect, disconnect
from actors.desk import RayDesk
from actors.swarm_transport import RayTransport
from nt_ray.errors import ServiceError
from nt_ray.market.bars import BarPanel
from nt_ray.strategies.registry import find
from nt_ray.swarm.messages import AgentSpec
from nt_ray.swarm.transport import Transport
from nt_ray.trader.broadcast import Broadcast
from nt_ray.trader.desk import Desk
from nt_ray.trader.replay_account import AccountPlan
from nt_ray.trader.routing import RoutingTable
from nt_ray.trader.session import OnDecision, Router


class RayRuntime:
    """Ray, joined or started; data of a panel go into the object store once."""

    def __init__(
        self,
        address: str | None = None,
        *,
        num_cpus: int | None = None,
        object_store_mb: int = 200,
        source: str = "",
        owner: str = "",
    ) -> None:
        self._address = address
        self._source = source
        self._owner = owner
        self._num_cpus = num_cpus
        self._object_store_mb = object_store_mb
        self._cluster: Cluster | None = None
        self._routers: list[RayRouter] = []
        # With the panel itself: the address of one that is gone may become another's.
        self._panels: dict[int, tuple[BarPanel, Any]] = {}

    def start(self) -> dict[str, Any]:
        """Join or start Ray."""
        self._cluster = connect(self._address, num_cpus=self._num_cpus, object_store_mb=self._object_store_mb)
        return {"runtime": "ray", "nodes": self._cluster.nodes, "cpus": self._cluster.cpus}

    def transport(self, run: str, panel: BarPanel, specs: Sequence[AgentSpec], hosts: int) -> Transport:
        """Start the hosts of a swarm, spread over the nodes."""
        return RayTransport(specs, self._stored(panel), find, hosts, name=f"swarm/{run}")

    def desk(self, run: str, plans: Sequence[AccountPlan], panel: BarPanel) -> Desk:
        """Open each account in an actor on this node."""
        return RayDesk(run, plans, panel)

    def router(self, run: str, desk: Desk, table: RoutingTable) -> Router:
        """Put a broker pool over the accounts."""
        if not isinstance(desk, RayDesk):
            raise ServiceError("The broker pool supervises actors. Open the desk on the same runtime.")
        router = RayRouter(run, desk.actor_names, table)
        self._routers.append(router)
        return router

    def watch(self, run: str, panel: BarPanel, specs: Sequence[AgentSpec], transport: Transport) -> OnDecision | None:
        """Tell the stream of a run, under its name or that of the job that it is."""
        return Broadcast(self._source or run, panel, specs, transport, ToStream(), owner=self._owner)

    def health(self) -> dict[str, Any]:
        """Nodes alive, and what the broker pools see."""
        nodes = ray.nodes() if ray.is_initialized() else []  # type: ignore[no-untyped-call]
        accounts: dict[str, Any] = {}
        for router in self._routers:
            accounts.update(router.health())
        return {
            "runtime": "ray",
            "connected": ray.is_initialized(),
            "nodes": sum(bool(n["Alive"]) for n in nodes),
            "accounts": accounts,
        }

    def shutdown(self) -> None:
        """End the pools; a Ray that was joined or started here is left, another one not."""
        for router in self._routers:
            router.close()
        self._routers = []
        self._panels = {}
        if self._cluster is not None and self._cluster.connected:
            disconnect()
        self._cluster = None

    def _stored(self, panel: BarPanel) -> Any:
        if id(panel) not in self._panels:
            self._panels[id(panel)] = panel, ray.put(panel)
        return self._panels[id(panel)][1]
