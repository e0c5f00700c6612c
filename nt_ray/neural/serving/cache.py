"""A cache by bytes that forgets what was used longest ago, and loads a thing once however many ask for it.

Invariant: what is held weighs no more than the limit, or is a single thing that alone weighs more. A thing that was
handed out stays usable after it is forgotten.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from nt_ray.neural.problems import NeuralError


class Weighed(Protocol):
    """A thing that knows its size."""

    @property
    def nbytes(self) -> int:
        """Bytes it takes up."""
        ...


K = TypeVar("K", bound=Hashable)
V = TypeVar("V", bound=Weighed)


@dataclass(frozen=True, slots=True)
class CacheState:
    """What a cache holds and what it did so far."""

    entries: int
    nbytes: int
    hits: int
    misses: int
    evictions: int


class ByteCache(Generic[K, V]):
    """Things by key, up to a weight; for any number of threads."""

    def __init__(self, limit: int, load: Callable[[K], V]) -> None:
        if limit < 1:
            raise NeuralError(f"A cache of {limit} bytes holds nothing. Give it at least 1.")
        self._limit = limit
        self._load = load
        self._held: OrderedDict[K, V] = OrderedDict()
        self._loading: dict[K, threading.Lock] = {}
        self._lock = threading.Lock()
        self._nbytes = self._hits = self._misses = self._evictions = 0

    def peek(self, key: K) -> V | None:
        """Return a thing that is held, as used now; None where it is not. Never waits for a load."""
        with self._lock:
            return self._find(key)

    def get(self, key: K) -> V:
        """Return a thing, loaded if need be; what loading raises is raised here, and nothing is held then."""
        with self._lock:
            found = self._find(key)
            if found is not None:
                return found
            own = self._loading.setdefault(key, threading.Lock())
        with own:
            with self._lock:
                found = self._find(key)
            if found is not None:
                return found
            try:
                loaded = self._load(key)
                with self._lock:
                    self._misses += 1
                    self._put(key, loaded)
            finally:
                with self._lock:
                    self._loading.pop(key, None)
            return loaded

    def keys(self) -> tuple[K, ...]:
        """Keys of what is held, used longest ago first."""
        with self._lock:
            return tuple(self._held)

    def state(self) -> CacheState:
        """Say what is held."""
        with self._lock:
            return CacheState(len(self._held), self._nbytes, self._hits, self._misses, self._evictions)

    def _find(self, key: K) -> V | None:
        found = self._held.get(key)
        if found is not None:
            self._held.move_to_end(key)
            self._hits += 1
        return found

    def _put(self, key: K, value: V) -> None:
        old = self._held.pop(key, None)
        self._nbytes += value.nbytes - (0 if old is None else old.nbytes)
        self._held[key] = value
        while self._nbytes > self._limit and len(self._held) > 1:
            _, gone = self._held.popitem(last=False)
            self._nbytes -= gone.nbytes
            self._evictions += 1
