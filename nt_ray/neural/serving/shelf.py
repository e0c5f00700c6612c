"""Models in service by name: versions loaded on demand into a cache by bytes, aliases followed while they change.

Guaranteed: a version takes an alias' place only after it was loaded, proved and warmed up, in one step; a request that
has found its model finishes on it. Where the registry cannot be read, what is known goes on being served.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from nt_ray.errors import NeuralTraderError
from nt_ray.neural.inference.bundle import load_bundle
from nt_ray.neural.registry.model_names import Reference, checked_alias, checked_name, checked_version
from nt_ray.neural.registry.registry import Registry
from nt_ray.neural.registry.registry_problems import UnknownAliasError, UnknownModelError, UnknownVersionError
from nt_ray.neural.serving.admission import BOUND, Precision, admit
from nt_ray.neural.serving.cache import ByteCache, CacheState
from nt_ray.neural.serving.knee import knee, measure
from nt_ray.neural.serving.model import ServedModel

GONE: Final = (UnknownModelError, UnknownAliasError, UnknownVersionError)

LEAST_GAIN: Final = 0.03
"""Share by which twice the windows have to lower the cost of each, else larger passes are not tried."""
SHORT_S: Final = 0.002
"""Seconds of a pass that nobody minds waiting for."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Swap:
    """An alias that now points to another version; None where it points to none any more."""

    name: str
    alias: str
    before: int
    after: int | None


@dataclass(frozen=True, slots=True)
class Terms:
    """How models are served: the alias of a name alone, precision and its bound, bytes held, windows of a batch."""

    alias: str = "champion"
    precision: Precision = "fp32"
    bound: float = BOUND
    cache_bytes: int = 1 << 30
    largest_batch: int = 256
    slowest_s: float = 0.05
    device: str = "cpu"


class Shelf:
    """Models of a registry in service; for any number of threads."""

    def __init__(
        self, registry: Registry, terms: Terms, on_load: Callable[[ServedModel, float], object] | None = None
    ) -> None:
        self.registry = registry
        self.terms = terms
        self._on_load = on_load
        self._cache: ByteCache[tuple[str, int], ServedModel] = ByteCache(terms.cache_bytes, self._load)
        self._aliases: dict[tuple[str, str], int] = {}
        self._lock = threading.Lock()
        self._refreshing = threading.Lock()

    def peek(self, model: str, version: str = "") -> ServedModel | None:
        """Return a model that is at hand, without waiting; None where it has to be looked for (`get`)."""
        wanted = self._wanted(model, version)
        number = wanted.version or self._aliases.get((wanted.name, wanted.alias or ""))
        return None if number is None else self._cache.peek((wanted.name, number))

    def get(self, model: str, version: str = "") -> ServedModel:
        """Return a model, loaded if need be: `name`, `name@alias`, or a name and a version."""
        wanted = self._wanted(model, version)
        if wanted.version is not None:
            return self._cache.get((wanted.name, wanted.version))
        pair = (wanted.name, wanted.alias or self.terms.alias)
        number = self._aliases.get(pair) or self._holder(*pair)
        while True:
            try:
                found = self._cache.get((wanted.name, number))
                break
            except UnknownVersionError:
                # Replaced, then deleted, since the alias was looked at.
                self._forget(pair, number)
                after = self._holder(*pair)
                if after == number:
                    raise
                number = after
        with self._lock:
            # Another thread may have followed the alias further meanwhile.
            self._aliases.setdefault(pair, number)
        return found

    def refresh(self) -> tuple[Swap, ...]:
        """Follow every alias in use; what changed."""
        with self._refreshing:
            return tuple(swap for pair, before in tuple(self._aliases.items()) if (swap := self._follow(pair, before)))

    def following(self) -> dict[str, int]:
        """Versions of the aliases in use, by `name@alias`."""
        return {f"{name}@{alias}": version for (name, alias), version in sorted(self._aliases.items())}

    def loaded(self) -> tuple[tuple[str, int], ...]:
        """Names and versions that are in memory."""
        return self._cache.keys()

    def state(self) -> CacheState:
        """State of the cache."""
        return self._cache.state()

    def _wanted(self, model: str, version: str) -> Reference:
        name, mark, alias = model.partition("@")
        checked_name(name)
        if version:
            return Reference(name, version=checked_version(version))
        return Reference(name, alias=checked_alias(alias) if mark else self.terms.alias)

    def _holder(self, name: str, alias: str) -> int:
        return self.registry.describe(f"{name}@{alias}").manifest.version

    def _forget(self, pair: tuple[str, str], number: int) -> None:
        with self._lock:
            if self._aliases.get(pair) == number:
                del self._aliases[pair]

    def _follow(self, pair: tuple[str, str], before: int) -> Swap | None:
        name, alias = pair
        try:
            after = self._holder(*pair)
            if after == before:
                return None
            self._cache.get((name, after))
        except GONE as error:
            _log.warning("%s@%s is no longer served: %s", name, alias, error)
            self._aliases.pop(pair, None)
            return Swap(name, alias, before, None)
        except NeuralTraderError as error:
            _log.warning("%s@%s stays at version %d: %s", name, alias, before, error)
            return None
        self._aliases[pair] = after
        _log.info("%s@%s is version %d now, after %d.", name, alias, after, before)
        return Swap(name, alias, before, after)

    def _load(self, key: tuple[str, int]) -> ServedModel:
        start = time.perf_counter()
        name, version = key
        folder = self.registry.resolve(f"{name}/{version}")
        trained = load_bundle(folder, self.terms.device)
        terms = self.terms
        model, _ = admit(trained, folder, name, version, terms.precision, terms.bound)
        # Others on the machine make times of the clock longer, not those of the processor; a GPU has none to tell.
        clock = time.thread_time if terms.device == "cpu" else time.perf_counter
        times = measure(model.warm_up, terms.largest_batch, clock, gain=LEAST_GAIN, slowest=terms.slowest_s)
        model.batch = knee(times, slowest=terms.slowest_s)
        model.cut = min(times, key=lambda size: times[size] / size)
        model.short = max((size for size, took in times.items() if took <= SHORT_S), default=0)
        if self._on_load is not None:
            self._on_load(model, time.perf_counter() - start)
        return model
