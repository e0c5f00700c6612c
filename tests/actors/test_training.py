import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from nt_ray.neural.inference.folder import read_tensors
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.training.durable import Pace, train_durably
from nt_ray.neural.training.recipe import Recipe
from nt_ray.neural.training.trained import Trained
from nt_ray.neural.training.training_log import read_log

RECIPE = Recipe(
    model="rlinear", lookback=12, horizon=4, batch=16, steps=1000, lr=0.01,
    validate_every=100, validation=0.2,
)  # fmt: skip
PATIENCE_S = 120.0

# Ray Train loads the defaults of Ray Data, some of which it announces to end; nothing here sets them.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:ray.data.*")

MADE = """
import sys
from pathlib import Path
import numpy as np
import polars as pl
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.training.recipe import Recipe
held = np.load(sys.argv[1])
panel = SeriesPanel(tuple(held["names"].tolist()), held["times"], held["target"])
recipe = Recipe.model_validate_json(sys.argv[2])
folder = Path(sys.argv[3])
"""

ALONE = """
import torch
from nt_ray.neural.training.team import joined
from nt_ray.neural.training.training import Training
torch.set_num_threads(1)
torch.distributed.init_process_group("gloo", init_method=f"file://{folder}.meet", rank=int(sys.argv[4]), world_size=2)
run = Training(panel, recipe, team=joined())
run.run()
run.save(folder)
torch.distributed.destroy_process_group()
"""

APART = """
import torch
from nt_ray.neural.series.portion import Portion
from nt_ray.neural.series.survey import survey
from nt_ray.neural.training.team import joined
from nt_ray.neural.training.training import Training
torch.set_num_threads(1)
rank, first = int(sys.argv[4]), int(sys.argv[5])
shards = [panel.select(panel.names[:first]), panel.select(panel.names[first:])]
portion = Portion(tuple(survey(shard, recipe) for shard in shards), (rank,))
torch.distributed.init_process_group("gloo", init_method=f"file://{folder}.meet", rank=rank, world_size=2)
run = Training(shards[rank], recipe, team=joined(), portion=portion)
run.run()
run.save(folder)
torch.distributed.destroy_process_group()
"""

DRIVER = """
import os
from actors.environment import prepare
prepare(sys.argv[4])
from actors.cluster import connect
from actors.training import Scaling, train_on_ray
from nt_ray.neural.training.durable import Pace
connect(sys.argv[4], num_cpus=None, object_store_mb=100)
train_on_ray(panel, recipe, folder, Scaling(workers=(2, 2), pace=Pace(100, 0.0)))
"""


