"""The sweep job: a strategy over many parameters, its chunks kept in a folder.

`nt-ray sweep` and `ray job submit --working-dir . -- python -m jobs.sweep` start the same and take the same options.
Chunks run on Ray where one is named or asked for, else on threads of this process, with the same result.
"""

import json
import os
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import typer
from rich.console import Console
from rich.table import Table

from actors.environment import prepare
from jobs.progress import counting
from nt_ray.backtest.sweep.chunk import ChunkTotals, ChunkWork
from nt_ray.backtest.sweep.engine import OnChunk, chunk_size, conduct, on_threads
from nt_ray.backtest.sweep.plan import SweepPlan
from nt_ray.backtest.sweep.result import SweepResult, check_metric
from nt_ray.backtest.sweep.store import SweepStore
from nt_ray.trader.sweeping import PAGE, WORKERS, finish_sweep, sweep_folder

SHOWN = ("sharpe", "cagr", "max_drawdown", "trades", "turnover")
FORMS = {
    "sharpe": ".2f",
    "sortino": ".2f",
    "turnover": ".2f",
    "trades": ",.0f",
    "costs": ",.0f",
    "final_equity": ",.0f",
}


@dataclass(frozen=True, slots=True)
class SweepOptions:
    """How a plan is run and shown."""

    runs: Path
    metric: str = "sharpe"
    top: int = 20
    chunk: int | None = None
    resume: bool = True
    memory_mb: int = 1024
    on_ray: bool = False
    address: str | None = None
    num_cpus: int | None = None
    object_store_mb: int = 200


def run(plan: SweepPlan, options: SweepOptions, *, as_json: bool = False, progress: bool = True) -> int:
    """Sweep; print the best combinations or one JSON object; return the exit code."""
    check_metric(options.metric)
    plan.check_memory(options.memory_mb * 2**20)
    console = Console(stderr=as_json)
    folder = sweep_folder(options.runs, plan)
    size = chunk_size(plan, WORKERS, options.chunk)
    store = SweepStore.open(plan, size, folder, fresh=not options.resume)
    started = time.perf_counter()
    with counting(console, "sweeping", shown=progress) as on_chunk:
        runs = _runs(plan, store, options, on_chunk)
    seconds = time.perf_counter() - started
    result, summary = finish_sweep(plan, runs, store, options.metric, options.top, seconds)
    if as_json:
        typer.echo(json.dumps(summary))
    else:
        _show(console, result, options, summary)
    return 0


def _runs(plan: SweepPlan, store: SweepStore, options: SweepOptions, on_chunk: OnChunk | None) -> pl.DataFrame:
    """Run what is missing; Ray is started only for that, and only where it is asked for."""
    if store.complete(plan.combinations):
        return conduct(plan, _nothing, store.size, store=store, on_chunk=on_chunk)
    if not (options.on_ray or options.address or os.environ.get("RAY_ADDRESS")):
        execute = on_threads(plan, options.num_cpus or len(os.sched_getaffinity(0)))
        return conduct(plan, execute, store.size, store=store, on_chunk=on_chunk)
    prepare(options.address)
    from actors.cluster import connected
    from actors.sweep import RaySweep

    with connected(options.address, num_cpus=options.num_cpus, object_store_mb=options.object_store_mb):
        tasks = RaySweep(plan)
        tasks.warm_up()
        return conduct(plan, tasks.execute, store.size, store=store, on_chunk=on_chunk)


def _nothing(chunks: Iterable[ChunkWork]) -> Iterator[tuple[ChunkWork, ChunkTotals]]:
    """Run no chunk: all are finished."""
    yield from ()


def _show(console: Console, result: SweepResult, options: SweepOptions, summary: dict[str, Any]) -> None:
    plan = result.plan
    best = result.combinations(options.metric, options.top)
    varied = [p.name for p in plan.strategy.parameters if result.runs[p.name].n_unique() > 1]
    metrics = [options.metric, *(m for m in SHOWN if m != options.metric)]
    title = f"{plan.strategy.name}: best by {options.metric}, means over {len(plan.columns)} accounts"
    table = Table(title=title)
    for name in ("#", *varied, *(m.replace("_", " ") for m in metrics)):
        table.add_column(name, justify="right")
    for row in best.iter_rows(named=True):
        table.add_row(str(row["combination"]), *(f"{row[p]:g}" for p in varied), *(_cell(m, row[m]) for m in metrics))
    console.print(table)
    console.print(
        f"{plan.combinations:,} combinations x {len(plan.columns)} accounts, {summary['failed']:,} runs failed, "
        f"{summary['seconds']:.1f} s\npage: {summary['folder']}/{PAGE}",
        soft_wrap=True,
    )
    for failure in summary["failures"][:3]:
        console.print(f"combination {failure['combination']}: {failure['failure']}", soft_wrap=True)


def _cell(metric: str, value: float | Decimal | None) -> str:
    return "undefined" if value is None else format(value, FORMS.get(metric, ".2%"))


if __name__ == "__main__":
    from jobs.cli import main

    sys.exit(main(["sweep", *sys.argv[1:]]))
