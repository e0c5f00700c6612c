"""A group of workers grows while it trains, on a cluster of its own in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

PROGRAM = """
import json, os, signal, sys, threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from actors.environment import prepare
prepare()
os.environ["RAY_TRAIN_HEALTH_CHECK_INTERVAL_S"] = "0.2"
import numpy as np
import ray
from ray.data._internal.cluster_autoscaler.default_autoscaling_coordinator import get_or_create_autoscaling_coordinator
from actors.nodes import cluster_of
from actors.training import Scaling, train_on_ray
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.training.durable import Pace, train_durably
from nt_ray.neural.training.recipe import Recipe
from nt_ray.neural.training.training_log import read_log

folder = Path(sys.argv[1])
clock = np.arange(300)
noise = 0.05 * np.random.default_rng(7).normal(size=(3, 300))
rows = np.stack([l + np.sin(clock / p) for l, p in ((10.0, 3.0), (-4.0, 5.0), (100.0, 8.0))]) + noise
panel = SeriesPanel(("a", "b", "c"), np.datetime64("2026-01-01", "us") + clock * np.timedelta64(1, "h"), rows)
recipe = Recipe(model="rlinear", lookback=12, horizon=4, batch=16, steps=3000, lr=0.01, validate_every=500)
begun = threading.Event()


def starts():
    return [row for row in read_log(folder) if row["event"] == "start"]


def wait(progress):
    # The one worker, saved several times by now, waits while the second node starts, however long that takes.
    if not begun.is_set() and progress.step >= 500:
        os.kill(starts()[-1]["pid"], signal.SIGSTOP)
        begun.set()


with cluster_of(1) as nodes, ThreadPoolExecutor(1) as pool:
    scaling = Scaling(workers=(1, 2), pace=Pace(100, 0.0), look_s=0.0)
    run = pool.submit(train_on_ray, panel, recipe, folder, scaling, wait)
    # Nodes are started by the main thread alone.
    while not begun.wait(0.1) and not run.done():
        pass
    nodes.add()
    # Ray counts the room anew every 20 seconds, and at once for whoever asks for the newest count.
    ray.get(get_or_create_autoscaling_coordinator().get_reserved_resources.remote("test", recompute=True))
    os.kill(starts()[-1]["pid"], signal.SIGCONT)
    ended = run.result()
alone = train_durably(panel, recipe, folder / "alone")
reads = [row["step"] for row in read_log(folder) if row["event"] == "read"]
told = {
    "starts": [[row["step"], row["workers"]] for row in starts()],
    "reads": reads == list(range(50, recipe.steps + 1, 50)),
    "losses": float(np.abs(ended.losses / alone.losses - 1).max()),
    "validations": [[v for _, v in run.validations] for run in (ended, alone)],
}
print(json.dumps(told))
"""


def test_a_run_that_starts_with_one_worker_goes_on_with_two_when_a_second_node_comes(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM, str(tmp_path / "run")],
        capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["starts"][0] == [0, 1]
    grown, workers = told["starts"][-1]
    assert workers == 2
    assert 0 < grown < 3000
    assert told["reads"]
    # The batches are the same, so the curve is that of one worker throughout.
    assert told["losses"] < 0.02
    mine, alone = told["validations"]
    assert mine == pytest.approx(alone, rel=1e-3)
