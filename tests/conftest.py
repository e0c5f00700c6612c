"""Shared fixtures: one Ray for all tests of a process, and a watch for actors that a test leaves behind."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from actors.environment import prepare

# One thread a process: the tests share few cores, and sums must not depend on a thread count.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("RAY_memory_monitor_refresh_ms", "0")

# Journals wait for their disk at every order. No test takes the machine's power away, so memory serves as one.
MEMORY_DISK, ROOM = Path("/dev/shm"), 4 * 2**30
if os.access(MEMORY_DISK, os.W_OK) and shutil.disk_usage(MEMORY_DISK).free > ROOM:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY_DISK))

# Before any test module imports Ray.
prepare()

# How long an example takes says more of the machine than of the code.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")

REPOSITORY = Path(__file__).parent.parent

WAITING = {"actors", "chaos", "cluster", "deployments", "jobs", "test_readme.py"}
"""Rooms whose tests wait for processes of Ray: a single file of theirs may take minutes."""

RAYS_OWN = {"AutoscalingCoordinator", "_dataset_stats_actor"}
"""Namespaces of actors that Ray Train and Ray Data keep for the life of the cluster."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long, so that processes which share the files end together; keep the order otherwise."""
    tests = REPOSITORY / "tests"
    items.sort(key=lambda item: item.path.relative_to(tests).parts[0] not in WAITING)


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[None]:
    from actors.cluster import connect, disconnect

    connect(None, num_cpus=4, object_store_mb=150)
    yield
    disconnect()


@pytest.fixture(autouse=True)
def no_actor_is_left_behind() -> Iterator[None]:
    before = named_actors()
    yield
    left = named_actors() - before
    assert not left, f"the test left actors behind: {sorted(left)}"


def named_actors() -> set[str]:
    ray = sys.modules.get("ray")
    if ray is None or not ray.is_initialized():
        return set()
    from ray.util import list_named_actors

    found = list_named_actors(all_namespaces=True)
    # The controller of Serve puts new replicas in the place of old ones by itself; it is the one to be ended.
    kept = (a for a in found if a["namespace"] not in RAYS_OWN and not a["name"].startswith("SERVE_REPLICA::"))
    return {f"{a['namespace']}/{a['name']}" for a in kept}
