"""Run a sweep on the threads of this process: kernels hold no lock, so threads are as good as processes.

Results do not depend on the number of threads, on the size of chunks or on the order in which chunks end.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from decimal import Decimal
from pathlib import Path
from typing import Final

import polars as pl

from nt_ray.backtest.sweep.chunk import ChunkTotals, ChunkWork, run_chunk
from nt_ray.backtest.sweep.plan import TARGET_EXPOSURE, SweepPlan
from nt_ray.backtest.sweep.result import SweepResult
from nt_ray.backtest.sweep.space import Space, SweepError
from nt_ray.backtest.sweep.store import SweepStore
from nt_ray.brokers.simulated.matching import Costs
from nt_ray.market.bars import BarPanel
from nt_ray.portfolio.sizing import SizingParams
from nt_ray.strategies.base import Strategy

OnChunk = Callable[[int, int], None]
"""Called with combinations done and combinations in all."""

Execute = Callable[[Iterable[ChunkWork]], Iterator[tuple[ChunkWork, ChunkTotals]]]
"""Runs chunks somewhere and gives them back in any order."""

MEMORY: Final = 2**30
"""Bytes a sweep may take unless told otherwise."""

MOST_RUNS_A_CHUNK: Final = 20_000


def sweep(
    panel: BarPanel,
    strategy: Strategy,
    space: Space,
    *,
    costs: Costs | None = None,
    initial_cash: Decimal = Decimal(1_000_000),
    sizing: SizingParams = TARGET_EXPOSURE,
    groups: Sequence[Sequence[int]] | None = None,
    workers: int | None = None,
    chunk: int | None = None,
    memory: int = MEMORY,
    folder: Path | None = None,
    on_chunk: OnChunk | None = None,
) -> SweepResult:
    """Run a strategy for every combination of a space on every group of symbols.

    Parameters
    ----------
    panel, strategy, space, costs, initial_cash, sizing, groups
        As in `SweepPlan`: each combination on each group is an account of its own.
    workers
        Threads; as many as this process has processors where None.
    chunk
        Combinations to a chunk; chosen where None. Changes no result.
    memory
        Bytes the result may take; `SweepError` where it would take more.
    folder
        Keeps finished chunks, so that the same sweep continues after an interruption.
    on_chunk
        Told of progress.
    """
    plan = SweepPlan(panel, strategy, space, costs or Costs(), initial_cash, sizing, groups)
    plan.check_memory(memory)
    workers = workers if workers is not None else len(os.sched_getaffinity(0))
    if workers < 1:
        raise SweepError(f"{workers} workers can do nothing. Use at least 1.")
    size = chunk_size(plan, workers, chunk)
    store = SweepStore.open(plan, size, folder) if folder is not None else None
    size = store.size if store is not None else size
    return SweepResult(plan, conduct(plan, on_threads(plan, workers), size, store=store, on_chunk=on_chunk))


def on_threads(plan: SweepPlan, workers: int) -> Execute:
    """What runs the chunks of a plan on so many threads of this process."""
    tape = plan.tape()

    def execute(chunks: Iterable[ChunkWork]) -> Iterator[tuple[ChunkWork, ChunkTotals]]:
        return run_threads(plan, chunks, lambda work: run_chunk(plan.strategy, tape, work), workers)

    return execute


def chunk_size(plan: SweepPlan, workers: int, asked: int | None = None) -> int:
    """Combinations to a chunk: some chunks a worker, none of them large; raises where fewer than 1 are asked for."""
    if asked is None:
        share = -(-plan.combinations // (4 * workers))
        return max(min(share, MOST_RUNS_A_CHUNK // len(plan.columns)), 1)
    if asked < 1:
        raise SweepError(f"Chunks of {asked} combinations are not possible. Use at least 1.")
    return asked


def conduct(
    plan: SweepPlan,
    execute: Execute,
    size: int,
    *,
    store: SweepStore | None = None,
    on_chunk: OnChunk | None = None,
) -> pl.DataFrame:
    """Run what is not stored yet and put all chunks together in order."""
    firsts = range(0, plan.combinations, size)
    tables = {first: store.read(first) for first in firsts if store.has(first)} if store is not None else {}
    done = sum(min(size, plan.combinations - first) for first in tables)
    if on_chunk is not None:
        on_chunk(done, plan.combinations)
    missing = (plan.work(f, min(f + size, plan.combinations)) for f in firsts if f not in tables)
    for work, found in execute(missing):
        table = plan.table(work, found)
        if store is not None:
            store.write(work.first, table)
        tables[work.first] = table
        done += len(work.rows)
        if on_chunk is not None:
            on_chunk(done, plan.combinations)
    runs = pl.concat([tables[first] for first in firsts])
    if runs["failure"].null_count() == 0:
        raise SweepError(f"Every run of {plan.strategy.name} failed. The first: {runs['failure'][0]}")
    return runs


def run_threads(
    plan: SweepPlan, chunks: Iterable[ChunkWork], run: Callable[[ChunkWork], ChunkTotals], workers: int
) -> Iterator[tuple[ChunkWork, ChunkTotals]]:
    """Run chunks on threads, at most twice as many in hand as there are workers."""
    pending: dict[Future[ChunkTotals], ChunkWork] = {}
    with ThreadPoolExecutor(workers, thread_name_prefix=f"sweep-{plan.strategy.name}") as pool:
        for work in chunks:
            pending[pool.submit(run, work)] = work
            if len(pending) >= 2 * workers:
                yield from _finished(pending)
        while pending:
            yield from _finished(pending)


def _finished(pending: dict[Future[ChunkTotals], ChunkWork]) -> Iterator[tuple[ChunkWork, ChunkTotals]]:
    done, _ = wait(pending, return_when=FIRST_COMPLETED)
    for future in done:
        yield pending.pop(future), future.result()
