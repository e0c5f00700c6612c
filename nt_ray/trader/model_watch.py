"""Registered models as a person watches them: who holds which alias, and whether the bars since training have drifted.

A verdict costs a look at all bars, so it is kept for `KEEP_S` seconds. What cannot be judged carries the sentence that
says why. Nothing is changed: a retraining is asked for elsewhere (`nt_ray.neural.drift.retraining`).
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from nt_ray.config import Settings
from nt_ray.errors import NeuralTraderError
from nt_ray.trader.model_drift import UnwatchableError, bars_since

if TYPE_CHECKING:
    from nt_ray.neural.registry.manifest import Manifest
    from nt_ray.neural.registry.registry import Registry

KEEP_S: Final = 300.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """Drift of the inputs since training: bars seen, reasons to train anew (empty: none), or why it is not known."""

    bars: int = 0
    reasons: tuple[str, ...] = ()
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Watched:
    """A version that holds an alias; without one the newest version, `alias` empty.

    `asked` says why a retraining was asked for, empty where it was not; `is_met`: a version that meets it is there.
    """

    name: str
    alias: str
    version: int
    versions: int
    created: datetime
    trained_until: datetime | None
    verdict: Verdict
    asked: str = ""
    is_met: bool = False


class ModelWatch:
    """Looks at the registry and the bars that settings name; may be shared by threads."""

    def __init__(self, settings: Settings, clock: Callable[[], float]) -> None:
        """Make one; `clock` gives monotonic seconds."""
        self._settings = settings
        self._clock = clock
        self._guard = threading.Lock()
        self._kept: dict[tuple[str, int], tuple[float, Verdict]] = {}

    def look(self, after: str = "", most: int | None = None) -> list[Watched]:
        """Look at models by name, those behind a name, at most so many; aliases in their order, champion first."""
        # PyTorch is not loaded before somebody asks for models.
        from nt_ray.neural.registry.registry import open_registry

        registry = open_registry(self._settings.neural, "watch")
        with self._guard:
            found: list[Watched] = []
            for model in registry.list(after, most):
                held = sorted(model.aliases.items(), key=lambda pair: (pair[0] != "champion", pair[0]))
                for alias, version in held or [("", max(model.versions))]:
                    found.append(self._watched(registry, model.name, alias, version, len(model.versions)))
            return found

    def _watched(self, registry: "Registry", name: str, alias: str, version: int, versions: int) -> Watched:
        from nt_ray.neural.drift.retraining import is_met

        manifest = registry.describe(f"{name}/{version}").manifest
        asked = registry.retraining_asked(name, alias) if alias else None
        return Watched(
            name=name,
            alias=alias,
            version=version,
            versions=versions,
            created=manifest.created,
            trained_until=manifest.trained_until,
            verdict=self._verdict(registry, manifest),
            asked="" if asked is None else asked.reason,
            is_met=asked is not None and is_met(registry, name, asked.seq),
        )

    def _verdict(self, registry: "Registry", manifest: "Manifest") -> Verdict:
        key = manifest.name, manifest.version
        at, kept = self._kept.get(key, (float("-inf"), Verdict()))
        if self._clock() - at < KEEP_S:
            return kept
        try:
            found = verdict(self._settings, registry, manifest)
        except UnwatchableError as error:
            found = Verdict(error.bars, refused=str(error))
        except NeuralTraderError as error:
            found = Verdict(refused=str(error))
        self._kept[key] = self._clock(), found
        return found


def verdict(settings: Settings, registry: "Registry", manifest: "Manifest") -> Verdict:
    """Compare the bars after a version's training with those it was trained on; raises where that cannot be done."""
    from nt_ray.neural.drift.retraining import drift_of

    count, recent = bars_since(settings, registry, manifest)
    return Verdict(count, drift_of(registry, f"{manifest.name}/{manifest.version}", recent).reasons)
