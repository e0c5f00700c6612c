import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.training.durable import CHECKPOINTS, Pace, newest, train_durably
from nt_ray.neural.training.recipe import Recipe
from nt_ray.neural.training.trained import Trained
from nt_ray.neural.training.training import train
from nt_ray.neural.training.training_log import LOG, TrainingLog, read_log

PROGRAM = """
import sys
from pathlib import Path
import numpy as np
from nt_ray.neural.training.durable import Pace, train_durably
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.training.recipe import Recipe
held = np.load(sys.argv[1])
panel = SeriesPanel(("a", "b", "c"), held["times"], held["target"])
train_durably(panel, Recipe.model_validate_json(sys.argv[2]), Path(sys.argv[3]), pace=Pace(50, 0.0))
"""


def same(one: Trained, other: Trained) -> bool:
    ours, theirs = one.network.state_dict(), other.network.state_dict()
    return (
        all(torch.equal(ours[name], theirs[name]) for name in ours) and one.losses.tobytes() == other.losses.tobytes()
    )


def test_a_run_with_a_folder_has_the_weights_and_losses_of_the_plain_loop(
    waves: SeriesPanel, recipe: Recipe, tmp_path: Path
) -> None:
    recipe = recipe.model_copy(update={"steps": 120})
    heard: list[int] = []
    kept = train_durably(waves, recipe, tmp_path, on_step=lambda p: heard.append(p.step))
    assert heard == [50, 100, 120]
    assert same(kept, train(waves, recipe))
    read = [row for row in read_log(tmp_path) if row["event"] == "read"]
    assert [(row["step"], row["loss"]) for row in read] == [(s, float(kept.losses[s - 1])) for s in (50, 100, 120)]


def test_a_finished_run_is_read_and_not_trained_again(waves: SeriesPanel, recipe: Recipe, tmp_path: Path) -> None:
    first = train_durably(waves, recipe, tmp_path)
    heard: list[int] = []
    assert same(first, train_durably(waves, recipe, tmp_path, on_step=lambda p: heard.append(p.step)))
    assert not heard


def test_the_last_two_checkpoints_stay_and_half_ones_go(waves: SeriesPanel, recipe: Recipe, tmp_path: Path) -> None:
    half = tmp_path / CHECKPOINTS / ".step-000000000050.0123"
    half.mkdir(parents=True)
    train_durably(waves, recipe.model_copy(update={"steps": 300}), tmp_path, pace=Pace(50, 0.0))
    assert sorted(p.name for p in (tmp_path / CHECKPOINTS).iterdir()) == ["step-000000000250", "step-000000000300"]


def test_a_run_killed_in_mid_epoch_ends_with_the_same_bits(waves: SeriesPanel, recipe: Recipe, tmp_path: Path) -> None:
    import numpy as np

    recipe = recipe.model_copy(update={"model": "tcn", "parameters": {"dropout": 0.1}, "steps": 500})
    np.savez(tmp_path / "panel.npz", times=waves.times, target=waves.target)
    folder = tmp_path / "run"
    arguments = [str(tmp_path / "panel.npz"), recipe.model_dump_json(), str(folder)]
    victim = subprocess.Popen([sys.executable, "-c", PROGRAM, *arguments], env={**os.environ, "OMP_NUM_THREADS": "1"})
    try:
        while newest(folder) is None:
            assert victim.poll() is None
            time.sleep(0.01)
    finally:
        victim.send_signal(signal.SIGKILL)
        victim.wait()
    reached = int(json.loads((newest(folder) / "state.json").read_text())["step"])  # type: ignore[operator]
    assert 0 < reached < recipe.steps
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        again = train_durably(waves, recipe, folder, pace=Pace(50, 0.0))
        undisturbed = train(waves, recipe)
    finally:
        torch.set_num_threads(threads)
    assert same(again, undisturbed)
    steps = [row["step"] for row in read_log(folder) if row["event"] == "read"]
    assert steps == list(range(50, 501, 50))
    assert [row["step"] for row in read_log(folder) if row["event"] == "start"] == [0, reached]


def test_a_folder_of_another_recipe_is_refused(waves: SeriesPanel, recipe: Recipe, tmp_path: Path) -> None:
    train_durably(waves, recipe, tmp_path)
    with pytest.raises(NeuralError, match="other lr"):
        train_durably(waves, recipe.model_copy(update={"lr": 0.5}), tmp_path)


@pytest.mark.parametrize("pace", [(-1, 0.0), (0, -1.0), (0, float("nan"))])
def test_a_pace_that_runs_backwards_is_refused(pace: tuple[int, float]) -> None:
    with pytest.raises(NeuralError, match="make no sense"):
        Pace(*pace)


def test_a_checkpoint_is_due_by_steps_or_by_time() -> None:
    by_steps = Pace(100, 0.0).clock(50)
    assert not by_steps.due(149)
    assert by_steps.due(150)
    by_steps.made(150)
    assert not by_steps.due(249)
    by_time = Pace(0, 60.0).clock(0)
    assert not by_time.due(10_000)
    by_time.since -= 61.0
    assert by_time.due(1)
    assert not Pace(0, 0.0).clock(0).due(10**9)


def test_a_log_goes_on_where_the_run_does_and_forgets_half_a_line(tmp_path: Path) -> None:
    from nt_ray.neural.training.training import Progress

    log = TrainingLog(tmp_path)
    for step in (50, 100, 150):
        log.add(Progress(step, 200, 1.0 / step, None))
    with (tmp_path / LOG).open("a") as file:
        file.write('{"event": "read", "st')
    TrainingLog(tmp_path, step=100, workers=2)
    rows = read_log(tmp_path)
    assert [(row["event"], row["step"]) for row in rows] == [("start", 0), ("read", 50), ("read", 100), ("start", 100)]
    assert rows[-1]["workers"] == 2
    assert rows[-1]["pid"] == os.getpid()
