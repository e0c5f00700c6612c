"""Work on runs of scenarios in the threads of this process: the kernels hold no lock.

Runs are cut by the number of threads and put together in their order; no result depends on where they are cut.
"""

import itertools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from nt_ray.errors import RiskError

T = TypeVar("T")


def thread_count(threads: int | None) -> int:
    """Return a number of threads of at least 1; as many as this process has processors where None."""
    if threads is None:
        return len(os.sched_getaffinity(0))
    if threads < 1:
        raise RiskError(f"{threads} threads can do nothing. Use at least 1.")
    return threads


def over_runs(work: Callable[[int, int], T], total: int, threads: int) -> list[T]:
    """Return work(first, count) of as many even runs as there are threads, in their order."""
    edges = [total * n // threads for n in range(threads + 1)]
    runs = [(low, high - low) for low, high in itertools.pairwise(edges) if high > low]
    if len(runs) == 1:
        return [work(*runs[0])]
    with ThreadPoolExecutor(len(runs), thread_name_prefix="monte-carlo") as pool:
        return list(pool.map(lambda run: work(*run), runs))
