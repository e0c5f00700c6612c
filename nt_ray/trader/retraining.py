"""A retraining on the bars that settings name: what the model forecasts is taken from them as in its first training."""

from pathlib import Path
from typing import TYPE_CHECKING

from nt_ray.config import Settings
from nt_ray.trader.data import load_bars

if TYPE_CHECKING:
    from nt_ray.neural.drift.retraining import RetrainPlan
    from nt_ray.neural.drift.warm_start import Retrained
    from nt_ray.neural.training.durable import OnStep


def retrain_on_bars(settings: Settings, plan: "RetrainPlan", on_step: "OnStep | None" = None) -> "Retrained":
    """Meet the request of a plan on the bars of `[data]`, or answer with the version that met it before."""
    from nt_ray.neural.drift.warm_start import retrain, target_of
    from nt_ray.neural.registry.registry import open_registry
    from nt_ray.neural.series.sources import from_bars
    from nt_ray.neural.training.choice import FIELDS
    from nt_ray.neural.training.durable import Pace

    chosen = settings.neural.training
    panel = from_bars(load_bars(settings.data), FIELDS[target_of(plan) or chosen.target])
    return retrain(
        open_registry(settings.neural),
        plan,
        panel,
        Path(settings.runs).resolve(),
        source=settings.data.source,
        pace=Pace(seconds=chosen.checkpoint_s),
        threads=chosen.threads,
        on_step=on_step,
    )
