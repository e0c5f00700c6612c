"""What a trader runs on: a place for the swarm's hosts and for the accounts.

`InProcessRuntime` is everything in this process; `actors.runtime.RayRuntime` is a Ray cluster. The trader, its
decisions and its trades are the same on both.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from nt_ray.market.bars import BarPanel
from nt_ray.strategies.registry import find
from nt_ray.swarm.in_process import InProcessTransport
from nt_ray.swarm.messages import AgentSpec
from nt_ray.swarm.transport import Transport
from nt_ray.trader.circuit import Switchboard
from nt_ray.trader.desk import Desk, InProcessDesk
from nt_ray.trader.replay_account import AccountPlan
from nt_ray.trader.routing import RoutingTable
from nt_ray.trader.session import OnDecision, Router


class Runtime(Protocol):
    """A place to run on."""

    def start(self) -> dict[str, Any]:
        """Start or join; return facts for the run's record (kind, nodes, cpus)."""
        ...

    def transport(self, run: str, panel: BarPanel, specs: Sequence[AgentSpec], hosts: int) -> Transport:
        """Start the hosts of a swarm."""
        ...

    def desk(self, run: str, plans: Sequence[AccountPlan], panel: BarPanel) -> Desk:
        """Open accounts."""
        ...

    def router(self, run: str, desk: Desk, table: RoutingTable) -> Router:
        """Put a supervisor over the accounts of a desk."""
        ...

    def watch(self, run: str, panel: BarPanel, specs: Sequence[AgentSpec], transport: Transport) -> OnDecision | None:
        """Let others watch a run, where there are any."""
        ...

    def health(self) -> dict[str, Any]:
        """Tell how the place itself is."""
        ...

    def shutdown(self) -> None:
        """Leave; what was started for this trader ends."""
        ...


class InProcessRuntime:
    """Hosts and accounts as plain objects in this process."""

    def start(self) -> dict[str, Any]:
        """There is nothing to start."""
        return {"runtime": "in-process", "nodes": 1, "cpus": 1.0}

    def transport(self, run: str, panel: BarPanel, specs: Sequence[AgentSpec], hosts: int) -> Transport:
        """Start the hosts of a swarm."""
        return InProcessTransport(specs, panel.values, find, hosts, fields=panel.fields)

    def desk(self, run: str, plans: Sequence[AccountPlan], panel: BarPanel) -> Desk:
        """Open accounts."""
        return InProcessDesk(plans, panel)

    def router(self, run: str, desk: Desk, table: RoutingTable) -> Router:
        """Put a switchboard over the accounts of a desk."""
        return Switchboard(table)

    def watch(self, run: str, panel: BarPanel, specs: Sequence[AgentSpec], transport: Transport) -> OnDecision | None:
        """There is nobody else."""
        return None

    def health(self) -> dict[str, Any]:
        """Tell that this process is alive."""
        return {"runtime": "in-process", "connected": True, "nodes": 1}

    def shutdown(self) -> None:
        """There is nothing to leave."""
