import ipaddress
import os
from typing import Any

import grpc
import psutil
import pytest

from actors import cluster
from actors.cluster import connected
from actors.runtime import RayRuntime

LOCAL: dict[str, Any] = {"num_cpus": 2, "object_store_mb": 100}


class OneRay:
    """Ray as a process sees it: connected or not, and how often it was."""

    def __init__(self) -> None:
        self.addresses: list[str] = []
        self.on = False

    def is_initialized(self) -> bool:
        return self.on

    def init(self, address: str, **_: Any) -> None:
        assert not self.on
        self.addresses.append(address)
        self.on = True

    def shutdown(self) -> None:
        self.on = False

    def nodes(self) -> list[dict[str, Any]]:
        return [{"Alive": True, "Resources": {"CPU": 2.0}}, {"Alive": False, "Resources": {"CPU": 8.0}}]


@pytest.fixture
def one_ray(monkeypatch: pytest.MonkeyPatch) -> OneRay:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    ray = OneRay()
    monkeypatch.setattr(cluster, "ray", ray)
    return ray


@pytest.mark.usefixtures("ray_cluster")
@pytest.mark.parametrize("address", [None, "127.0.0.1:1"])
def test_a_process_that_is_on_a_ray_stays_on_it(address: str | None) -> None:
    import ray

    session = ray.get_runtime_context().gcs_address
    with connected(address, **LOCAL) as found:
        assert not found.connected
        assert (found.nodes, found.cpus) == (1, 4.0)
    runtime = RayRuntime(address)
    assert runtime.start()["nodes"] == 1
    runtime.shutdown()
    assert ray.is_initialized()
    assert ray.get_runtime_context().gcs_address == session


def test_only_who_connected_leaves(one_ray: OneRay) -> None:
    with connected(None, **LOCAL) as outer:
        with connected(None, **LOCAL) as inner:
            assert (outer.connected, inner.connected) == (True, False)
            assert (outer.nodes, outer.cpus) == (1, 2.0)
        assert one_ray.on, "the inner block has left a Ray that it did not start"
    assert not one_ray.on
    assert one_ray.addresses == ["local"]


def test_a_block_that_fails_leaves_too(one_ray: OneRay) -> None:
    with pytest.raises(KeyError), connected(None, **LOCAL):
        raise KeyError
    assert not one_ray.on


def test_an_address_of_the_environment_is_joined(one_ray: OneRay, monkeypatch: pytest.MonkeyPatch) -> None:
    # An address without a port is Ray's to check.
    monkeypatch.setenv("RAY_ADDRESS", "auto")
    with connected(None, **LOCAL):
        pass
    with connected("ray://head", **LOCAL):
        pass
    assert one_ray.addresses == ["auto", "ray://head"]


SERVES = ("ray::Serve", "ray::Proxy")
"""Processes of Ray Serve, whose replicas listen for each other on every interface."""


@pytest.mark.usefixtures("ray_cluster")
def test_a_local_ray_listens_on_this_machine_alone() -> None:
    found = {at for process in psutil.Process().children(recursive=True) for at in listening(process)}
    assert {"gcs_server", "raylet"} <= {name for name, _ in found}
    assert [(name, ip) for name, ip in found if not is_loopback(ip)] == []


@pytest.mark.usefixtures("ray_cluster")
@pytest.mark.parametrize("token", [None, "", "wrong", "own"])
def test_a_local_ray_answers_to_nobody_without_its_token(token: str | None) -> None:
    import ray

    said = os.environ["RAY_AUTH_TOKEN"] if token == "own" else token
    shown = () if said is None else (("authorization", f"Bearer {said}"),)
    with grpc.insecure_channel(ray.get_runtime_context().gcs_address) as channel:
        ask = channel.unary_unary("/ray.rpc.NodeInfoGcsService/GetAllNodeInfo")
        if token == "own":
            assert ask(b"", metadata=shown, timeout=10)
            return
        with pytest.raises(grpc.RpcError) as caught:
            ask(b"", metadata=shown, timeout=10)
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.usefixtures("ray_cluster")
def test_workers_of_a_local_ray_need_no_environment_of_their_own_and_take_one_thread() -> None:
    import ray

    @ray.remote(num_cpus=0)
    def told() -> tuple[str, str]:
        return ray.get_runtime_context().get_runtime_env_string(), os.environ["OMP_NUM_THREADS"]

    # Else the processes that Ray has ready are of no use.
    assert ray.get(told.remote()) == ("{}", "1")


def listening(process: psutil.Process) -> set[tuple[str, str]]:
    """Name of a process and addresses at which it listens; none of one that has just ended."""
    try:
        found = {c.laddr.ip for c in process.net_connections("tcp") if c.status == psutil.CONN_LISTEN}
        return {(process.name(), ip) for ip in found if not process.name().startswith(SERVES)}
    except psutil.NoSuchProcess:
        return set()


def is_loopback(address: str) -> bool:
    found = ipaddress.ip_address(address)
    mapped = getattr(found, "ipv4_mapped", None)
    return bool((mapped or found).is_loopback)
