"""The sweep engine: a strategy over many parameters and symbols, in compiled passes that keep totals only."""

from nt_ray.backtest.sweep.engine import sweep
from nt_ray.backtest.sweep.plan import TARGET_EXPOSURE, SweepPlan
from nt_ray.backtest.sweep.record import record
from nt_ray.backtest.sweep.result import SweepResult
from nt_ray.backtest.sweep.space import Grid, Random, SweepError

__all__ = ["TARGET_EXPOSURE", "Grid", "Random", "SweepError", "SweepPlan", "SweepResult", "record", "sweep"]
