"""Sweeps beside a bare C floor of the same work: one long run, many pairs of averages, Ray beside bare processes.

A  one symbol, 1,000,000 bars, one crossover 20/50 with fees, one core; totals, and with every trade and the curve;
B  1,000 pairs of averages on 20 symbols of 2,520 bars, one and two threads; and in a new process, imports included;
E  the work of B thirty times over in equal chunks: one and two bare processes, tasks on a Ray of one worker, of two,
   and of two nodes with a worker each.

Each timing is the median of interleaved repetitions, from arrays in memory to totals in memory, shared sums included.
Nothing is printed unless both sides agree on every total of every run, to the last quantum.

    python -m benchmarks.sweep [--repeats 7] [--json sweep.json] [--skip-ray]
"""

import argparse
import json
import multiprocessing
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.floor import Floor
from nt_ray.backtest.simulator import backtest
from nt_ray.backtest.sweep import Grid, SweepPlan, record
from nt_ray.backtest.sweep.chunk import ChunkTotals, ChunkWork, run_chunk
from nt_ray.backtest.sweep.crossing import prefix_sums
from nt_ray.backtest.sweep.engine import chunk_size, run_threads
from nt_ray.backtest.sweep.plan import TARGET_EXPOSURE
from nt_ray.backtest.sweep.tape import SweepTape
from nt_ray.brokers.simulated.matching import Costs
from nt_ray.market.bars import BarPanel, Instrument
from nt_ray.strategies.sma_cross import STRATEGY

CHEAP = Costs(Decimal(1), Decimal(0), Decimal(0), Decimal(0), Decimal(1))
"""Of the long run: its many fills would eat up the account at more."""

COSTS = Costs(Decimal(10), Decimal(0), Decimal(0), Decimal(0), Decimal(1))
CASH = 1_000_000
PAIRS = {"fast": range(5, 45), "slow": range(50, 175, 5)}
LONGER = 30
CHUNKS = 20
"""Of E: some to each worker, so that the last one is not waited for long."""

STORE_MB = 400


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--skip-ray", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        floor = Floor(Path(folder))
        result = {
            "cpus": os.cpu_count(),
            "B": beside_floor(floor, plan_b(2520), [1, 2], options.repeats),
            "new_process": new_process(options.repeats),
            "A": beside_floor(floor, plan_a(), [1], options.repeats),
            "recorded": recorded(plan_a(), options.repeats),
        }
    if not options.skip_ray:
        result["E"] = workers(plan_b(2520 * LONGER), options.repeats)
    result["load_1min"] = round(os.getloadavg()[0], 2)
    show(result)
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


def random_walk(bars: int, symbols: int, size: float) -> BarPanel:
    """Prices in cents from a fixed seed; opens beside the closes before them; volume that caps nothing."""
    random = np.random.default_rng(7)
    closes = 100.0 * np.exp(np.cumsum(random.normal(0.0, size, (bars, symbols)), axis=0))
    opens = np.vstack([closes[:1], closes[:-1]]) * np.exp(random.normal(0.0, size / 10, closes.shape))
    closes, opens = np.maximum(np.round(closes, 2), 0.01), np.maximum(np.round(opens, 2), 0.01)
    values = np.stack(
        [opens, np.maximum(opens, closes), np.minimum(opens, closes), closes, np.full(closes.shape, 1e12)], axis=2
    )
    instruments = tuple(Instrument(f"S{i:02d}") for i in range(symbols))
    return BarPanel(instruments, np.arange(bars, dtype=np.int64) * 60 * 10**9, np.ascontiguousarray(values))


def plan_a() -> SweepPlan:
    return SweepPlan(random_walk(1_000_000, 1, 0.0005), STRATEGY, Grid({"fast": [20], "slow": [50]}), CHEAP)


def plan_b(bars: int) -> SweepPlan:
    return SweepPlan(random_walk(bars, 20, 0.01), STRATEGY, Grid(PAIRS), COSTS)


