"""Retrainings as tasks on the cluster: what the registry's actor calls when a model has drifted.

A task that dies with its process or node is repeated, and goes on from the newest checkpoint where the folder of the
runs is one that all nodes reach. It knows nothing of drift.
"""

from dataclasses import dataclass
from typing import Any, Final

import actors.cluster  # noqa: F401  prepares the environment Ray reads

import ray  # isort: skip  after actors.cluster, which prepares its environment

from nt_ray.config import Settings
from nt_ray.neural.drift.retraining import RetrainPlan
from nt_ray.neural.drift.warm_start import Retrained
from nt_ray.trader.retraining import retrain_on_bars

REPEATS: Final = 3


@dataclass(frozen=True, slots=True)
class RetrainOnRay:
    """Trigger of `actors.registry.start`: meets a plan on the bars of these settings."""

    settings: Settings

    def __call__(self, plan: RetrainPlan) -> Any:
        """Start the task; a reference to what it made."""
        return _retrain.remote(self.settings, plan)


@ray.remote(num_cpus=1, max_retries=REPEATS)
def _retrain(settings: Settings, plan: RetrainPlan) -> Retrained:
    return retrain_on_bars(settings, plan)
