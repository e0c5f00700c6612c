import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from benchmarks.s3_server import REGION, new_bucket, s3_server
from nt_ray.neural.registry.evidence import Evidence
from nt_ray.neural.registry.registry import Registry
from nt_ray.storage.objects import S3Access, open_objects

TRAINED_UNTIL = datetime(2020, 6, 30, tzinfo=UTC)
Place = tuple[str, S3Access]


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    with s3_server() as endpoint:
        yield endpoint


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "folder":
        return str(tmp_path / "models"), S3Access()
    endpoint = request.getfixturevalue("endpoint")
    return f"s3://{new_bucket(endpoint)}/models", S3Access(endpoint, REGION)


@pytest.fixture
def registry(place: Place, tmp_path: Path) -> Registry:
    return Registry(open_objects(*place), tmp_path / "cache", by="ann")


@pytest.fixture
def local(tmp_path: Path) -> Registry:
    return Registry(open_objects(tmp_path / "local"), tmp_path / "cache", by="ann")


@pytest.fixture
def bundle(tmp_path: Path) -> Callable[..., Path]:
    def make(seed: int = 0, size: int = 64, **lineage: Any) -> Path:
        folder = tmp_path / f"bundle-{seed}-{size}"
        folder.mkdir(exist_ok=True)
        weights = np.random.default_rng(seed).normal(size=size).astype(np.float32)
        save_file({"head.weight": weights}, folder / "weights.safetensors")
        model = {
            "format": "nt-ray-model/1",
            "signature": {"lookback": 96, "horizon": 24, "frequency": "1h"},
            "lineage": {"data": "abc", "trained_until": TRAINED_UNTIL.isoformat()} | lineage,
        }
        (folder / "model.json").write_text(json.dumps(model), encoding="utf-8")
        return folder

    return make


@pytest.fixture
def evidence() -> Callable[..., Evidence]:
    def make(version: int, **given: Any) -> Evidence:
        values = {
            "metric": "mse",
            "version": version,
            "score": 0.8,
            "naive": 1.0,
            "windows": 100,
            "start": datetime(2020, 7, 1, tzinfo=UTC),
            "end": datetime(2020, 12, 31, tzinfo=UTC),
        }
        return Evidence.model_validate(values | given)

    return make
