"""Tools about the platform itself: whether it answers, how the machine is, how fast it computes."""

import os
import shutil
import time
from datetime import UTC, datetime
from typing import Literal

from pydantic import Field

from deployments.gateway.mcp.call import Call, Done
from deployments.gateway.mcp.categories import Category
from deployments.gateway.mcp.schema import Figure, Nothing, Output
from deployments.gateway.mcp.tool import job, tool
from deployments.gateway.mcp.twin import JOBS, KEY, KIND, OfJob, Settled, Twin, part_of
from nt_ray.access.roles import Scope
from nt_ray.doctor.machine import available_mb, existing_parent
from nt_ray.project import project
from nt_ray.trader.jobs import spec as jobs

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
        accounts=len(call.accounts()),
    )


class RunBenchmark(OfJob, jobs.Benchmark):
    """What is measured, as the platform's API takes it."""

    kind: Settled[Literal["benchmark"]] = "benchmark"


class Benchmark(Output):
    """Times of whole backtests on the machine that did the job, then."""

    job: str
    run: str
    strategy: str
    repeats: int
    bars: int = Field(description="Bars of one backtest, over all symbols.")
    processors: int
    best_ms: float
    median_ms: float
    worst_ms: float
    bars_per_second: Figure = Field(description="By the best time.")


def _timed(_: Call, __: RunBenchmark, done: Done) -> Benchmark:
    told = {name: done.summary[name] for name in Benchmark.model_fields if name not in ("job", "run")}
    return Benchmark(job=done.job, run=done.run, **told)


@job(
    _timed,
    Category.SYSTEM,
    Scope.JOBS_WRITE,
    {"strategy": "momentum", "repeats": 2, "start": "2022-01-03"},
    Twin(JOBS, "benchmark", more=KEY, settled=KIND),
    changes=True,
    repeatable=False,
)
def run_benchmark(_: Call, asked: RunBenchmark) -> jobs.Benchmark:
    """Measure how long backtests of a strategy take where jobs are done, by wall clock, whatever else it does."""
    return part_of(asked, jobs.Benchmark)


TOOLS = (ping, get_system_metrics, run_benchmark)
