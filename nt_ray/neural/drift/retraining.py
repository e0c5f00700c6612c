"""From drift to a training run: what to train anew, from which weights, and why.

A request is made once for each holder of an alias; until it was met, `due_retraining` gives its plan again, so that no
crash loses it. Who runs it is not known here (`nt_ray.neural.drift.warm_start`).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from nt_ray.neural.drift.drift import DEFAULT_LIMITS, Drift, Limits, assess
from nt_ray.neural.drift.drift_reference import Reference, reference_in
from nt_ray.neural.registry.aliases import Event
from nt_ray.neural.registry.model_files import bundle_description
from nt_ray.neural.registry.registry import Registry

TAG: Final = "retrains"
"""Tag of a version that meets a request, with the request's number."""
SEPARATOR: Final = "; "


@dataclass(frozen=True, slots=True)
class Recent:
    """Recent rows, as `nt_ray.neural.drift.drift.assess` takes them."""

    inputs: Mapping[str, npt.NDArray[np.float64]]
    errors: npt.NDArray[np.float64] | None = None
    covered: Mapping[float, npt.NDArray[np.bool_]] | None = None


@dataclass(frozen=True, slots=True)
class RetrainPlan:
    """A training run that is due: the model, the version whose weights it starts from, and the reasons.

    `request` is the number of the event that asked for it.
    """

    name: str
    alias: str
    warm_start: str
    folder: Path
    reasons: tuple[str, ...]
    request: int

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
    asked = registry.ask_for_retraining(name, alias, drift.resolved(), SEPARATOR.join(drift.reasons))
    if asked is None:
        return None
    return _plan(registry, name, alias, asked)


def due_retraining(registry: Registry, name: str, alias: str) -> RetrainPlan | None:
    """Plan of the request for the holder of an alias; None where nobody asked, or where it was met."""
    asked = registry.retraining_asked(name, alias)
    if asked is None or is_met(registry, name, asked.seq):
        return None
    return _plan(registry, name, alias, asked)


def is_met(registry: Registry, name: str, request: int) -> bool:
    """Say whether a version that meets a request was ever given an alias, which is the last thing done for it."""
    versions = registry.tagged(name, TAG, str(request))
    events = registry.history(name, after=request)
    return any(event.action == "promote" and event.version in versions for event in events)


def _plan(registry: Registry, name: str, alias: str, asked: Event) -> RetrainPlan:
    start = f"{name}/{asked.version}"
    return RetrainPlan(name, alias, start, registry.resolve(start), tuple(asked.reason.split(SEPARATOR)), asked.seq)
