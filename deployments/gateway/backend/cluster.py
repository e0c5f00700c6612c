"""The cluster as the routes ask for it: nodes and what they have."""

from dataclasses import dataclass
from typing import Any, Protocol

import ray


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """Ray as it is now: nodes alive and known, CPUs and GPUs in all and free."""

    connected: bool
    nodes_alive: int
    nodes: int
    cpus: float
    cpus_free: float
    gpus: float


class Cluster(Protocol):
    """Says how the cluster is."""

    def facts(self) -> ClusterFacts:
        """Look at the cluster; may take some milliseconds."""
        ...


class RayCluster:
    """The Ray that this process is connected to."""

    def facts(self) -> ClusterFacts:
        """Look at the cluster."""
        if not ray.is_initialized():
            return ClusterFacts(connected=False, nodes_alive=0, nodes=0, cpus=0.0, cpus_free=0.0, gpus=0.0)
        nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
        has: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        free: dict[str, float] = ray.available_resources()  # type: ignore[no-untyped-call]
        return ClusterFacts(
            connected=True,
            nodes_alive=sum(bool(node["Alive"]) for node in nodes),
            nodes=len(nodes),
            cpus=has.get("CPU", 0.0),
            cpus_free=free.get("CPU", 0.0),
            gpus=has.get("GPU", 0.0),
        )
