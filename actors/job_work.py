"""The work of a job, by kind: what the commands run, told how far it is and stopped where nobody wants it any more.

In a task on the cluster whatever joins Ray is on it already; without Ray everything stays in this process, with the
same results. Each kind answers with its summary and the folder that it filled; the same sweep and the same training
go on from what an earlier attempt left there.
"""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nt_ray.config import Settings
from nt_ray.trader.files import OWNERS
from nt_ray.trader.jobs.job import JobCancelledError
from nt_ray.trader.jobs.reading import market_of_job, settings_of, space_of
from nt_ray.trader.jobs.spec import AnySpec, Backtest, Benchmark, Comparison, Search, SwarmRun, Sweep, Train
from nt_ray.trader.run_owners import claim, working_for

if TYPE_CHECKING:
    from nt_ray.backtest.sweep.engine import Execute
    from nt_ray.backtest.sweep.plan import SweepPlan
    from nt_ray.trader.runtime import Runtime
    from nt_ray.trader.steering import Steering

TELL_S: Final = 0.25
"""Least seconds between two reports of progress."""

Report = Callable[[int, int], bool]
"""Takes steps done and steps in all; answers whether to go on."""


@dataclass(slots=True)
class Tell:
    """Passes progress on, not too often; raises `JobCancelledError` where the job is to stop."""

    report: Report
    last: float = -TELL_S

    def __call__(self, done: int, total: int) -> None:
        """Report progress."""
        now = time.monotonic()
        if now - self.last < TELL_S and done < total:
            return
        self.last = now
        if not self.report(done, total):
            raise JobCancelledError("The job was cancelled. Submit it again to run it.")


def perform(
    settings: Settings,
    spec: AnySpec,
    tell: Tell,
    *,
    on_ray: bool = True,
    steering: "Steering | None" = None,
    source: str = "",
    owner: str = "",
) -> dict[str, Any]:
    """Work on a job; its summary, its folder's name, and the files that lie there.

    `steering` may change a swarm; `source` is the name under which the stream tells of it, empty that of its run.
    `owner` is whose its folder is, and what the stream tells of it.
    """
    asked = settings_of(settings, spec)
    tell(0, 1)
    runtime = _runtime(asked, source, owner) if on_ray and isinstance(spec, SwarmRun) else None
    with working_for(owner):
        summary = _worked(asked, spec, tell, steering, runtime, on_ray=on_ray)
    folder = Path(summary["folder"])
    return {"run": folder.name, "artefacts": _artefacts(folder), "summary": _finite(summary)}


def _worked(
    asked: Settings,
    spec: AnySpec,
    tell: Tell,
    steering: "Steering | None",
    runtime: "Runtime | None",
    *,
    on_ray: bool,
) -> Mapping[str, Any]:
    if isinstance(spec, Backtest):
        return _backtest(asked, spec, tell)
    if isinstance(spec, Sweep):
        return _sweep(asked, spec, tell, on_ray=on_ray)
    if isinstance(spec, SwarmRun):
        return _run(asked, tell, steering, runtime)
    if isinstance(spec, Search):
        from nt_ray.trader.model_search import search_model

        return search_model(asked, spec, tell)
    if isinstance(spec, Comparison):
        from nt_ray.trader.comparing import compare_strategies

        return compare_strategies(asked, spec, tell)
    if isinstance(spec, Benchmark):
        from nt_ray.trader.comparing import time_backtests

        return time_backtests(asked, spec, tell)
    return _train(asked if on_ray else _alone(asked), spec, tell)


def _backtest(settings: Settings, spec: Backtest, tell: Tell) -> Mapping[str, Any]:
    from nt_ray.backtest.event.runnable import runnable
    from nt_ray.backtest.sweep.plan import TARGET_EXPOSURE
    from nt_ray.trader.data import load_for
    from nt_ray.trader.event_record import Setup
    from nt_ray.trader.event_run import run_events
    from nt_ray.trader.planning import sizing_params

    found = runnable(spec.strategy, spec.parameters)
    loaded = load_for(settings, spec.strategy, found.inputs, found.parameters, tell)
    costs, market = market_of_job(settings, spec)
    sizing = TARGET_EXPOSURE if spec.sizing == "target" else sizing_params(settings)
    cash = settings.account.initial_cash
    setup = Setup(found, loaded.panel, market, sizing, costs, cash, loaded.origin, loaded.horizon)
    return run_events(settings, setup, tell).summary