@pytest.fixture(autouse=True)
def quick_eyes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray Train looks after its workers often, and none of its processes watches for machines that are taken away."""
    # States are taken note of at the pace at which workers are looked at.
    monkeypatch.setenv("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.2")
    monkeypatch.setenv("RAY_TRAIN_ENABLE_PREEMPTION_WATCHER", "0")


@pytest.fixture
def waves() -> SeriesPanel:
    rng = np.random.default_rng(7)
    clock = np.arange(300)
    rows = [level + np.sin(clock / period) for level, period in ((10.0, 3.0), (-4.0, 5.0), (100.0, 8.0))]
    times = np.datetime64("2026-01-01", "us") + clock * np.timedelta64(1, "h")
    return SeriesPanel(("a", "b", "c"), times, np.stack(rows) + 0.05 * rng.normal(size=(3, 300)))


def program(code: str, panel: SeriesPanel, recipe: Recipe, folder: Path, *more: str) -> "subprocess.Popen[bytes]":
    place = folder.with_name("panel.npz")
    np.savez(place, names=panel.names, times=panel.times, target=panel.target)
    arguments = [str(place), recipe.model_dump_json(), str(folder), *more]
    return subprocess.Popen([sys.executable, "-W", "ignore", "-c", MADE + code, *arguments])


def wait_for_checkpoint(folder: Path, driver: "subprocess.Popen[bytes]") -> None:
    """Return once Ray Train has taken note of a state; the driver still works then."""
    note = folder / "workers" / "checkpoint_manager_snapshot.json"
    until = time.monotonic() + PATIENCE_S
    while not (note.exists() and "checkpoint_20" in note.read_text()):
        assert driver.poll() is None, "the driver ended by itself"
        assert time.monotonic() < until, read_log(folder)[-3:]
        time.sleep(0.02)


def weights(trained: Trained) -> dict[str, torch.Tensor]:
    return dict(trained.network.state_dict())


def restored(panel: SeriesPanel, recipe: Recipe, folder: Path) -> Trained:
    from nt_ray.neural.training.training import Training

    run = Training(panel, recipe)
    run.load(folder)
    return run.result()


@pytest.mark.usefixtures("ray_cluster")
def test_two_workers_survive_the_death_of_the_driver_and_of_a_worker_to_the_bit(
    waves: SeriesPanel, tmp_path: Path
) -> None:
    import ray

    from actors.training import Scaling, train_on_ray

    folder = tmp_path / "run"
    address = ray.get_runtime_context().gcs_address
    driver = program(DRIVER, waves, RECIPE, folder, address)
    try:
        # Two processes that meet without Ray and Lightning are the measure.
        alone = tmp_path / "alone"
        pair = [program(ALONE, waves, RECIPE, alone, str(rank)) for rank in (0, 1)]
        assert [p.wait(PATIENCE_S) for p in pair] == [0, 0]
        wait_for_checkpoint(folder, driver)
    finally:
        driver.send_signal(signal.SIGKILL)
        driver.wait()

    killed: list[int] = []

    def kill(progress: Any) -> None:
        rows = [row for row in read_log(folder) if row["event"] == "start"]
        if not killed and len(rows) == 2 and progress.step > rows[-1]["step"]:
            killed.append(rows[-1]["pid"])
            os.kill(killed[0], signal.SIGKILL)

    scaling = Scaling(workers=(2, 2), pace=Pace(100, 0.0))
    ended = train_on_ray(waves, RECIPE, folder, scaling, on_step=kill)
    undisturbed = restored(waves, RECIPE, alone)
    assert killed
    assert ended.step == RECIPE.steps
    assert all(torch.equal(tensor, weights(undisturbed)[name]) for name, tensor in weights(ended).items())
    assert ended.losses.tobytes() == undisturbed.losses.tobytes()
    rows = read_log(folder)
    starts = [row["step"] for row in rows if row["event"] == "start"]
    assert len(starts) >= 3
    assert 0 < starts[1] < RECIPE.steps
    assert [row["step"] for row in rows if row["event"] == "read"] == list(range(50, RECIPE.steps + 1, 50))


@pytest.mark.usefixtures("ray_cluster")
def test_one_worker_takes_the_plain_loop_and_a_refusal_comes_back_as_one(waves: SeriesPanel, tmp_path: Path) -> None:
    from actors.training import Scaling, train_on_ray

    recipe = RECIPE.model_copy(update={"steps": 60})
    task = train_on_ray(waves, recipe, tmp_path / "task", Scaling(workers=(1, 1)))
    here = train_durably(waves, recipe, tmp_path / "here")
    for name, tensor in weights(task).items():
        torch.testing.assert_close(tensor, weights(here)[name], rtol=1e-6, atol=1e-7)
    (tmp_path / "task" / "checkpoints" / "step-000000000060" / "state.json").write_text(json.dumps({"format": "old"}))
    with pytest.raises(NeuralError, match="has the format 'old'"):
        train_on_ray(waves, recipe, tmp_path / "task", Scaling(workers=(1, 1)))


@pytest.mark.parametrize("workers", [(0, 2), (3, 2), (-1, -1)])
def test_a_group_that_cannot_be_is_refused(workers: tuple[int, int]) -> None:
    from actors.training import Scaling

    with pytest.raises(NeuralError, match="cannot train"):
        Scaling(workers=workers)


def test_the_number_of_workers_chooses_the_way() -> None:
    from actors.training import Scaling

    chosen = {w: Scaling(workers=w).path for w in ((0, 0), (1, 1), (1, 4), (2, 2))}
    assert chosen == {(0, 0): "process", (1, 1): "task", (1, 4): "lightning", (2, 2): "lightning"}


@pytest.mark.usefixtures("ray_cluster")
def test_workers_that_hold_shards_survive_a_death_to_the_bit_and_train_what_one_with_all_of_them_would(
    waves: SeriesPanel, tmp_path: Path
) -> None:
    from actors.panel_data import lay_out
    from actors.training import Scaling, train_on_shards
    from actors.training_data import survey_shards

    source, folder = tmp_path / "lake", tmp_path / "run"
    source.mkdir()
    for name, values in zip(waves.names, waves.target, strict=True):
        pl.DataFrame({"time": waves.times, "close": values}).write_parquet(source / f"{name}.parquet")
    shards = lay_out(source, tmp_path / "shards", 3)
    # The second shard has no series of these names.
    assert shards.filled() == (0, 2)
    recipe = RECIPE.model_copy(update={"steps": 300})
    # Two processes that meet without Ray and Lightning, one with the series of each shard, are the measure.
    alone = tmp_path / "alone"
    order = [*shards.panel(0).names, *shards.panel(2).names]
    split = str(len(shards.panel(0).names))
    pair = [program(APART, waves.select(order), recipe, alone, str(rank), split) for rank in (0, 1)]
    assert [p.wait(PATIENCE_S) for p in pair] == [0, 0]

    killed: list[int] = []

    def kill(progress: Any) -> None:
        rows = [row for row in read_log(folder) if row["event"] == "start"]
        if not killed and rows and progress.step > 100:
            killed.append(rows[-1]["pid"])
            os.kill(killed[0], signal.SIGKILL)

    with pytest.raises(NeuralError, match="3 workers cannot share 2 shards"):
        train_on_shards(shards, recipe, folder, Scaling(workers=(3, 3)))
    found = train_on_shards(shards, recipe, folder, Scaling(workers=(2, 2), pace=Pace(100, 0.0)), on_step=kill)
    ended = found.trained
    assert killed
    assert found.shown.names == tuple(order)
    np.testing.assert_array_equal(found.shown.target, waves.select(order).target)
    assert survey_shards(shards, recipe, 2)[1].names == (shards.panel(0).names[0], shards.panel(2).names[0])
    assert found.names == tuple(order)
    weighed = read_tensors(alone, "state.safetensors")
    best = {name.removeprefix("best."): tensor for name, tensor in weighed.items() if name.startswith("best.")}
    assert best.keys() == weights(ended).keys()
    assert all(torch.equal(tensor, weights(ended)[name]) for name, tensor in best.items())
    assert ended.losses.tobytes() == weighed["losses"].numpy().tobytes()
    whole = train_durably(waves.select(order), recipe, tmp_path / "whole")
    np.testing.assert_allclose(ended.losses, whole.losses, rtol=1e-2)
    np.testing.assert_allclose(dict(ended.validations)[300], dict(whole.validations)[300], rtol=1e-3)