def beside_floor(floor: Floor, plan: SweepPlan, threads: list[int], repeats: int) -> list[dict[str, Any]]:
    """Rates of both sides by number of threads, after their totals have been compared."""
    tape, rows = plan.tape(), plan.work(0, plan.combinations).rows
    opens, closes = tape.entries[:, :, 0], tape.marks[:, :, 0]
    prices, pairs = np.ascontiguousarray(tape.closes[:, :, 0]), rows[:, :2].astype(np.int64)
    unit, band = plan.panel.instruments[0].notional_unit, TARGET_EXPOSURE.rebalance_band

    def bare(count: int) -> tuple[Any, Any]:
        return floor.sweep(
            opens, closes, prices, pairs,
            unit=unit, ppm=int(plan.costs.commission_bps * 100), cash=CASH * 10**8, band=band, threads=count,
        )  # fmt: skip

    found = []
    for count in threads:
        compare(bare(count), ours(plan, tape, count))
        times = interleaved({"floor": lambda n=count: bare(n), "sweep": lambda n=count: ours(plan, tape, n)}, repeats)
        bars = plan.runs * len(plan.panel)
        rates = {f"{name}_m_bars_s": bars / seconds / 1e6 for name, seconds in times.items()}
        found.append({"threads": count, "bars": bars, **rates, "share_of_floor": times["floor"] / times["sweep"]})
    return found


def ours(plan: SweepPlan, tape: SweepTape, threads: int) -> list[tuple[ChunkWork, ChunkTotals]]:
    """Run a plan on threads in the chunks that a sweep makes, the shared sums made anew."""
    fresh, size = summed(tape), chunk_size(plan, threads)
    chunks = [plan.work(f, min(f + size, plan.combinations)) for f in range(0, plan.combinations, size)]
    return list(run_threads(plan, chunks, lambda work: run_chunk(STRATEGY, fresh, work), threads))


def summed(tape: SweepTape) -> SweepTape:
    """Return a tape with its shared sums made anew."""
    sums, counts = prefix_sums(tape.closes)
    return replace(tape, sums=sums, counts=counts)


def recorded(plan: SweepPlan, repeats: int) -> dict[str, float]:
    """Rate of one run with executions, equity, cash and positions, after the simulator has made the same record."""
    tape = plan.tape()
    row = plan.work(0, 1).rows[0]
    simulated = backtest(
        plan.panel, STRATEGY, row, sizing=plan.sizing, costs=plan.costs, initial_cash=plan.initial_cash
    )
    found = record(plan, 0, 0, summed(tape))
    for name in ("executions", "equity_quanta", "cash_quanta", "positions"):
        if not np.array_equal(getattr(found, name), getattr(simulated, name)):
            message = f"The record differs from the simulator's in {name}: no timing is worth printing."
            raise SystemExit(message)
    times = interleaved({"record": lambda: record(plan, 0, 0, summed(tape))}, repeats)
    return {"m_bars_s": len(plan.panel) / times["record"] / 1e6, "executions": float(len(found.executions))}


