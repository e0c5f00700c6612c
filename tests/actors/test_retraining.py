from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from nt_ray.config import Settings, load_settings
from nt_ray.errors import ServiceError
from nt_ray.neural.drift.retraining import Recent, RetrainPlan, drift_of, plan_retraining
from nt_ray.neural.registry.registry import open_registry
from nt_ray.neural.serving.keeping import keep
from nt_ray.neural.training.choice import panel_of
from nt_ray.neural.training.recipe import Recipe
from nt_ray.neural.training.training import train
from nt_ray.trader.data import load_bars

ROWS, OLD = 300, 200
PACES = (("A", 3.0), ("B", 5.0))
RECIPE = Recipe(model="dlinear", parameters={"kernel": 5.0}, lookback=8, horizon=2, batch=16, steps=20, validation=0.1)


def settings(folder: Path, **more: str) -> Settings:
    given: Mapping[str, Any] = {
        "data.source": str(folder / "bars.csv"), "runs": str(folder / "runs"),
        "neural.registry": str(folder / "models"),
        "neural.cache": str(folder / "cache"), **{key.replace("__", "."): value for key, value in more.items()},
    }  # fmt: skip
    return load_settings(None, given, environ={})


@pytest.mark.usefixtures("ray_cluster")
def test_a_plan_becomes_a_challenger_in_a_task(tmp_path: Path) -> None:
    import ray

    from actors.retraining import RetrainOnRay

    clock = np.arange(ROWS)
    closes = {
        name: np.where(clock < OLD, 100.0, 140.0) + 5 * np.sin(clock / pace) for name, pace in (("A", 3), ("B", 5))
    }
    days = pl.date_range(pl.date(2020, 1, 1), pl.date(2022, 1, 1), eager=True)[:ROWS]
    pl.DataFrame({"date": days, **closes}).write_csv(tmp_path / "bars.csv")
    # Workers are those of Ray here: the task starts them.
    chosen = settings(tmp_path, neural__training__workers="1")
    before = panel_of(load_bars(settings(tmp_path, data__end=str(days[OLD - 1])).data), chosen.neural.training)
    keep(train(before, RECIPE), before, tmp_path / "bundle", {"target": "close", "series": ["A", "B"]})
    registry = open_registry(chosen.neural)
    registry.promote("m", registry.register(tmp_path / "bundle", "m"), "trial")
    recent = Recent({name: values[OLD:] for name, values in closes.items()})
    plan = plan_retraining(registry, "m", "trial", drift_of(registry, "m@trial", recent))
    assert plan is not None
    # Planned on a node whose cache the task's does not reach.
    made = ray.get(RetrainOnRay(chosen)(replace(plan, folder=tmp_path / "cache of another node")))
    assert (made.version, made.warm_start, made.trained) == (2, "m/1", True)
    assert registry.model("m").aliases == {"challenger": 2, "trial": 1}
    assert not ray.get(RetrainOnRay(chosen)(plan)).trained


def test_a_gpu_that_the_cluster_lacks_is_an_error_and_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from actors.retraining import RetrainOnRay

    plan = RetrainPlan("m", "champion", "m/1", tmp_path, ("drift",), 3)
    monkeypatch.setattr("actors.cluster.ray.cluster_resources", lambda: {"CPU": 2.0})
    with pytest.raises(ServiceError, match=r"1 GPUs are asked for, and the cluster has 0\. Set neural\.training\.gpu"):
        RetrainOnRay(settings(tmp_path, neural__training__gpu="true"))(plan)