def _sweep(settings: Settings, spec: Sweep, tell: Tell, *, on_ray: bool) -> Mapping[str, Any]:
    from nt_ray.backtest.sweep.engine import MEMORY, chunk_size, conduct
    from nt_ray.backtest.sweep.plan import TARGET_EXPOSURE, SweepPlan
    from nt_ray.backtest.sweep.store import SweepStore
    from nt_ray.brokers.simulated.matching import Costs
    from nt_ray.strategies.registry import find
    from nt_ray.trader.data import load_for
    from nt_ray.trader.planning import sizing_params
    from nt_ray.trader.sweeping import WORKERS, finish_sweep, sweep_folder

    strategy = find(spec.strategy)
    plan = SweepPlan(
        load_for(settings, spec.strategy, strategy.inputs).panel,
        strategy,
        space_of(spec, settings.seed),
        Costs(commission_bps=spec.commission_bps, slippage_bps=spec.slippage_bps),
        settings.account.initial_cash,
        sizing_params(settings) if spec.sized else TARGET_EXPOSURE,
    )
    plan.check_memory(MEMORY)
    folder = sweep_folder(Path(settings.runs), plan)
    claim(folder)
    store = SweepStore.open(plan, chunk_size(plan, WORKERS, None), folder)
    began = time.perf_counter()
    runs = conduct(plan, _executing(plan, on_ray=on_ray), store.size, store=store, on_chunk=tell)
    return finish_sweep(plan, runs, store, spec.metric, spec.top, time.perf_counter() - began)[1]


def _executing(plan: "SweepPlan", *, on_ray: bool) -> "Execute":
    if on_ray:
        from actors.sweep import RaySweep

        return RaySweep(plan).execute
    from nt_ray.backtest.sweep.engine import on_threads

    return on_threads(plan, os.cpu_count() or 1)


def _run(settings: Settings, tell: Tell, steering: "Steering | None", runtime: "Runtime | None") -> Mapping[str, Any]:
    from nt_ray.trader.facade import NeuralTrader

    def on_bar(row: int, rows: int, _: Decimal) -> None:
        tell(row + 1, rows)

    with NeuralTrader(settings, runtime) as trader:
        return trader.execute_strategy(on_bar=on_bar, steering=steering).summary


def _runtime(settings: Settings, source: str, owner: str) -> "Runtime":
    from actors.runtime import RayRuntime

    return RayRuntime(settings.ray.address, source=source, owner=owner)


def _alone(settings: Settings) -> Settings:
    """Settings whose trainings stay in this process."""
    training = settings.neural.training.model_copy(update={"workers": "0", "shards": 0})
    return settings.model_copy(update={"neural": settings.neural.model_copy(update={"training": training})})


def _train(settings: Settings, spec: Train, tell: Tell) -> Mapping[str, Any]:
    from actors.training_run import register_bundle, run_folder, train, write
    from nt_ray.neural.training.choice import label_of, panel_of, recipe_of
    from nt_ray.trader.data import load_bars

    chosen = settings.neural.training
    recipe = recipe_of(chosen, spec.model, spec.parameters, settings.seed)
    panel = panel_of(load_bars(settings.data), chosen)
    folder = run_folder(settings, label_of(panel, recipe), fresh=False)
    claim(folder)
    began = time.perf_counter()
    trained = train(settings, panel, recipe, folder, lambda p: tell(p.step, p.steps))
    summary = write(settings, panel, trained, folder, time.perf_counter() - began, panel.names)
    if spec.register_as is not None:
        summary["registered"] = register_bundle(settings, folder, spec.register_as)
    return summary


def _artefacts(folder: Path) -> list[dict[str, Any]]:
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name != OWNERS)
    return [{"name": path.name, "bytes": path.stat().st_size} for path in files]


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity: null stands for both."""
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not abs(value) < float("inf"):
        return None
    return f"{value:f}" if isinstance(value, Decimal) else value
