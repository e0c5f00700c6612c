"""From drift to a training run: what to train anew, from which weights, and why. Who runs it is not known here."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nt_ray.neural.drift.drift import DEFAULT_LIMITS, Drift, Limits, assess
from nt_ray.neural.drift.drift_reference import Reference, reference_in
from nt_ray.neural.registry.model_files import bundle_description
from nt_ray.neural.registry.registry import Registry


@dataclass(frozen=True, slots=True)
class Recent:
    """Recent rows, as `nt_ray.neural.drift.drift.assess` takes them."""

    inputs: Mapping[str, npt.NDArray[np.float64]]
    errors: npt.NDArray[np.float64] | None = None
    covered: Mapping[float, npt.NDArray[np.bool_]] | None = None


@dataclass(frozen=True, slots=True)
class RetrainPlan:
    """A training run that is due: the model, the version whose weights it starts from, and the reasons."""

    name: str
    alias: str
    warm_start: str
    folder: Path
    reasons: tuple[str, ...]

    def resolved(self) -> dict[str, Any]:
        """Everything as JSON values."""
        return asdict(self) | {"folder": str(self.folder)}


def drift_of(registry: Registry, text: str, recent: Recent, limits: Limits = DEFAULT_LIMITS) -> Drift:
    """Compare recent rows with what a registered version was trained on."""
    return assess(reference_of_version(registry, text), recent.inputs, recent.errors, recent.covered, limits)


def reference_of_version(registry: Registry, text: str) -> Reference:
    """Read what the training data of a registered version looked like."""
    return reference_in(bundle_description(registry.resolve(text)), text)


def plan_retraining(registry: Registry, name: str, alias: str, drift: Drift) -> RetrainPlan | None:
    """Note in the registry that the holder of an alias has drifted, and plan its retraining from its own weights.

    None where nothing drifted, or where that was planned before for this holder: of any number of callers one gets the
    plan.
    """
    if not drift.retrain:
        return None
    asked = registry.ask_for_retraining(name, alias, drift.resolved(), "; ".join(drift.reasons))
    if asked is None:
        return None
    start = f"{name}/{asked.version}"
    return RetrainPlan(name, alias, start, registry.resolve(start), drift.reasons)
