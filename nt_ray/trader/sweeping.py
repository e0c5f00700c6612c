"""What a finished sweep leaves in its folder: the summary and the page; and what the folder is called."""

from pathlib import Path
from typing import Any, Final

import polars as pl

from nt_ray.backtest.sweep.measures import LESS_IS_BETTER
from nt_ray.backtest.sweep.plan import SweepPlan
from nt_ray.backtest.sweep.result import SweepResult
from nt_ray.backtest.sweep.store import SweepStore
from nt_ray.strategies.loader import label

WORKERS: Final = 8
"""Workers that the size of chunks is made for, whatever the cluster: the same sweep has the same chunks anywhere."""

PAGE: Final = "sweep.html"

MOST_ON_PAGE = 20_000
"""Combinations on a page."""


def sweep_folder(runs: Path, plan: SweepPlan) -> Path:
    """Folder of a sweep: the same for the same, whoever runs it."""
    return runs / f"sweep-{label(plan.strategy.name)}-{plan.digest[:12]}"


def finish_sweep(
    plan: SweepPlan, runs: pl.DataFrame, store: SweepStore, metric: str, top: int, seconds: float
) -> tuple[SweepResult, dict[str, Any]]:
    """Write table, summary and page of all runs of a plan; the result, and the summary as JSON holds it."""
    result = SweepResult(plan, runs)
    summary = _summary(result, metric, top, store.folder, seconds)
    store.finish(runs, summary)
    write_page(result, metric, store.folder / PAGE)
    return result, summary


def write_page(result: SweepResult, metric: str, path: Path) -> None:
    """Draw heat maps and parallel coordinates; of a very large sweep every so manieth by rank, the best among them."""
    from nt_ray.reports.sweep import write_sweep

    plan = result.plan
    # The page takes more for better.
    by = "sharpe" if metric in LESS_IS_BETTER else metric
    ranked = result.combinations(by)
    names = [p.name for p in plan.strategy.parameters]
    varied = [name for name in names if ranked[name].n_unique() > 1] or names[:1]
    shown = ranked.gather_every(max(1, -(-ranked.height // MOST_ON_PAGE)))
    title = f"{label(plan.strategy.name)}: sweep of {plan.combinations:,} combinations on {plan.panel.name}"
    write_sweep(
        shown.drop("runs", "failed", *(name for name in names if name not in varied)),
        varied,
        path,
        title=title,
        metric=by,
    )


def _summary(result: SweepResult, metric: str, top: int, folder: Path, seconds: float) -> dict[str, Any]:
    plan = result.plan
    best = result.combinations(metric, top)
    return {
        **plan.facts(),
        "digest": plan.digest,
        "folder": str(folder),
        "metric": metric,
        "runs": result.runs.height,
        "failed": result.failures.height,
        "failures": result.failures.unique("combination", maintain_order=True)
        .head(top)
        .select("combination", "failure")
        .to_dicts(),
        "seconds": seconds,
        "bars_per_second": result.runs.height * len(plan.panel) / seconds if seconds > 0 else None,
        "best": best.to_dicts(),
    }