NEW_PROCESS = """
import resource, time
from benchmarks.sweep import plan_b
from nt_ray.backtest.sweep import sweep
plan = plan_b(2520)
sweep(plan.panel, plan.strategy, plan.space, costs=plan.costs).ranked("sharpe", 1)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def new_process(repeats: int) -> dict[str, float]:
    """Seconds from the start of an interpreter to the ranked result of B, and the memory it takes, cache warm."""
    times, memory = [], 0.0
    for turn in range(repeats + 1):
        started = time.perf_counter()
        run = subprocess.run([sys.executable, "-c", NEW_PROCESS], capture_output=True, text=True, check=True)
        if turn:
            times.append(time.perf_counter() - started)
            memory = max(memory, float(run.stdout))
    return {"seconds": statistics.median(times), "peak_mb": memory}


def compare(floor: tuple[Any, Any], found: list[tuple[ChunkWork, ChunkTotals]]) -> None:
    """End the program where any total differs."""
    parts = sorted(found, key=lambda part: part[0].first)
    whole = np.concatenate([totals.whole for _, totals in parts])[..., :4]
    real = np.concatenate([totals.real for _, totals in parts])
    if not (np.array_equal(whole, floor[0]) and np.allclose(real, floor[1], rtol=1e-12, atol=1e-15)):
        message = (
            f"The totals differ in {int((whole != floor[0]).any(axis=2).sum())} runs: no timing is worth printing."
        )
        raise SystemExit(message)


def interleaved(calls: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median seconds of each call, in turn, after one call of each that does not count."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(repeats + 1):
        for name, call in calls.items():
            started = time.perf_counter()
            call()
            if turn:
                times[name].append(time.perf_counter() - started)
    return {name: statistics.median(samples) for name, samples in times.items()}


_SHARED: dict[str, Any] = {}


def _bare(work: ChunkWork) -> ChunkTotals:
    return run_chunk(STRATEGY, _SHARED["tape"], work)


def workers(plan: SweepPlan, repeats: int) -> dict[str, dict[str, float]]:
    """Seconds of the same chunks on bare processes and on Ray: one worker, two on one node, two nodes of one."""
    from actors.cluster import connect, disconnect

    _SHARED["tape"] = plan.tape()
    size = -(-plan.combinations // CHUNKS)
    chunks = [plan.work(f, min(f + size, plan.combinations)) for f in range(0, plan.combinations, size)]
    context = multiprocessing.get_context("fork")
    found = {}
    with context.Pool(1) as one, context.Pool(2) as two:
        bare = {"one": lambda: one.map(_bare, chunks, 1), "two": lambda: two.map(_bare, chunks, 1)}
        for name, cpus in (("ray_one_worker", 1), ("ray_two_workers", 2)):
            connect(None, num_cpus=cpus, object_store_mb=STORE_MB)
            try:
                found[name] = on_ray(plan, chunks, bare, repeats)
            finally:
                disconnect()
        with two_nodes() as address:
            connect(address, num_cpus=None, object_store_mb=STORE_MB)
            try:
                found["ray_two_nodes"] = on_ray(plan, chunks, bare, repeats)
            finally:
                disconnect()
    for name in ("ray_two_workers", "ray_two_nodes"):
        found[name]["speed_up"] = found["ray_one_worker"]["ray_s"] / found[name]["ray_s"]
    return found


def on_ray(
    plan: SweepPlan, chunks: list[ChunkWork], bare: dict[str, Callable[[], object]], repeats: int
) -> dict[str, float]:
    """Time the bare processes and the Ray that this process is connected to, in turn, once their totals agree."""
    from actors.sweep import RaySweep

    tasks = RaySweep(plan)
    tasks.warm_up()
    for work, found in tasks.execute(chunks):
        wanted = run_chunk(STRATEGY, _SHARED["tape"], work)
        if found.whole.tobytes() != wanted.whole.tobytes() or found.real.tobytes() != wanted.real.tobytes():
            message = f"Ray's totals differ from combination {work.first} on: no timing is worth printing."
            raise SystemExit(message)
    times = interleaved({**bare, "ray": lambda: list(tasks.execute(chunks))}, repeats)
    return {
        **{f"{name}_s": seconds for name, seconds in times.items()},
        "bare_speed_up": times["one"] / times["two"],
        "speed_up": 1.0,
        "over_bare": times["ray"] / times["one" if tasks.cpus == 1 else "two"] - 1.0,
        "cpus": float(tasks.cpus),
    }


@contextmanager
def two_nodes() -> Iterator[str]:
    """Start a Ray of two nodes with one CPU each, processes of their own; give its address."""
    import ray
    from ray.cluster_utils import Cluster

    # Nodes that share a folder would delete each other's files; socket paths are limited, so it is a short one.
    with tempfile.TemporaryDirectory(prefix="nt", dir="/tmp", ignore_cleanup_errors=True) as folder:
        common: dict[str, Any] = {
            "num_cpus": 1, "object_store_memory": STORE_MB * 2**20, "node_ip_address": ray.util.get_node_ip_address(),
        }  # fmt: skip
        cluster = Cluster(initialize_head=True, head_node_args={**common, "include_dashboard": False})
        try:
            cluster.add_node(**common, temp_dir=folder, dashboard_agent_listen_port=free_port())
            cluster.wait_for_nodes()
            yield cluster.address
        finally:
            cluster.shutdown()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def show(result: dict[str, Any]) -> None:
    """Print the figures."""
    for name in ("A", "B"):
        for row in result[name]:
            print(
                f"{name}  {row['threads']} thread(s)  floor {row['floor_m_bars_s']:7.1f} M bars/s   "
                f"sweep {row['sweep_m_bars_s']:7.1f} M bars/s   {row['share_of_floor']:.0%} of the floor"
            )
    kept, new = result["recorded"], result["new_process"]
    print(f"A  with {kept['executions']:,.0f} executions, cash, equity and positions  {kept['m_bars_s']:.1f} M bars/s")
    print(f"B  in a new process, imports included  {new['seconds']:.2f} s, peak memory {new['peak_mb']:.0f} MB")
    for name, e in result.get("E", {}).items():
        print(
            f"E  {name}: one process {e['one_s']:.3f} s, two {e['two_s']:.3f} s ({e['bare_speed_up']:.2f}x), "
            f"Ray {e['ray_s']:.3f} s ({e['speed_up']:.2f}x of one worker, {e['over_bare']:+.1%} over as many processes)"
        )
    print(f"load {result['load_1min']}")


if __name__ == "__main__":
    main()
