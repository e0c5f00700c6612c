"""What a sweep leaves: one row for each run, ranked by any metric, and any run's full record on request."""

from dataclasses import dataclass

import polars as pl

from nt_ray.backtest.simulator import BacktestResult
from nt_ray.backtest.sweep.measures import LESS_IS_BETTER, METRICS
from nt_ray.backtest.sweep.plan import SweepPlan
from nt_ray.backtest.sweep.record import record
from nt_ray.backtest.sweep.space import SweepError


@dataclass(frozen=True, slots=True, eq=False)
class SweepResult:
    """Runs of a sweep."""

    plan: SweepPlan
    runs: pl.DataFrame
    """Columns: combination, symbols, each parameter, each metric (null undefined), failure (null: none)."""

    @property
    def failures(self) -> pl.DataFrame:
        """Runs that failed, and why."""
        return self.runs.filter(pl.col("failure").is_not_null())

    def ranked(self, metric: str = "sharpe", top: int | None = None) -> pl.DataFrame:
        """Runs from best to worst; undefined ones last, ties in order of combination."""
        return _ranked(self.runs, metric, ["combination"]).head(top if top is not None else self.runs.height)

    def combinations(self, metric: str = "sharpe", top: int | None = None) -> pl.DataFrame:
        """Combinations from best to worst by the mean of a metric over their groups of symbols.

        `runs` counts the groups in a mean, `failed` those left out; every metric is a mean. A combination is ranked
        only where the metric is defined for some group.
        """
        names = [p.name for p in self.plan.strategy.parameters]
        table = self.runs.group_by("combination", *names, maintain_order=True).agg(
            pl.col("failure").is_null().sum().alias("runs"),
            pl.col("failure").is_not_null().sum().alias("failed"),
            *(pl.col(m).mean() for m in METRICS),
        )
        return _ranked(table, metric, ["combination"]).head(top if top is not None else table.height)

    def replay(self, combination: int, group: int = 0) -> BacktestResult:
        """Run one account again and keep every fill and every bar's equity."""
        return record(self.plan, combination, group)


def check_metric(metric: str) -> None:
    """Raise where a result cannot be ranked by this name."""
    if metric not in METRICS:
        raise SweepError(f"Metric {metric!r} is unknown. Use one of {', '.join(METRICS)}.")


def _ranked(table: pl.DataFrame, metric: str, ties: list[str]) -> pl.DataFrame:
    check_metric(metric)
    down = metric not in LESS_IS_BETTER
    return table.sort([metric, *ties], descending=[down, *(False for _ in ties)], nulls_last=True, maintain_order=True)
