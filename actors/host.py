"""The actor that holds many agents: a mailbox around `nt_ray.swarm.host.Host`.

It takes no CPU slot, so a machine carries as many as its memory allows. Ray neither restarts it nor repeats
a call: the coordinator alone decides what a failure means, so there are never two restarters at work. A
host started in the place of another knows nothing of the past and rebuilds it on its first call.
"""

from collections.abc import Callable, Sequence

import ray

from actors.cluster import PLACED_BYTES
from nt_ray.market.bars import BarPanel
from nt_ray.strategies.base import Strategy
from nt_ray.swarm.host import Host
from nt_ray.swarm.messages import AgentSpec
from nt_ray.types import FloatArray


@ray.remote(num_cpus=0, memory=PLACED_BYTES, max_restarts=0, max_task_retries=0)
class AgentHost(Host):
    """One process with a contiguous range of agents; bars come by object reference, without a copy."""

    def __init__(
        self,
        number: int,
        specs: Sequence[AgentSpec],
        panel: BarPanel,
        find: Callable[[str], Strategy],
        added: FloatArray,
    ) -> None:
        """Build the agents over a panel and the bars added since it was stored."""
        super().__init__(number, specs, panel.values, find, fields=panel.fields)
        if len(added):
            self.append(added)
