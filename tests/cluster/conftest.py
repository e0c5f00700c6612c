"""A real Ray cluster of three nodes on this machine, with token authentication and failures noticed in seconds."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

SHARED_MEMORY = 100 * 2**20


@dataclass
class Nodes:
    """A running cluster: where drivers and jobs reach it, and its nodes, the head first."""

    address: str
    dashboard: str
    cluster: Any
    options: dict[str, Any]
    folders: list[Path]
    nodes: list[Any]

    def complete(self) -> None:
        """Start the nodes that are missing."""
        living = self.cluster.list_all_nodes()
        self.nodes = [node for node in self.nodes if node in living]
        while len(self.nodes) < 3:
            folder = Path(tempfile.mkdtemp(prefix="nt", dir="/tmp"))
            self.folders.append(folder)
            port = free_port()
            self.nodes.append(
                self.cluster.add_node(
                    **self.options, temp_dir=str(folder), dashboard_agent_listen_port=port, wait=False
                )
            )
        self.cluster.wait_for_nodes()

    def unpacked(self) -> list[Path]:
        """The folders into which nodes have unpacked the files of jobs."""
        inside = "runtime_resources/working_dir_files"
        return [path for node in self.nodes for path in Path(node.get_session_dir_path(), inside).glob("_ray_pkg_*/")]

    def environment(self) -> dict[str, str]:
        return {**os.environ, "RAY_ADDRESS": self.address, "PYTHONUNBUFFERED": "1"}

    def driver(self, *arguments: str) -> subprocess.Popen[str]:
        """Start `nt-ray run` as a driver of this cluster."""
        command = [sys.executable, "-m", "jobs.trade", *arguments]
        return subprocess.Popen(
            command, env=self.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )


# For one module: while it stands, whatever in this process uses Ray without having joined one would join it.
@pytest.fixture(scope="module")
def cluster() -> Iterator[Nodes]:
    import ray
    from ray.cluster_utils import Cluster

    # Agents of every Ray of this machine would listen on one port; the one that finds it taken takes no jobs.
    # Jobs resolve the head by the machine's own address; nodes that share a folder would delete each
    # other's unpacked working directories, so each has one of its own (short: socket paths are limited).
    ip = ray.util.get_node_ip_address()
    folders: list[Path] = []
    health = {
        "health_check_initial_delay_ms": 1000,
        "health_check_period_ms": 1000,
        "health_check_timeout_ms": 1000,
        "health_check_failure_threshold": 3,
    }
    common: dict[str, Any] = {"num_cpus": 2, "object_store_memory": SHARED_MEMORY, "node_ip_address": ip}
    port = free_port()
    cluster = Cluster(
        initialize_head=True,
        head_node_args={
            **common,
            "include_dashboard": True,
            "dashboard_host": "127.0.0.1",
            "dashboard_port": port,
            "dashboard_agent_listen_port": free_port(),
            "_system_config": health,
        },
    )
    try:
        yield Nodes(cluster.address, f"http://127.0.0.1:{port}", cluster, common, folders, [cluster.head_node])
    finally:
        cluster.shutdown()
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def three_nodes(cluster: Nodes) -> Nodes:
    """The cluster with three nodes, whatever an earlier test has killed."""
    cluster.complete()
    return cluster


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
