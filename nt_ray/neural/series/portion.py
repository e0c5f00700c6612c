"""A worker's part of a panel that lies in shards, and what every worker knows of all of them.

Windows are counted shard by shard, whoever holds them. A worker reckons the whole batch of a step and takes the windows
that lie in its own shards, so the batch is that of a panel in one piece, for any number of workers, and the state of
sampling stays one integer. How many windows of a step a worker has therefore differs from step to step.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.series.scaling import FoldScaler, pooled
from nt_ray.neural.series.valid import ValidWindows, numbered
from nt_ray.types import FloatArray, IntArray

ELSEWHERE = -1
"""Series of windows that another worker holds."""


@dataclass(frozen=True, slots=True, eq=False)
class ShardFacts:
    """What is known of a shard without its values, under one recipe.

    `training` and `validation` are numbers of windows, `gaps` the kinds of values that are missing anywhere, `location`
    and `scale` (S,) the scales of its series where these are fitted on the training rows, else empty, `past` and
    `future` (3, C) the moments of its inputs, zeros where these are not scaled.
    """

    names: tuple[str, ...]
    digest: str
    training: int
    validation: int
    gaps: tuple[str, ...]
    location: FloatArray
    scale: FloatArray
    past: FloatArray
    future: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Portion:
    """Shards with the numbers `held`, in this order, among all of `facts`."""

    facts: tuple[ShardFacts, ...]
    held: tuple[int, ...]

    @property
    def digest(self) -> str:
        """SHA-256 of all shards, the same for whoever holds which."""
        return hashlib.sha256(" ".join(fact.digest for fact in self.facts).encode()).hexdigest()

    @property
    def gaps(self) -> tuple[str, ...]:
        """Kinds of values that are missing in any shard."""
        return tuple(dict.fromkeys(kind for fact in self.facts for kind in fact.gaps))

    @property
    def scaler(self) -> FoldScaler:
        """Scales of the series of all shards."""
        fitted = any(fact.location.size for fact in self.facts)
        names = tuple(name for fact in self.facts for name in fact.names) if fitted else ()
        location, scale = (np.concatenate([getattr(f, key) for f in self.facts]) for key in ("location", "scale"))
        past, future = (pooled([getattr(fact, kind) for fact in self.facts]) for kind in ("past", "future"))
        return FoldScaler(names, location, scale, past, future, np.empty((2, 0)))

    def training(self, own: ValidWindows) -> ValidWindows:
        """Number the windows that train in the shards held among those of all."""
        return self._among(own, [fact.training for fact in self.facts])

    def validation(self, own: ValidWindows) -> ValidWindows:
        """Number the windows that validate."""
        return self._among(own, [fact.validation for fact in self.facts])

    def join(self, panels: Sequence[SeriesPanel]) -> SeriesPanel:
        """Put the panels of the shards held under each other; refuses what changed since it was counted."""
        for number, panel in zip(self.held, panels, strict=True):
            if panel.digest() != self.facts[number].digest:
                raise NeuralError(f"Shard {number} has changed since its windows were counted. Lay the data out anew.")
        return stacked(panels)

    def _among(self, own: ValidWindows, counts: Sequence[int]) -> ValidWindows:
        ends = own.ends.numpy(force=True)
        lengths = np.diff(ends, prepend=0)
        series = own.series.numpy(force=True)
        # The first origin of a stretch, without what was folded in for its place among the worker's own.
        first = own.first.numpy(force=True) + ends - lengths
        shard = np.searchsorted(np.cumsum([len(self.facts[k].names) for k in self.held]), series, side="right")
        parts: list[tuple[IntArray, IntArray, IntArray]] = []
        for number, count in enumerate(counts):
            if number not in self.held:
                parts.append((np.array([ELSEWHERE]), np.array([0]), np.array([count])))
                continue
            mine = shard == self.held.index(number)
            parts.append((series[mine], first[mine], lengths[mine]))
        stretches = (np.concatenate(column) for column in zip(*parts, strict=True))
        return numbered(*stretches, device=own.ends.device, partial=len(self.held) < len(self.facts))


def stacked(panels: Sequence[SeriesPanel]) -> SeriesPanel:
    """Panels of shards, which have the same times and no static inputs, under each other."""
    if len(panels) == 1:
        return panels[0]
    names = tuple(name for panel in panels for name in panel.names)
    target, past, future = (np.concatenate([getattr(p, kind) for p in panels]) for kind in ("target", "past", "future"))
    return replace(panels[0], names=names, target=target, past=past, future=future, static=np.empty(0))
