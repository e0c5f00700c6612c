"""Ray for a run: joined where one is named, else started on this machine's loopback, with token authentication on.

An address comes from the settings or from `RAY_ADDRESS`. Only who connected leaves: a process that is on a Ray already
stays on it, whatever it runs meanwhile.
"""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import ray

from nt_ray.errors import ServiceError

NAMESPACE = "nt-ray"
# Ray places an actor that needs nothing on any node, whatever its strategy says; one that needs a byte heeds it.
PLACED_BYTES = 1
HEAD = "node:__internal_head__"
HELD = 0.0001
"""What holds an actor on its node: so little of the resource that names the node that all find room."""
CONNECT_TIMEOUT_S = 3.0


@dataclass(frozen=True, slots=True)
class Cluster:
    """The Ray this process is connected to, and whether it was this call that connected it."""

    connected: bool
    nodes: int
    cpus: float


def connect(address: str | None, *, num_cpus: int | None, object_store_mb: int) -> Cluster:
    """Join the Ray at `address` or `RAY_ADDRESS`, or start a local one; a connected process stays where it is."""
    connects = not ray.is_initialized()
    if connects:
        address = address or os.environ.get("RAY_ADDRESS") or None
        if address is None:
            _start_local(num_cpus, object_store_mb)
        else:
            _join(address)
    alive = [node for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
    return Cluster(
        connected=connects,
        nodes=len(alive),
        cpus=float(sum(node["Resources"].get("CPU", 0.0) for node in alive)),
    )


def require_gpus(needed: float, remedy: str) -> None:
    """Refuse what needs more GPUs than the connected Ray has, for which it would wait without a word."""
    there = float(ray.cluster_resources().get("GPU", 0.0)) if needed else 0.0  # type: ignore[no-untyped-call]
    if there < needed:
        raise ServiceError(f"{needed:g} GPUs are asked for, and the cluster has {there:g}. {remedy}")


def held_here() -> dict[str, float]:
    """Resources that hold an actor on this process' node, whose folders it works on: it waits where the node is away.

    The head is named as such, so that another one in its place takes what it held.
    """
    here = ray.get_runtime_context().get_node_id()
    node = next(node for node in ray.nodes() if node["NodeID"] == here)  # type: ignore[no-untyped-call]
    return {HEAD if HEAD in node["Resources"] else f"node:{node['NodeManagerAddress']}": HELD}


def disconnect() -> None:
    """Leave Ray; a local one ends."""
    if ray.is_initialized():
        ray.shutdown()


@contextmanager
def connected(address: str | None, *, num_cpus: int | None, object_store_mb: int) -> Iterator[Cluster]:
    """Be connected for the length of a block; a process that was so before stays so after it."""
    cluster = connect(address, num_cpus=num_cpus, object_store_mb=object_store_mb)
    try:
        yield cluster
    finally:
        if cluster.connected:
            disconnect()


def _start_local(num_cpus: int | None, object_store_mb: int) -> None:
    # No runtime environment, not even a variable: a job that has one cannot use the processes that Ray holds ready, and
    # starts others. Ray itself gives a worker as many threads as it has CPUs, and one where it has none.
    ray.init(
        address="local",
        num_cpus=num_cpus or max(os.cpu_count() or 1, 2),
        object_store_memory=object_store_mb * 2**20,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
        namespace=NAMESPACE,
    )


def _join(address: str) -> None:
    _check_reachable(address)
    try:
        ray.init(address=address, namespace=NAMESPACE, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ServiceError(
            f"Ray at {address!r} cannot be joined ({error}). Check RAY_ADDRESS and RAY_AUTH_MODE, "
            "or unset RAY_ADDRESS to start a local Ray."
        ) from error


def _check_reachable(address: str) -> None:
    """Ray itself needs twenty seconds to find out that nobody listens; a plain connection tells at once."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdigit():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_TIMEOUT_S).close()
    except OSError as error:
        raise ServiceError(
            f"Ray is not reachable at {address!r} ({error.strerror or error}). Start it with "
            "`ray start --head`, correct RAY_ADDRESS, or unset it to start a local Ray."
        ) from error
