"""A retraining on the bars that settings name: what the model forecasts is taken from them as in its first training."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from nt_ray.config import Settings
from nt_ray.trader.data import load_bars

if TYPE_CHECKING:
    from nt_ray.neural.drift.retraining import RetrainPlan
    from nt_ray.neural.drift.warm_start import Retrained, Trainer


def retrain_on_bars(settings: Settings, plan: "RetrainPlan", trainer: "Trainer") -> "Retrained":
    """Meet the request of a plan on the bars of `[data]`, or answer with the version that met it before.

    `trainer` trains as `[neural.training]` says.
    """
    from nt_ray.neural.drift.warm_start import retrain, target_of
    from nt_ray.neural.inference.bundle import describe_bundle
    from nt_ray.neural.registry.registry import open_registry
    from nt_ray.neural.training.choice import panel_for

    chosen, registry = settings.neural.training, open_registry(settings.neural)
    # The plan may be of another machine, whose cache this one does not reach.
    plan = replace(plan, folder=registry.resolve(plan.warm_start))
    signature = describe_bundle(plan.folder).signature
    panel = panel_for(load_bars(settings.data), target_of(plan) or chosen.target, signature)
    return retrain(
        registry,
        plan,
        panel,
        Path(settings.runs).resolve(),
        source=settings.data.source,
        trainer=trainer,
    )
