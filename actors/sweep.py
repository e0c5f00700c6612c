"""A sweep on the cluster: chunks as tasks, bars in the object store once, compiled code made once on each node.

Answers are small (totals of runs) and come back to the driver, which alone writes files; so nodes share no disk, and a
chunk whose node died is simply run again. A strategy travels by name and is found in the worker.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import actors.cluster  # noqa: F401  prepares the environment Ray reads

import ray  # isort: skip  after actors.cluster, which prepares its environment

from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from nt_ray.backtest.sweep.chunk import ChunkTotals, ChunkWork, run_chunk
from nt_ray.backtest.sweep.plan import SweepPlan
from nt_ray.backtest.sweep.tape import SweepTape
from nt_ray.errors import NeuralTraderError, ServiceError
from nt_ray.strategies.base import Strategy
from nt_ray.strategies.registry import find

IN_HAND = 2
"""Chunks in flight for each CPU: one runs, one waits."""


@ray.remote(num_cpus=1, max_retries=3)
def _chunk(find: Callable[[str], Strategy], name: str, tape: SweepTape, work: ChunkWork) -> ChunkTotals:
    return run_chunk(find(name), tape, work)


class RaySweep:
    """Runs the chunks of one plan on the Ray that this process is connected to."""

    def __init__(self, plan: SweepPlan, find: Callable[[str], Strategy] = find) -> None:
        """Put the bars into the object store; `find` finds the strategy by its name, in each worker too."""
        if find(plan.strategy.name).step is not plan.strategy.step:
            raise ServiceError(f"{plan.strategy.name} is not the strategy that workers would find under this name.")
        self._plan = plan
        self._find = find
        self._tape = ray.put(plan.tape())

    @property
    def cpus(self) -> int:
        """CPUs of the cluster."""
        return max(int(ray.cluster_resources().get("CPU", 1)), 1)  # type: ignore[no-untyped-call]

    def warm_up(self) -> None:
        """Compile the kernel once on each node, so that its workers only load it."""
        nodes = [n["NodeID"] for n in ray.nodes() if n["Alive"] and n["Resources"].get("CPU")]  # type: ignore[no-untyped-call]
        empty = self._plan.work(0, 1)
        self._get([self._submit(empty, NodeAffinitySchedulingStrategy(node, soft=True)) for node in nodes])

    def execute(self, chunks: Iterable[ChunkWork]) -> Iterator[tuple[ChunkWork, ChunkTotals]]:
        """Run chunks wherever there is a CPU; give them back as they end."""
        pending: dict[Any, ChunkWork] = {}
        room = IN_HAND * self.cpus
        for work in chunks:
            pending[self._submit(work, "DEFAULT")] = work
            if len(pending) >= room:
                yield from self._finished(pending)
        while pending:
            yield from self._finished(pending)

    def _finished(self, pending: dict[Any, ChunkWork]) -> Iterator[tuple[ChunkWork, ChunkTotals]]:
        ready, _ = ray.wait(list(pending), num_returns=1)
        for ref in ready:
            yield pending.pop(ref), self._get([ref])[0]

    def _submit(self, work: ChunkWork, where: Any) -> Any:
        return _chunk.options(scheduling_strategy=where).remote(self._find, self._plan.strategy.name, self._tape, work)

    def _get(self, refs: list[Any]) -> list[ChunkTotals]:
        try:
            return list(ray.get(refs))
        except RayTaskError as error:
            if isinstance(error.cause, NeuralTraderError):
                raise error.cause from None
            raise
        except RayError as error:
            raise ServiceError(
                f"A chunk of the sweep could not be run ({type(error).__name__}). Look at `ray status`, then run the "
                "same sweep again: finished chunks are kept."
            ) from error
