import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ray
from safetensors.numpy import save_file

from actors import registry as registry_actor
from actors.calls import settle
from nt_ray.config.sections import Neural
from nt_ray.neural.drift.drift_reference import reference_of
from nt_ray.neural.drift.retraining import Recent, RetrainPlan
from nt_ray.neural.registry.registry import open_registry
from nt_ray.neural.registry.registry_problems import RefusedPromotionError


@pytest.fixture
def settings(tmp_path: Path) -> Neural:
    settings = Neural(registry=str(tmp_path / "models"), cache=tmp_path / "cache")
    folder = tmp_path / "bundle"
    folder.mkdir()
    save_file({"w": np.ones(3, np.float32)}, folder / "weights.safetensors")
    reference = reference_of({"close": np.random.default_rng(0).normal(size=500)})
    lineage = {"reference": reference.model_dump(mode="json")}
    (folder / "model.json").write_text(json.dumps({"lineage": lineage}))
    for _ in range(2):
        open_registry(settings).register(folder, "m")
    return settings


@pytest.fixture
def actor(ray_cluster: None, settings: Neural, tmp_path: Path) -> Iterator[Any]:
    noted = tmp_path / "plans"

    def retrain(plan: RetrainPlan) -> None:
        with noted.open("a") as file:
            file.write(json.dumps(plan.resolved()) + "\n")

    yield registry_actor.start(settings, retrain, by="ann")
    registry_actor.stop()


def test_the_actor_tells_of_changes_outlives_its_process_and_plans_one_retraining(
    actor: Any, settings: Neural, tmp_path: Path
) -> None:
    assert [m.versions for m in ray.get(actor.models.remote())] == [(1, 2)]
    with pytest.raises(RefusedPromotionError):
        ray.get(actor.promote.remote("m", 1, "champion"))
    assert ray.get(actor.changed_since.remote("m", 0)) == ()

    waiting = actor.changed_since.remote("m", 0, 60.0)
    open_registry(settings).promote("m", 1, "challenger")
    assert [(e.version, e.alias) for e in ray.get(waiting)] == [(1, "challenger")]

    before = ray.get(actor.pid.remote())
    os.kill(before, signal.SIGKILL)
    assert settle(actor.pid.remote(), actor.pid.remote, "The registry") != before
    assert registry_actor.find() == actor
    assert ray.get(actor.describe.remote("m@challenger")).manifest.version == 1

    assert ray.get(actor.promote.remote("m", 2, "challenger")).by == "ann"
    assert [ray.get(actor.rollback.remote("m", "challenger", 2)) for _ in range(2)] == [1, 1]

    calm, moved = (Recent({"close": np.random.default_rng(1).normal(m, size=200)}) for m in (0.0, 2.0))
    assert not ray.get(actor.watch_drift.remote("m", "challenger", calm)).retrain
    for _ in range(2):
        assert ray.get(actor.watch_drift.remote("m", "challenger", moved)).retrain
    (plan,) = [json.loads(line) for line in (tmp_path / "plans").read_text().splitlines()]
    assert (plan["warm_start"], plan["alias"]) == ("m/1", "challenger")
    assert (Path(plan["folder"]) / "weights.safetensors").is_file()
    assert ray.get(actor.history.remote("m"))[0].action == "retrain"
    # Nobody met it, so it can be asked for again, and then is the same.
    assert ray.get(actor.resume_retraining.remote("m", "challenger")).resolved() == plan | {
        "reasons": tuple(plan["reasons"])
    }
    assert len((tmp_path / "plans").read_text().splitlines()) == 2
