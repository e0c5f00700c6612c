"""Tools about the platform itself: whether it answers, how the machine is, how fast it computes."""

import os
import shutil
import time
from datetime import UTC, datetime
from typing import Literal

import numpy as np
from pydantic import Field

from deployments.gateway.mcp.assessing import run_strategy
from deployments.gateway.mcp.call import Call
from deployments.gateway.mcp.categories import Category
from deployments.gateway.mcp.market_data import bars_of
from deployments.gateway.mcp.schema import Figure, Nothing, OfData, Output, StrategyName
from deployments.gateway.mcp.tool import tool
from nt_ray.access.roles import Scope
from nt_ray.doctor.machine import available_mb, existing_parent
from nt_ray.project import project

MB = 2**20


class Pong(Output):
    """The platform answers."""

    version: str
    time: datetime


@tool(Category.SYSTEM, Scope.SYSTEM_READ)
def ping(call: Call, asked: Nothing) -> Pong:
    """Answer with the platform's version and the time."""
    del call, asked
    return Pong(version=project().version, time=datetime.now(UTC))


class SystemMetrics(Output):
    """How the machine is now."""

    time: datetime
    processors: int
    load: tuple[float, float, float] = Field(description="Processes that run or wait, over 1, 5 and 15 minutes.")
    memory_available_mb: int | None
    disk_free_mb: int = Field(description="Where runs are written.")
    process_cpu_seconds: float
    accounts: int


@tool(Category.SYSTEM, Scope.SYSTEM_READ)
def get_system_metrics(call: Call, asked: Nothing) -> SystemMetrics:
    """Measure the machine that the server runs on: processors, load, memory, disk."""
    del asked
    return SystemMetrics(
        time=datetime.now(UTC),
        processors=len(os.sched_getaffinity(0)),
        load=os.getloadavg(),
        memory_available_mb=available_mb(),
        disk_free_mb=shutil.disk_usage(existing_parent(call.backend.settings.runs)).free // MB,
        process_cpu_seconds=time.process_time(),
        accounts=len(call.backend.accounts()),
    )


class RunBenchmark(OfData):
    """What is measured."""

    strategy: StrategyName
    benchmark_type: Literal["throughput", "latency"] = "throughput"
    repeats: int = Field(5, ge=2, le=100, description="Backtests that are timed, after one that is not.")


class Benchmark(Output):
    """Times of whole backtests on this machine, now."""

    strategy: str
    benchmark_type: Literal["throughput", "latency"]
    repeats: int
    bars: int = Field(description="Bars of one backtest, over all symbols.")
    best_ms: float
    median_ms: float
    worst_ms: float
    bars_per_second: Figure = Field(description="By the best time.")


@tool(Category.SYSTEM, Scope.SYSTEM_READ, {"strategy": "momentum", "repeats": 2, "start_date": "2022-01-03"})
def run_benchmark(call: Call, asked: RunBenchmark) -> Benchmark:
    """Measure how long backtests of a strategy take on the server's machine, by wall clock, whatever else it does."""
    panel = bars_of(call.backend, asked)
    took: list[float] = []
    for number in range(asked.repeats + 1):
        call.progress(number, asked.repeats + 1, "backtest")
        began = time.perf_counter()
        run_strategy(call.backend.settings, asked.strategy, {}, panel)
        took.append((time.perf_counter() - began) * 1e3)
    timed = np.array(took[1:])
    bars = len(panel) * len(panel.symbols)
    return Benchmark(
        strategy=asked.strategy,
        benchmark_type=asked.benchmark_type,
        repeats=asked.repeats,
        bars=bars,
        best_ms=float(timed.min()),
        median_ms=float(np.median(timed)),
        worst_ms=float(timed.max()),
        bars_per_second=bars / float(timed.min()) * 1e3,
    )


TOOLS = (ping, get_system_metrics, run_benchmark)
