"""The retraining that drift asked for: from the weights of the holder, on newer data, to a challenger with its scores.

A request is met once: the run belongs to it by its folder, and the version by its tag. Whoever is killed and called
again goes on from the newest checkpoint, and of callers at once one trains and the others answer with its version. The
last rows are kept from training, so that challenger and holder can be judged on them; promotion is left to the gate.
"""

import fcntl
import hashlib
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np

from nt_ray.errors import StorageError
from nt_ray.neural.drift.retraining import TAG, RetrainPlan, is_met
from nt_ray.neural.inference.bundle import describe_bundle, load_bundle
from nt_ray.neural.models.base import Forecaster
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.registry.evidence import DEFAULT_GATE, Evidence
from nt_ray.neural.registry.fresh_scores import contestants, score_fresh
from nt_ray.neural.registry.registry import Registry
from nt_ray.neural.registry.registry_problems import UnknownVersionError
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.serving.keeping import keep
from nt_ray.neural.training.durable import train_durably
from nt_ray.neural.training.recipe import Recipe
from nt_ray.neural.training.trained import Trained

CHALLENGER: Final = "challenger"
BUNDLE: Final = "model"


class Trainer(Protocol):
    """Trains a recipe, in this process or with others."""

    def __call__(self, panel: SeriesPanel, recipe: Recipe, folder: Path, *, network: Forecaster | None) -> Trained:
        """Train from the weights of a network, or go on with the run that the folder holds."""
        ...


@dataclass(frozen=True, slots=True)
class Retrained:
    """A challenger: its version, the one it started from, its scores, and what the gate holds against it.

    `trained` says whether it was trained by this call.
    """

    name: str
    version: int
    warm_start: str
    trained: bool
    evidence: Evidence
    objections: tuple[str, ...]

    def resolved(self) -> dict[str, Any]:
        """Everything as JSON values."""
        kept = {key: getattr(self, key) for key in ("name", "version", "warm_start", "trained")}
        return kept | {"evidence": self.evidence.model_dump(mode="json"), "objections": list(self.objections)}


def retrain(
    registry: Registry,
    plan: RetrainPlan,
    panel: SeriesPanel,
    runs: Path,
    *,
    source: str = "",
    trainer: Trainer = train_durably,
) -> Retrained:
    """Meet the request of a plan, or answer with the version that met it before.

    Parameters
    ----------
    panel
        Series of the model with what came since; its last rows judge and do not train.
    runs
        Folder in which the run has its own.
    source
        Where the panel comes from, in words.
    trainer
        Trains from weights that it is given, or goes on with what a folder holds.
    """
    series = tuple(describe_bundle(plan.folder).lineage.config.get("series", panel.names))
    panel = panel.select(series)
    with _held(runs / f"retrain-{plan.name}-{plan.request}") as folder:
        met = registry.tagged(plan.name, TAG, str(plan.request))
        if not met:
            bundle = _train(plan, panel, folder, source, trainer)
            registry.register(bundle, plan.name, {TAG: str(plan.request)})
        version = _first(registry, plan)
        if not is_met(registry, plan.name, plan.request):
            registry.promote(plan.name, version, CHALLENGER, reason=f"trained anew from {plan.warm_start}")
    candidate, holder = contestants(registry, f"{plan.name}/{version}", plan.alias)
    evidence = score_fresh(candidate, holder, panel, source)
    against = DEFAULT_GATE.objections(evidence, candidate.manifest, None if holder is None else holder.manifest)
    return Retrained(plan.name, version, plan.warm_start, not met, evidence, tuple(against))


def target_of(plan: RetrainPlan) -> str:
    """Target that the model of a plan forecasts; empty where its lineage does not say."""
    return str(describe_bundle(plan.folder).lineage.config.get("target", ""))


def _train(plan: RetrainPlan, panel: SeriesPanel, folder: Path, source: str, trainer: Trainer) -> Path:
    """Train on all but the last rows, and write the bundle."""
    start = load_bundle(plan.folder)
    start.signature.check(panel)
    seen = panel.rows(0, len(panel) - _kept_back(plan, panel, start.signature.horizon))
    # The data of the run are part of its folder's name: a checkpoint on others would be refused.
    place = folder / hashlib.sha256(seen.digest().encode()).hexdigest()[:12]
    trained = trainer(seen, start.recipe, place, network=start.network)
    facts: Mapping[str, Any] = {
        **describe_bundle(plan.folder).lineage.config,
        "data": source,
        "start": str(seen.times[0].astype("datetime64[s]")),
        "end": str(seen.times[-1].astype("datetime64[s]")),
        "warm_start": plan.warm_start,
        "drift": list(plan.reasons),
    }
    keep(trained, seen, place / BUNDLE, facts)
    return place / BUNDLE


def _kept_back(plan: RetrainPlan, panel: SeriesPanel, horizon: int) -> int:
    """Rows at the end that judge: as few as the gate asks for; raises where nothing newer is left to train on."""
    kept = horizon * math.ceil(DEFAULT_GATE.least_windows / len(panel.names))
    text = describe_bundle(plan.folder).lineage.config.get("trained_until")
    known = np.datetime64(text[:19], "us") if isinstance(text, str) else None
    fresh = len(panel) if known is None else int((panel.times > known).sum())
    if fresh <= kept:
        raise NeuralError(
            f"The data have {fresh} rows after {known}, the end of the training of {plan.warm_start}. More than {kept} "
            "are needed: these judge the new version, and those before them train it. Give newer data."
        )
    return kept


def _first(registry: Registry, plan: RetrainPlan) -> int:
    """Version that meets a request: the first, where machines that share no folder made several."""
    first, *more = registry.tagged(plan.name, TAG, str(plan.request))
    for version in more:
        with suppress(UnknownVersionError):  # the other machine was quicker
            registry.delete(plan.name, version, reason=f"version {first} met the same request")
    return first


@contextmanager
def _held(folder: Path) -> Iterator[Path]:
    """Let one process of this machine at a time have a folder; the lock of one that dies is gone."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("w")
    except OSError as error:
        raise StorageError(f"{str(folder)!r} cannot be made ({error.strerror}). Give a writable --runs.") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder
