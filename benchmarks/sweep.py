"""Sweeps beside a bare C floor of the same work: one long run, many pairs of averages, Ray beside bare processes.

A  one symbol, 1,000,000 bars, one crossover 20/50 with fees, one core;
B  1,000 pairs of averages on 20 symbols of 2,520 bars, one and two threads;
E  the work of B ten times over, on one and two workers: bare processes, and tasks on Ray.

Each timing is the median of interleaved repetitions, from arrays in memory to totals in memory, shared sums included.
Nothing is printed unless both sides agree on every total of every run, to the last quantum.

    python -m benchmarks.sweep [--repeats 7] [--json sweep.json] [--skip-ray]
"""

import argparse
import json
import multiprocessing
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.floor import Floor
from nt_ray.backtest.sweep import Grid, SweepPlan
from nt_ray.backtest.sweep.chunk import ChunkTotals, ChunkWork, run_chunk
from nt_ray.backtest.sweep.crossing import prefix_sums
from nt_ray.backtest.sweep.engine import conduct, run_threads
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
LONGER = 10


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
            "A": beside_floor(floor, plan_a(), [1], options.repeats),
            "B": beside_floor(floor, plan_b(2520), [1, 2], options.repeats),
        }
    if not options.skip_ray:
        result["E"] = workers(plan_b(2520 * LONGER), options.repeats)
    result["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
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
    ticks = tape.ticks[:, :, 0, :]
    opens, closes = np.ascontiguousarray(ticks[:, :, 0]), np.ascontiguousarray(ticks[:, :, 3])
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
    """Run a plan on threads, the shared sums made anew."""
    sums, counts = prefix_sums(tape.closes)
    fresh = replace(tape, sums=sums, counts=counts)
    size = -(-plan.combinations // threads)
    chunks = [plan.work(f, min(f + size, plan.combinations)) for f in range(0, plan.combinations, size)]
    return list(run_threads(plan, chunks, lambda work: run_chunk(STRATEGY, fresh, work), threads))


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


def workers(plan: SweepPlan, repeats: int) -> dict[str, float]:
    """Seconds of the same chunks on one and two bare processes and on Ray tasks."""
    _SHARED["tape"] = plan.tape()
    size = -(-plan.combinations // 8)
    chunks = [plan.work(f, min(f + size, plan.combinations)) for f in range(0, plan.combinations, size)]
    context = multiprocessing.get_context("fork")
    with context.Pool(1) as one, context.Pool(2) as two:
        from actors.cluster import connect, disconnect
        from actors.sweep import RaySweep

        connect(None, num_cpus=2, object_store_mb=400)
        tasks = RaySweep(plan)
        tasks.warm_up()
        calls = {
            "one_process": lambda: one.map(_bare, chunks, 1),
            "two_processes": lambda: two.map(_bare, chunks, 1),
            "ray_two_workers": lambda: list(tasks.execute(chunks)),
        }
        times = interleaved(calls, repeats)
        table = conduct(plan, tasks.execute, size)
        disconnect()
    return {
        **{f"{name}_s": seconds for name, seconds in times.items()},
        "speed_up_of_two": times["one_process"] / times["two_processes"],
        "ray_speed_up": times["one_process"] / times["ray_two_workers"],
        "ray_over_bare": times["ray_two_workers"] / times["two_processes"] - 1.0,
        "rows": float(table.height),
    }


def show(result: dict[str, Any]) -> None:
    """Print the figures."""
    for name in ("A", "B"):
        for row in result[name]:
            print(
                f"{name}  {row['threads']} thread(s)  floor {row['floor_m_bars_s']:7.1f} M bars/s   "
                f"sweep {row['sweep_m_bars_s']:7.1f} M bars/s   {row['share_of_floor']:.0%} of the floor"
            )
    if "E" in result:
        e = result["E"]
        print(
            f"E  one {e['one_process_s']:.3f} s, two {e['two_processes_s']:.3f} s ({e['speed_up_of_two']:.2f}x), "
            f"Ray {e['ray_two_workers_s']:.3f} s ({e['ray_speed_up']:.2f}x, {e['ray_over_bare']:+.1%} over bare)"
        )
    print(f"peak memory of this process: {result['peak_mb']:.0f} MB")


if __name__ == "__main__":
    main()
