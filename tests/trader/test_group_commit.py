import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from nt_ray.errors import BadInputError
from nt_ray.trader.group_commit import GroupCommit

PATIENCE_S = 20.0


def until(is_so: Callable[[], bool]) -> None:
    """Wait for another thread."""
    deadline = threading.Event()
    for _ in range(int(PATIENCE_S / 0.002)):
        if is_so():
            return
        deadline.wait(0.002)
    pytest.fail("the other thread did not come that far")


def test_a_group_serves_everyone_or_tells_everyone_why_not() -> None:
    lock = threading.Condition(threading.RLock())
    served: list[list[int]] = []

    def work(jobs: Any) -> list[int]:
        served.append(list(jobs))
        if len(jobs) > 1 and 3 in jobs:
            raise BadInputError("three")
        if jobs == [3]:
            raise BadInputError("three alone")
        return [2 * job for job in jobs]

    group: GroupCommit[int, int] = GroupCommit(lock, work)
    lock.acquire()
    with ThreadPoolExecutor(4) as pool:
        found = [pool.submit(group.run, n) for n in range(1, 5)]
        until(lambda: len(group._waiting) == 4)
        lock.release()
        assert [found[n].result() for n in (0, 1, 3)] == [2, 4, 8]
        with pytest.raises(BadInputError, match="three alone"):
            found[2].result()
    assert len(served[0]) == 4
