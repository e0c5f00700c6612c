"""A cluster of Ray on this machine whose nodes can be killed: one process group for each node, deaths seen in seconds.

The head holds what Ray itself must not lose, and is never killed.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import ray
from ray.cluster_utils import Cluster
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from actors.cluster import NAMESPACE

_SEEN_DEAD: Final = {
    "health_check_initial_delay_ms": 1000,
    "health_check_period_ms": 1000,
    "health_check_timeout_ms": 1000,
    "health_check_failure_threshold": 3,
}
_NODE: Final[dict[str, Any]] = {"num_cpus": 1, "object_store_memory": 100 * 2**20}


HEARD_S: Final = 0.1


@ray.remote(num_cpus=0)
def _place() -> str:
    """Id of the node that this runs on."""
    return str(ray.get_runtime_context().get_node_id())


class Nodes:
    """The nodes that live, by their ids; the head comes first."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        head: Any = cluster.head_node
        self._nodes: dict[str, Any] = {head.node_id: head}

    @property
    def ids(self) -> list[str]:
        """Ids in the order in which they were started."""
        return list(self._nodes)

    def add(self, count: int = 1) -> str:
        """Start nodes, at once, and return the id of the last."""
        started = [self._cluster.add_node(wait=False, **_NODE) for _ in range(count)]
        self._cluster.wait_for_nodes()
        self._nodes.update((node.node_id, node) for node in started)
        near = NodeAffinitySchedulingStrategy(self.ids[-1], soft=True)
        while ray.get(_place.options(scheduling_strategy=near).remote()) != self.ids[-1]:
            # The head places actors by what it has heard of other nodes, which takes it a moment.
            time.sleep(HEARD_S)
        return self.ids[-1]

    def kill(self, node_id: str) -> None:
        """Kill a node, other than the head, without warning."""
        self._cluster.remove_node(self._nodes.pop(node_id), allow_graceful=False)


@contextmanager
def cluster_of(nodes: int) -> Iterator[Nodes]:
    """Start a cluster of so many nodes and join it; both end with the block."""
    cluster = Cluster(initialize_head=True, head_node_args={**_NODE, "_system_config": _SEEN_DEAD})
    try:
        ray.init(address=cluster.address, namespace=NAMESPACE, log_to_driver=False, logging_level=logging.CRITICAL)
        found = Nodes(cluster)
        found.add(nodes - 1)
        yield found
    finally:
        ray.shutdown()
        cluster.shutdown()  # type: ignore[no-untyped-call]
