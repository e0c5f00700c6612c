"""The counts of a replica, by what they hand to Ray."""

from collections import defaultdict
from typing import Any

import pytest

from deployments.inference import metrics
from nt_ray.neural.serving.cache import CacheState
from nt_ray.neural.serving.shelf import Swap

Read = dict[tuple[str, frozenset[tuple[str, str]]], list[float]]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Read:
    """What was handed over, by name and tags; tags that were not announced are refused, as by Ray."""
    told: Read = defaultdict(list)

    class Kept:
        def __init__(self, name: str, description: str, *rest: Any) -> None:
            assert description.endswith(".")
            *_, self.keys = ((), *rest)
            self.name = name

        def keep(self, value: float, tags: dict[str, str] | None = None) -> None:
            assert set(tags or {}) == set(self.keys), self.name
            told[self.name, frozenset((tags or {}).items())].append(value)

        inc = set = observe = keep

    for kind in ("Counter", "Gauge", "Histogram"):
        monkeypatch.setattr(metrics, kind, Kept)
    return told


def test_each_count_has_its_name_and_tags(read: Read) -> None:
    class Model:
        name, version = "m", 3

    counts = metrics.Metrics()
    counts.request("infer", "m", "ok", 0.25)
    counts.request("infer", "", "too_large", 0.0)
    counts.forward(Model(), 64, 2)  # type: ignore[arg-type]
    counts.load(Model(), 1.5)  # type: ignore[arg-type]
    counts.swap(Swap("m", "champion", 2, 3))
    counts.cache(CacheState(2, 4096, 7, 3, 1))

    def of(name: str, **tags: str) -> list[float]:
        return read.pop((f"nt_inference_{name}", frozenset(tags.items())))

    assert of("requests", door="infer", model="m", code="ok") == [1]
    assert of("requests", door="infer", model="", code="too_large") == [1]
    assert of("seconds", door="infer", model="m") == [0.25]
    assert of("seconds", door="infer", model="")[0] > 0.0
    assert of("windows", model="m", version="3") == [64]
    assert of("pass_windows", model="m") == [64]
    assert of("pass_requests", model="m") == [2]
    assert of("load_seconds", model="m") == [1.5]
    assert of("swaps", model="m", alias="champion") == [1]
    shown = {"cache_bytes": 4096, "cache_models": 2, "cache_hits": 7, "cache_misses": 3, "cache_evictions": 1}
    assert {name: of(name) for name in shown} == {name: [value] for name, value in shown.items()}
    assert not read
