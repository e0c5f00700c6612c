from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from nt_ray.neural.drift.drift import assess
from nt_ray.neural.drift.retraining import (
    Recent,
    RetrainPlan,
    drift_of,
    due_retraining,
    plan_retraining,
    reference_of_version,
)
from nt_ray.neural.drift.warm_start import Retrained, retrain
from nt_ray.neural.inference.bundle import describe_bundle, load_bundle
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.registry.evidence import Evidence
from nt_ray.neural.registry.registry import Registry
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.serving.keeping import keep
from nt_ray.neural.training.durable import Pace, newest, train_durably
from nt_ray.neural.training.recipe import Recipe
from nt_ray.neural.training.training import train
from nt_ray.neural.training.training_log import read_log
from nt_ray.storage.objects import open_objects

OLD, ROWS = 300, 460
RECIPE = Recipe(
    model="dlinear", parameters={"kernel": 5.0}, lookback=12, horizon=4, batch=32, steps=150, lr=0.01, validation=0.1,
    scaling="standard",
)  # fmt: skip


@pytest.fixture
def moved() -> SeriesPanel:
    """Two noisy waves whose period and level change after row 300."""
    rng = np.random.default_rng(3)
    clock = np.arange(ROWS)
    phase = np.where(clock < OLD, clock / 3.0, OLD / 3.0 + (clock - OLD) / 1.2)
    level = np.where(clock < OLD, 0.0, 6.0)
    rows = [10.0 + level + np.sin(phase + shift) + 0.05 * rng.normal(size=ROWS) for shift in (0.0, 1.0)]
    times = np.datetime64("2026-01-01", "us") + clock * np.timedelta64(1, "h")
    return SeriesPanel(("a", "b"), times, np.stack(rows))


@pytest.fixture
def registry(moved: SeriesPanel, tmp_path: Path) -> Registry:
    """A registry whose champion was trained on the rows before the change."""
    made = Registry(open_objects(tmp_path / "models"), tmp_path / "cache", by="ann")
    before = moved.rows(0, OLD)
    keep(train(before, RECIPE), before, tmp_path / "bundle", {"target": "close", "series": ["a", "b"]})
    made.register(tmp_path / "bundle", "m")
    until = made.describe("m/1").manifest.trained_until
    assert until is not None
    evidence = Evidence(metric="mse", version=1, score=0.1, naive=1.0, windows=50, start=until.replace(year=2027),
                        end=until.replace(year=2028))  # fmt: skip
    made.promote("m", 1, evidence=evidence)
    return made


def planned(registry: Registry, panel: SeriesPanel) -> RetrainPlan | None:
    recent = Recent({name: panel.target[s, OLD:] for s, name in enumerate(panel.names)})
    return plan_retraining(registry, "m", "champion", drift_of(registry, "m@champion", recent))


def test_drift_makes_a_challenger_from_the_champions_weights_that_is_scored_and_not_promoted(
    registry: Registry, moved: SeriesPanel, tmp_path: Path
) -> None:
    plan = planned(registry, moved)
    assert plan is not None
    made = retrain(registry, plan, moved, tmp_path / "runs", source="waves")
    assert (made.name, made.version, made.warm_start, made.trained) == ("m", 2, "m/1", True)
    assert registry.model("m").aliases == {"challenger": 2, "champion": 1}
    # 15 windows of 4 rows for each of two series are the 30 that the gate asks for.
    assert (made.evidence.windows, made.evidence.champion_version, made.evidence.data) == (30, 1, "waves")
    described = describe_bundle(registry.resolve("m/2")).lineage
    assert described.config["trained_until"] == f"{moved.times[ROWS - 61].astype('datetime64[s]')}+00:00"
    assert described.config["warm_start"] == "m/1"
    assert described.config["target"] == "close"
    # It learned what the champion could not know, and the gate lets it pass.
    assert made.evidence.champion is not None
    assert made.evidence.score < 0.5 * made.evidence.champion
    assert made.objections == ()
    assert registry.promote("m", 2, evidence=made.evidence) is not None
    # The same training, done here by hand.
    seen = moved.rows(0, ROWS - 60)
    start = load_bundle(registry.resolve("m/1"))
    wanted = train(seen, start.recipe, network=start.network)
    for name, tensor in load_bundle(registry.resolve("m/2")).network.state_dict().items():
        torch.testing.assert_close(tensor, wanted.network.state_dict()[name])
    # What drifted before is what it knows now.
    recent = {name: moved.target[s, OLD:] for s, name in enumerate(moved.names)}
    before, after = (assess(reference_of_version(registry, text), recent).inputs[0] for text in ("m/1", "m/2"))
    assert after.shift < before.shift


