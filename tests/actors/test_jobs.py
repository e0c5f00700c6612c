"""Jobs on the cluster: worked on, told of, cancelled, and begun again after deaths."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import ray

from actors import jobs
from nt_ray.backtest.event.runnable import runnable
from nt_ray.config import Settings
from nt_ray.errors import BadInputError
from nt_ray.trader.data import load_for
from nt_ray.trader.event_record import Setup
from nt_ray.trader.event_run import run_events
from nt_ray.trader.jobs.job import Job, State
from nt_ray.trader.jobs.reading import read_spec, settings_of
from nt_ray.trader.planning import account_plans, sizing_params

pytestmark = pytest.mark.usefixtures("ray_cluster")

BACKTEST = {"kind": "backtest", "strategy": "momentum", "symbols": ["KO", "PEP"], "start": "2018-01-02"}
LONG = {
    "kind": "sweep",
    "strategy": "sma_cross",
    "symbols": ["KO"],
    "start": "2012-01-03",
    "grid": {"fast": list(range(2, 202)), "slow": list(range(203, 403))},
}
PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("jobs")
    return Settings(runs=folder / "runs", state=folder / "state")


@pytest.fixture(scope="module")
def keeper(settings: Settings, ray_cluster: None) -> Iterator[Any]:
    yield jobs.start(settings)
    jobs.stop()


def until(keeper: Any, job: str, done: Callable[[Job], bool]) -> Job:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        found: Job = ray.get(keeper.find.remote(job))
        if done(found):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.02)


def ended(keeper: Any, job: str) -> Job:
    return until(keeper, job, lambda found: found.has_ended)


def test_a_backtest_as_a_job_is_the_backtest(keeper: Any, settings: Settings, tmp_path: Path) -> None:
    job = ray.get(keeper.submit.remote(BACKTEST, "ann"))
    found = ended(keeper, job.id)
    assert found.state is State.SUCCEEDED, found.error
    assert found.result is not None
    summary = found.result["summary"]
    asked = settings_of(settings.model_copy(update={"runs": tmp_path / "other"}), read_spec(BACKTEST))
    strategy = runnable("momentum", {})
    loaded = load_for(asked, "momentum", strategy.inputs, strategy.parameters)
    costs = account_plans(asked, tmp_path)[0].costs
    setup = Setup(strategy, loaded.panel, {}, sizing_params(asked), costs, asked.account.initial_cash)
    assert summary["digest"] == run_events(asked, setup).summary["digest"]
    names = {artefact["name"] for artefact in found.result["artefacts"]}
    assert {"summary.json", "trades.csv", "tear-sheet.html"} <= names
    assert (settings.runs / found.result["run"] / "summary.json").is_file()
    told = ray.get(keeper.events.remote(0, job.id))
    assert [event.kind for event in told if event.kind != "progress"] == ["queued", "running", "succeeded"]


def test_what_cannot_be_worked_on_is_refused_and_leaves_no_job(keeper: Any) -> None:
    before = ray.get(keeper.page.remote(None, 100, None, None))
    with pytest.raises(BadInputError, match="momentum"):
        ray.get(keeper.submit.remote({**BACKTEST, "strategy": "momentun"}, "ann"))
    assert ray.get(keeper.page.remote(None, 100, None, None)) == before


def test_a_job_whose_work_fails_says_why(keeper: Any) -> None:
    job = ray.get(keeper.submit.remote({**BACKTEST, "symbols": ["NOSUCH"]}, "ann"))
    found = ended(keeper, job.id)
    assert found.state is State.FAILED
    assert found.error is not None
    assert found.error["code"] == "market_data"
    assert "NOSUCH" in found.error["message"]


def test_a_killed_keeper_begins_again_what_was_under_way_and_a_cancelled_sweep_ends(keeper: Any) -> None:
    done = ray.get(keeper.submit.remote(BACKTEST, "ann"))
    first = ended(keeper, done.id)
    job = ray.get(keeper.submit.remote(LONG, "ann"))
    until(keeper, job.id, lambda found: found.state is State.RUNNING)
    os.kill(ray.get(keeper.pid.remote()), signal.SIGKILL)
    keeper = jobs.start(Settings())
    again = until(keeper, job.id, lambda found: found.attempt == 2 and found.done > 0)
    assert again.state is State.RUNNING
    assert ray.get(keeper.find.remote(done.id)) == first
    after = ray.get(keeper.last_event.remote())
    waiting = keeper.events.remote(after, done.id, 0.2)
    ray.get(keeper.cancel.remote(job.id))
    assert ended(keeper, job.id).state is State.CANCELLED
    assert ray.get(waiting) == [], "a job that has ended has no news"
    told = [event.kind for event in ray.get(keeper.events.remote(0, job.id)) if event.kind != "progress"]
    assert told == ["queued", "running", "queued", "running", "cancelled"]


def test_a_swarm_runs_as_a_job_and_its_folder_has_a_run(keeper: Any, settings: Settings) -> None:
    spec = {"kind": "run", "strategies": ["momentum"], "hosts": 1, "symbols": ["KO", "PEP"], "start": "2022-06-01"}
    found = ended(keeper, ray.get(keeper.submit.remote(spec, "ann")).id)
    assert found.state is State.SUCCEEDED, found.error
    assert found.result is not None
    assert found.result["summary"]["topology"] == "hierarchical"
    assert found.done == found.total > 100


def test_a_training_as_a_job_leaves_a_model(keeper: Any, settings: Settings) -> None:
    spec = {"kind": "train", "model": "dlinear", "steps": 20, "symbols": ["KO"], "start": "2021-01-04", "lookback": 20}
    found = ended(keeper, ray.get(keeper.submit.remote({**spec, "horizon": 2}, "ann")).id)
    assert found.state is State.SUCCEEDED, found.error
    assert found.result is not None
    assert found.result["summary"]["steps"] == 20
    assert (settings.runs / found.result["run"] / "model").is_dir()
