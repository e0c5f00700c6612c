"""Counts of a replica, for Prometheus: requests, windows, latency, sizes of passes, models held and loaded.

Ray adds `ray_` to each name, and who reported it.
"""

from typing import Final

from ray.util.metrics import Counter, Gauge, Histogram

from nt_ray.neural.serving.cache import CacheState
from nt_ray.neural.serving.model import ServedModel
from nt_ray.neural.serving.shelf import Swap

LATENCY_S: Final = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0]
SIZES: Final = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 1024.0]
LOADS_S: Final = [0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0]


class Metrics:
    """Counts of one replica."""

    def __init__(self) -> None:
        of_request = ("door", "model", "code")
        self._requests = Counter("nt_inference_requests", "Requests by outcome.", of_request)
        self._latency = Histogram("nt_inference_seconds", "Time of a request.", LATENCY_S, ("door", "model"))
        self._windows = Counter("nt_inference_windows", "Windows forecast.", ("model", "version"))
        self._passes = Histogram("nt_inference_pass_windows", "Windows of a pass.", SIZES, ("model",))
        self._shared = Histogram("nt_inference_pass_requests", "Requests of a pass.", SIZES, ("model",))
        self._loads = Histogram("nt_inference_load_seconds", "Time to load a model.", LOADS_S, ("model",))
        self._swaps = Counter("nt_inference_swaps", "Aliases that changed while served.", ("model", "alias"))
        self._cache = {
            "nbytes": Gauge("nt_inference_cache_bytes", "Bytes of the models held."),
            "entries": Gauge("nt_inference_cache_models", "Models held."),
            "hits": Gauge("nt_inference_cache_hits", "Requests whose model was held, since the start."),
            "misses": Gauge("nt_inference_cache_misses", "Loads, since the start."),
            "evictions": Gauge("nt_inference_cache_evictions", "Models forgotten for others, since the start."),
        }

    def request(self, door: str, model: str, code: str, seconds: float) -> None:
        """Count a request; `model` is empty where none answered."""
        self._requests.inc(1, _tags(door=door, model=model, code=code))
        self._latency.observe(max(seconds, 1e-9), _tags(door=door, model=model))

    def forward(self, model: ServedModel, windows: int, requests: int) -> None:
        """Count a pass."""
        self._windows.inc(windows, _tags(model=model.name, version=str(model.version)))
        self._passes.observe(windows, _tags(model=model.name))
        self._shared.observe(requests, _tags(model=model.name))

    def load(self, model: ServedModel, seconds: float) -> None:
        """Count a load."""
        self._loads.observe(max(seconds, 1e-9), _tags(model=model.name))

    def swap(self, swap: Swap) -> None:
        """Count an alias that changed."""
        self._swaps.inc(1, _tags(model=swap.name, alias=swap.alias))

    def cache(self, state: CacheState) -> None:
        """Tell what is held."""
        for name, gauge in self._cache.items():
            gauge.set(getattr(state, name))


def _tags(**tags: str) -> dict[str, str]:
    return tags