def test_the_same_drift_trains_once(registry: Registry, moved: SeriesPanel, tmp_path: Path) -> None:
    plan = planned(registry, moved)
    assert plan is not None
    assert planned(registry, moved) is None
    assert due_retraining(registry, "m", "champion") == plan
    first = retrain(registry, plan, moved, tmp_path / "runs")
    again = retrain(registry, plan, moved, tmp_path / "runs")
    elsewhere = retrain(registry, plan, moved, tmp_path / "other")
    assert (again, elsewhere) == (replace(first, trained=False), replace(first, trained=False))
    assert registry.model("m").versions == (1, 2)
    assert due_retraining(registry, "m", "champion") is None
    assert [event.action for event in registry.history("m")] == ["promote", "retrain", "promote"]


class Killed(Exception):  # noqa: N818
    """Stands for the death of the process."""


def test_a_retraining_that_died_anywhere_goes_on_and_leaves_one_version(
    registry: Registry, moved: SeriesPanel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned(registry, moved)
    assert plan is not None

    def again(**more: object) -> Retrained:
        due = due_retraining(registry, "m", "champion")
        assert due == plan
        trainer = partial(train_durably, pace=Pace(50, 0.0), **more)  # type: ignore[arg-type]
        return retrain(registry, due, moved, tmp_path / "runs", trainer=trainer)

    def die(*_: object, **__: object) -> None:
        raise Killed

    def die_late(progress: object) -> None:
        if progress.step == 100:  # type: ignore[attr-defined]
            raise Killed

    with pytest.raises(Killed):
        again(on_step=die_late)
    (run,) = (path for path in (tmp_path / "runs" / f"retrain-m-{plan.request}").iterdir() if path.is_dir())
    assert newest(run) is not None
    for name in ("register", "promote"):
        with monkeypatch.context() as patch:
            patch.setattr(registry, name, die)
            with pytest.raises(Killed):
                again()
    made = again()
    assert (made.version, made.trained) == (2, False)
    assert registry.model("m").aliases == {"challenger": 2, "champion": 1}
    assert [row["step"] for row in read_log(run) if row["event"] == "start"] == [0, 50, 150]
    assert due_retraining(registry, "m", "champion") is None


def test_machines_that_share_no_folder_leave_the_first_version(
    registry: Registry, moved: SeriesPanel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned(registry, moved)
    assert plan is not None
    whole = registry.register

    def meanwhile(folder: Path, name: str, tags: dict[str, str]) -> int:
        monkeypatch.setattr(registry, "register", whole)
        retrain(registry, plan, moved, tmp_path / "other")
        return whole(folder, name, tags)

    monkeypatch.setattr(registry, "register", meanwhile)
    made = retrain(registry, plan, moved, tmp_path / "runs")
    assert made.version == 2
    assert registry.model("m").versions == (1, 2)


def test_without_newer_rows_or_series_it_is_refused_and_stays_due(
    registry: Registry, moved: SeriesPanel, tmp_path: Path
) -> None:
    plan = planned(registry, moved)
    assert plan is not None
    with pytest.raises(NeuralError, match=r"60 rows after 2026-01-13T11:00:00\.000000, the end of the training of m/1"):
        retrain(registry, plan, moved.rows(0, OLD + 60), tmp_path / "runs")
    with pytest.raises(NeuralError, match="Unknown series 'b'"):
        retrain(registry, plan, moved.select(["a"]), tmp_path / "runs")
    assert due_retraining(registry, "m", "champion") == plan
