"""Retrainings as tasks on the cluster: what the registry's actor calls when a model has drifted.

A task that dies with its process or node is repeated, and goes on from the newest checkpoint where the folder of the
runs is one that all nodes reach. It trains as `[neural.training]` says: by itself, on a GPU where one is asked for, or
with workers that it starts. It knows nothing of drift.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import actors.cluster  # noqa: F401  prepares the environment Ray reads

import ray  # isort: skip  after actors.cluster, which prepares its environment

from actors.cluster import require_gpus
from actors.training_run import train
from nt_ray.config import Settings
from nt_ray.neural.drift.retraining import RetrainPlan
from nt_ray.neural.drift.warm_start import Retrained
from nt_ray.neural.training.choice import workers_of
from nt_ray.trader.retraining import retrain_on_bars

REPEATS: Final = 3


@dataclass(frozen=True, slots=True)
class RetrainOnRay:
    """Trigger of `actors.registry.start`: meets a plan on the bars of these settings."""

    settings: Settings

    def __call__(self, plan: RetrainPlan) -> Any:
        """Start the task; a reference to what it made."""
        chosen = self.settings.neural.training
        # Workers have GPUs of their own, of which they make sure themselves.
        gpus = int(chosen.gpu and workers_of(chosen) == (0, 0))
        require_gpus(gpus, "Set neural.training.gpu = false, or add a node with one.")
        return _retrain.options(num_gpus=gpus).remote(self.settings, plan)


@ray.remote(num_cpus=1, max_retries=REPEATS)
def _retrain(settings: Settings, plan: RetrainPlan) -> Retrained:
    return retrain_on_bars(settings, plan, partial(train, settings))
