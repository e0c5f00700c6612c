"""Jobs on the cluster: worked on, told of, cancelled, and begun again after deaths."""

import asyncio
import os
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest
import ray

from actors import jobs
from actors.job_work import Tell, perform
from nt_ray.backtest.event.runnable import runnable
from nt_ray.config import Settings
from nt_ray.errors import BadInputError
from nt_ray.trader.data import load_for
from nt_ray.trader.event_record import Setup
from nt_ray.trader.event_run import run_events
from nt_ray.trader.files import OWNERS
from nt_ray.trader.jobs.job import Job, JobEndedError, JobEvent, State
from nt_ray.trader.jobs.reading import read_spec, settings_of
from nt_ray.trader.planning import account_plans, sizing_params
from nt_ray.trader.run_owners import owners
from nt_ray.trader.steering import Course

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


def test_who_leaves_as_news_come_is_not_kept_waiting_for_more() -> None:
    class Book:
        def events(self, after: int, job: str | None) -> list[JobEvent]:
            return []

    async def run() -> None:
        # What is under test is a method of the plain class, which Ray keeps beside the actor's.
        plain: Any = jobs.JobsActor.__ray_metadata__.modified_class  # type: ignore[attr-defined]
        keeper = object.__new__(plain)
        keeper._book, keeper._news = Book(), asyncio.Event()
        waiting = asyncio.create_task(keeper.events(0, None, 20.0))
        await asyncio.sleep(0.01)
        keeper._tell()
        await asyncio.sleep(0)
        waiting.cancel()
        done, _ = await asyncio.wait({waiting}, timeout=10.0)
        assert done == {waiting}
        assert waiting.cancelled()

    asyncio.run(run())


def test_the_end_of_a_job_is_written_down_as_soon_as_the_disk_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "AGAIN_S", 0.0)
    told: list[object] = []

    class Book:
        def succeed(self, job: str, attempt: int, result: dict[str, Any]) -> None:
            told.append("tried")
            if len(told) < 3:
                raise sqlite3.OperationalError("database or disk is full")
            told.append((job, attempt, result))

        def waiting(self) -> list[str]:
            told.append("dispatched")
            return []

    async def run() -> None:
        plain: Any = jobs.JobsActor.__ray_metadata__.modified_class  # type: ignore[attr-defined]
        keeper = object.__new__(plain)
        keeper._book, keeper._news, keeper._running = Book(), asyncio.Event(), {"j": None}
        ended: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        ended.set_result({"run": "r"})
        await keeper._follow("j", 1, ended)
        assert keeper._running == {}

    asyncio.run(run())
    assert told == ["tried", "tried", "tried", ("j", 1, {"run": "r"}), "dispatched"]


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
    assert OWNERS not in names
    assert (settings.runs / found.result["run"] / "summary.json").is_file()
    assert owners(settings.runs / found.result["run"]) == {"ann"}
    told = ray.get(keeper.events.remote(0, job.id))
    assert [event.kind for event in told if event.kind != "progress"] == ["queued", "running", "succeeded"]


def test_what_cannot_be_worked_on_is_refused_and_leaves_no_job(keeper: Any) -> None:
    before = [job.id for job in ray.get(keeper.page.remote(None, 100, None, None))]
    with pytest.raises(BadInputError, match="momentum"):
        ray.get(keeper.submit.remote({**BACKTEST, "strategy": "momentun"}, "ann"))
    assert [job.id for job in ray.get(keeper.page.remote(None, 100, None, None))] == before


def test_a_job_whose_work_fails_says_why(keeper: Any) -> None:
    job = ray.get(keeper.submit.remote({**BACKTEST, "symbols": ["NOSUCH"]}, "ann"))
    found = ended(keeper, job.id)
    assert found.state is State.FAILED
    assert found.error is not None
    assert found.error["code"] == "market_data"
    assert "NOSUCH" in found.error["message"]


def test_a_killed_keeper_begins_again_what_was_under_way_and_a_cancelled_sweep_ends(
    keeper: Any, settings: Settings
) -> None:
    done = ray.get(keeper.submit.remote(BACKTEST, "ann"))
    first = ended(keeper, done.id)
    job = ray.get(keeper.submit.remote(LONG, "ann"))
    until(keeper, job.id, lambda found: found.state is State.RUNNING)
    # Another version of the program has left a job that this one cannot read.
    with closing(sqlite3.connect(settings.state / jobs.FILE)) as book:
        row = (
            "backtest-0000000000000000",
            "backtest",
            "ann",
            "queued",
            '{"kind": "seance"}',
            "2026-01-01T00:00:00+00:00",
        )
        book.execute("INSERT INTO jobs (id, kind, owner, state, spec, created) VALUES (?, ?, ?, ?, ?, ?)", row)
        book.commit()
    os.kill(ray.get(keeper.pid.remote()), signal.SIGKILL)
    keeper = jobs.start(Settings())
    again = until(keeper, job.id, lambda found: found.attempt == 2 and found.done > 0)
    assert again.state is State.RUNNING
    unread = ray.get(keeper.find.remote("backtest-0000000000000000"))
    assert (unread.state, unread.error["code"]) == (State.FAILED, "job")
    assert ray.get(keeper.find.remote(done.id)) == first
    after = ray.get(keeper.last_event.remote())
    waiting = keeper.events.remote(after, done.id, 0.2)
    ray.get(keeper.cancel.remote(job.id))
    assert ended(keeper, job.id).state is State.CANCELLED
    assert ray.get(waiting) == [], "a job that has ended has no news"
    told = [event.kind for event in ray.get(keeper.events.remote(0, job.id)) if event.kind != "progress"]
    assert told == ["queued", "running", "queued", "running", "cancelled"]


