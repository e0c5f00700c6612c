"""Strategies side by side: backtested on the same bars with the same sizing and costs, ranked, or timed.

A comparison leaves its summary in a folder that is named by what was asked of which bars, so the same one again leaves
the same. A benchmark has a folder of its own each time, since a clock never says the same twice.
"""

import hashlib
import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from nt_ray.backtest.buy_and_hold import buy_and_hold
from nt_ray.backtest.metrics import Metrics, measure
from nt_ray.config import Settings
from nt_ray.errors import BadInputError, StorageError
from nt_ray.market.bars import BarPanel
from nt_ray.strategies import registry
from nt_ray.trader.assessing import needs_bars_alone, run_strategy
from nt_ray.trader.data import load_bars
from nt_ray.trader.files import SUMMARY
from nt_ray.trader.jobs.spec import Benchmark, Comparison
from nt_ray.trader.planning import account_plans
from nt_ray.trader.run_folder import create_run_folder
from nt_ray.trader.run_owners import claim
from nt_ray.types import QUANTA_PER_UNIT

OnStep = Callable[[int, int], None]
"""Takes backtests done and backtests in all; what it raises ends the work."""


def bare() -> tuple[str, ...]:
    """Name the strategies that need bars alone."""
    return tuple(strategy.name for strategy in registry.STRATEGIES if needs_bars_alone(strategy))


def compare_strategies(settings: Settings, spec: Comparison, on_step: OnStep) -> dict[str, Any]:
    """Backtest and rank; return the summary that it leaves in its folder. One that cannot be run stands last."""
    panel = _panel(settings, spec)
    names = tuple(dict.fromkeys(spec.strategies or bare()))
    rows = []
    for number, name in enumerate(names):
        on_step(number, len(names))
        rows.append(_row(settings, name, panel))
    on_step(len(names), len(names))
    summary = {
        "metric": spec.metric,
        "start": panel.time(0).isoformat(),
        "end": panel.time(len(panel) - 1).isoformat(),
        "bars": len(panel),
        "symbols": list(panel.symbols),
        "ranked": sorted(rows, key=lambda row: _worth(row, spec.metric), reverse=True),
        "benchmark": _figures(_held(settings, panel)),
    }
    sha = hashlib.sha256(f"{spec.model_dump_json()}{settings.account.initial_cash}".encode())
    sha.update(panel.timestamps.tobytes())
    sha.update(panel.values.tobytes())
    folder = Path(settings.runs).resolve() / f"comparison-{sha.hexdigest()[:12]}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{str(folder)!r} cannot be made ({error.strerror}). Give another --runs.") from error
    claim(folder)
    return _kept(folder, summary)


def time_backtests(settings: Settings, spec: Benchmark, on_step: OnStep) -> dict[str, Any]:
    """Time backtests after one that compiles; return the summary that it leaves in its folder."""
    panel = _panel(settings, spec)
    took: list[float] = []
    for number in range(spec.repeats + 1):
        on_step(number, spec.repeats + 1)
        began = time.perf_counter()
        run_strategy(settings, spec.strategy, {}, panel)
        took.append((time.perf_counter() - began) * 1e3)
    on_step(spec.repeats + 1, spec.repeats + 1)
    timed, bars = np.array(took[1:]), len(panel) * len(panel.symbols)
    summary = {
        "strategy": spec.strategy,
        "repeats": spec.repeats,
        "bars": bars,
        "processors": len(os.sched_getaffinity(0)),
        "best_ms": float(timed.min()),
        "median_ms": float(np.median(timed)),
        "worst_ms": float(timed.max()),
        "bars_per_second": bars / float(timed.min()) * 1e3,
    }
    folder = create_run_folder(Path(settings.runs), "benchmark", settings.seed)
    claim(folder)
    return _kept(folder, summary)


def _panel(settings: Settings, spec: Comparison | Benchmark) -> BarPanel:
    panel = load_bars(settings.data)
    if isinstance(spec, Comparison) and spec.last is not None and len(panel) > spec.last:
        return panel.between(panel.time(len(panel) - spec.last), None)
    return panel


def _row(settings: Settings, name: str, panel: BarPanel) -> dict[str, Any]:
    try:
        done = run_strategy(settings, name, {}, panel)
    except BadInputError as error:
        return {"strategy": name, "performance": None, "refused": str(error)}
    return {"strategy": done.strategy.name, "performance": _figures(done.metrics()), "refused": ""}


def _held(settings: Settings, panel: BarPanel) -> Metrics:
    """Equal money in every symbol from the start."""
    costs, cash = account_plans(settings, settings.runs)[0].costs, settings.account.initial_cash
    held = buy_and_hold(panel, costs, cash) / QUANTA_PER_UNIT
    return measure(np.concatenate([[float(cash)], held]), panel.periods_per_year)


def _figures(metrics: Metrics) -> dict[str, float | None]:
    """Measures as JSON holds them: null for what is undefined."""
    return {name: value if value is None or math.isfinite(value) else None for name, value in asdict(metrics).items()}


def _worth(row: dict[str, Any], metric: str) -> tuple[bool, bool, float]:
    did = row["performance"]
    value = None if did is None else did[metric]
    return did is not None, value is not None, 0.0 if value is None else value


def _kept(folder: Path, summary: dict[str, Any]) -> dict[str, Any]:
    summary = {**summary, "folder": str(folder)}
    try:
        (folder / SUMMARY).write_text(json.dumps(summary, indent=2), encoding="utf-8")
    except OSError as error:
        raise StorageError(f"{str(folder)!r} cannot be written ({error.strerror}). Give another --runs.") from error
    return summary