def test_a_job_whose_process_is_killed_is_begun_again(keeper: Any) -> None:
    job = ray.get(keeper.submit.remote({**LONG, "seed": 9}, "ann"))
    until(keeper, job.id, lambda found: found.done > 0)
    raylet = psutil.Process(ray.get(keeper.pid.remote())).parent()
    assert raylet is not None
    alive = [child for child in raylet.children() if child.status() != psutil.STATUS_ZOMBIE]
    (worker,) = [child for child in alive if child.cmdline()[:1] == ["ray::_work"]]
    worker.kill()
    until(keeper, job.id, lambda found: found.attempt == 2 and found.done > 0)
    ray.get(keeper.cancel.remote(job.id))
    assert ended(keeper, job.id).state is State.CANCELLED
    reasons = [event.data.get("reason", "") for event in ray.get(keeper.events.remote(0, job.id))]
    assert any("process died" in reason for reason in reasons)


def test_a_swarm_that_runs_takes_more_hosts_and_another_topology(keeper: Any) -> None:
    spec = {"kind": "run", "strategies": ["momentum"], "hosts": 1, "topology": "star"}
    job = ray.get(keeper.submit.remote(spec, "ann"))
    until(keeper, job.id, lambda found: found.done > 0)
    asked = ray.get(keeper.adjust.remote(job.id, Course(hosts=2, topology="ring")))
    assert asked.wanted == {"hosts": 2, "topology": "ring"}
    told: list[Any] = []
    deadline = time.monotonic() + PATIENCE_S
    while not told:
        assert time.monotonic() < deadline
        told = [event for event in ray.get(keeper.events.remote(0, job.id)) if event.kind == "adjusted"]
    assert {**told[0].data, "bar": 0} == {"bar": 0, "hosts": 2, "topology": "ring", "refused": ""}
    assert told[0].data["bar"] > 0
    since = ray.get(keeper.find.remote(job.id)).done
    until(keeper, job.id, lambda found: found.done > since)
    ray.get(keeper.cancel.remote(job.id))
    assert ended(keeper, job.id).state is State.CANCELLED
    with pytest.raises(JobEndedError):
        ray.get(keeper.adjust.remote(job.id, Course(hosts=1)))
    with pytest.raises(BadInputError, match="only a swarm"):
        ray.get(keeper.adjust.remote(ray.get(keeper.submit.remote(BACKTEST, "ann")).id, Course(hosts=1)))


def test_a_swarm_runs_as_a_job_and_its_folder_has_a_run(keeper: Any, settings: Settings) -> None:
    spec = {"kind": "run", "strategies": ["momentum"], "hosts": 1, "symbols": ["KO", "PEP"], "start": "2022-06-01"}
    found = ended(keeper, ray.get(keeper.submit.remote(spec, "ann")).id)
    assert found.state is State.SUCCEEDED, found.error
    assert found.result is not None
    assert found.result["summary"]["topology"] == "hierarchical"
    assert owners(settings.runs / found.result["run"]) == {"ann"}
    assert found.done == found.total > 100


def test_a_training_as_a_job_leaves_a_model(keeper: Any, settings: Settings) -> None:
    spec = {"kind": "train", "model": "dlinear", "steps": 20, "symbols": ["KO"], "start": "2021-01-04", "lookback": 20}
    found = ended(keeper, ray.get(keeper.submit.remote({**spec, "horizon": 2}, "ann")).id)
    assert found.state is State.SUCCEEDED, found.error
    assert found.result is not None
    assert found.result["summary"]["steps"] == 20
    assert (settings.runs / found.result["run"] / "model").is_dir()
    assert owners(settings.runs / found.result["run"]) == {"ann"}


@pytest.mark.parametrize(
    "spec",
    [
        {**LONG, "grid": {"fast": [5, 10], "slow": [50]}, "start": "2022-06-01"},
        {"kind": "search", "model": "dlinear", "trials": 1, "steps": 5, "symbols": ["KO"], "start": "2021-01-04"},
    ],
    ids=["sweep", "search"],
)
def test_a_folder_that_two_users_jobs_fill_alike_is_both_of_theirs(spec: dict[str, Any], tmp_path: Path) -> None:
    here = Settings(runs=tmp_path / "runs", state=tmp_path / "state")
    made = {
        perform(here, read_spec(spec), Tell(lambda done, total: True), on_ray=False, owner=who)["run"]
        for who in ("ann", "bob")
    }
    (run,) = made
    assert owners(tmp_path / "runs" / run) == {"ann", "bob"}
