"""Heavy calls are jobs: progress, cancellation, a key that outlives the call, swarms that are scaled and ended."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import pytest
from mcp import Client

from actors.job_work import Tell
from deployments.gateway.mcp import local_jobs
from deployments.gateway.mcp.catalogue import TOOLS
from deployments.gateway.mcp.problems import ProblemError, StoppedError
from deployments.gateway.mcp.tools import swarm_looks
from deployments.gateway.mcp.working import work
from nt_ray.access.roles import Principal, Role
from nt_ray.trader.files import SUMMARY
from nt_ray.trader.jobs.job import Job, JobCancelledError, JobEvent, State
from nt_ray.trader.jobs.reading import read_spec

WITHIN_S = 60.0
ANN = Principal(id="ann", role=Role.USER, credential="test")
SPEC = read_spec({"kind": "backtest", "strategy": "momentum"})


class Endless:
    """Work that goes on until it is told to stop, or to end."""

    def __init__(self) -> None:
        self.begun, self.ended, self.go = threading.Event(), threading.Event(), threading.Event()
        self.outcome = ""

    def __call__(self, settings: Any, spec: Any, tell: Tell, **_: Any) -> dict[str, Any]:
        try:
            while not self.go.wait(0.002):
                tell.last = float("-inf")
                tell(1, 4)
                self.begun.set()
        except JobCancelledError:
            self.outcome = "cancelled"
            raise
        finally:
            self.ended.set()
        return {"run": "kept", "artefacts": [], "summary": {"strategy": "sma_cross", "metric": "sharpe", "best": [],
                                                            "combinations": 1, "symbols": [], "failed": 0}}  # fmt: skip


@pytest.fixture
def endless(monkeypatch: pytest.MonkeyPatch) -> Endless:
    found = Endless()
    monkeypatch.setattr(local_jobs, "perform", found)
    return found


def abandoned(desk: Any, begun: threading.Event, arguments: Mapping[str, Any]) -> None:
    """Call a tool, and go away once its job is at work."""

    async def run() -> None:
        async with Client(desk.server()) as client, anyio.create_task_group() as group:
            group.start_soon(client.call_tool, "optimize_strategy", dict(arguments))
            assert await anyio.to_thread.run_sync(begun.wait, WITHIN_S)
            group.cancel_scope.cancel()

    anyio.run(run)


def test_who_goes_away_cancels_the_job_of_his_call(desk: Any, endless: Endless) -> None:
    abandoned(desk, endless.begun, TOOLS["optimize_strategy"].example)
    assert endless.ended.wait(WITHIN_S)
    assert endless.outcome == "cancelled"


def test_a_job_with_a_key_goes_on_and_the_same_call_finds_it(desk: Any, endless: Endless) -> None:
    asked = {**TOOLS["optimize_strategy"].example, "job_key": "mine"}
    abandoned(desk, endless.begun, asked)
    assert not endless.ended.wait(0.1)
    endless.go.set()
    first = desk.answer("optimize_strategy", asked)
    assert first["run"] == "kept"
    assert desk.answer("optimize_strategy", asked) == first
    other = {**asked, "symbols": ["PEP"]}
    assert desk.problem("optimize_strategy", other)["code"] == "idempotency_conflict"
    assert desk.acting(Role.USER, id="bob").answer("optimize_strategy", asked)["job"] != first["job"]


class Scripted:
    """A keeper of one job, whose events are given."""

    def __init__(self, *events: tuple[str, Mapping[str, Any]], state: State = State.SUCCEEDED, **ends: Any) -> None:
        self.told = [JobEvent(seq + 1, "job", "", kind, data) for seq, (kind, data) in enumerate(events)]
        self.job = Job(
            number=1, id="job", kind="backtest", owner="ann", state=state, spec=SPEC.model_dump(mode="json"),
            created="", started="", ended="", done=0, total=0, attempt=1, cancel_asked=False,
            **{"result": None, "error": None, **ends},
        )  # fmt: skip

    async def submit(self, *_: Any) -> Job:
        return self.job

    async def find(self, _: str) -> Job:
        return self.job

    async def events(self, after: int, *_: Any) -> list[JobEvent]:
        # One by one, as slow work tells them.
        return self.told[after : after + 1]


def worked(jobs: Any, runs: Path = Path()) -> tuple[Any, list[float]]:
    shares: list[float] = []

    async def report(done: float, total: float | None, _: str | None) -> None:
        assert total == 1.0
        shares.append(done)

    return anyio.run(work, Standing(jobs, runs), SPEC, ANN, "", report), shares


class Standing(NamedTuple):
    """A platform of one keeper and one folder."""

    jobs: Any
    runs: Path

    @property
    def settings(self) -> "Standing":
        return self


def step(done: int, total: int) -> tuple[str, dict[str, int]]:
    return "progress", {"done": done, "total": total}


def test_a_job_that_is_being_taken_when_its_caller_goes_is_cancelled() -> None:
    class Slow(Scripted):
        cancelled = ""

        async def submit(self, *_: Any) -> Job:
            begun.set()
            await goes_on.wait()
            return self.job

        async def cancel(self, job: str) -> Job:
            self.cancelled = job
            return self.job

    jobs = Slow(("queued", {}), state=State.QUEUED)
    begun, goes_on = anyio.Event(), anyio.Event()

    async def run() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(work, Standing(jobs, Path()), SPEC, ANN, "", anyio.sleep)
            await begun.wait()
            group.cancel_scope.cancel()
            goes_on.set()

    anyio.run(run)
    assert jobs.cancelled == "job"


def test_progress_never_goes_back_though_a_job_has_phases() -> None:
    events = [("queued", {}), ("running", {"attempt": 1}), step(0, 1), step(1, 4), step(3, 4), step(1, 100),
              step(80, 100), step(100, 100), ("succeeded", {})]  # fmt: skip
    done, shares = worked(Scripted(*events, result={"run": "r", "summary": {"a": 1}}))
    assert shares == [0.0, 0.25, 0.75, 0.8, 1.0]
    assert (done.job, done.run, done.summary) == ("job", "r", {"a": 1})


def test_a_summary_that_the_book_left_out_is_read_from_the_run(tmp_path: Path) -> None:
    (tmp_path / "long").mkdir()
    (tmp_path / "long" / SUMMARY).write_text('{"a": 2}', encoding="utf-8")
    jobs = Scripted(("succeeded", {}), result={"run": "long", "summary": {"left_out": "It is long."}})
    assert worked(jobs, tmp_path)[0].summary == {"a": 2}


@pytest.mark.parametrize(("code", "status"), [("market_data", 422), ("internal", 500), ("interrupted", 500)])
def test_a_job_that_fails_is_the_problem_that_it_failed_with(code: str, status: int) -> None:
    jobs = Scripted(("failed", {}), state=State.FAILED, error={"code": code, "message": "No bars. Give some."})
    with pytest.raises(ProblemError) as caught:
        worked(jobs)
    assert caught.value.problem.model_dump() == {"code": code, "message": "No bars. Give some.", "status": status}


def test_a_job_that_somebody_else_cancelled_is_told_as_cancelled() -> None:
    with pytest.raises(StoppedError):
        worked(Scripted(("cancelled", {}), state=State.CANCELLED))


def test_a_swarm_is_begun_at_once_and_looked_at_while_it_is_at_work(desk: Any, endless: Endless) -> None:
    example = TOOLS["init_e2b_swarm"].example
    begun = desk.answer("init_e2b_swarm", {**example, "hosts": 2})
    job = begun["id"]
    assert (begun["kind"], begun["state"] in ("queued", "running"), begun["spec"]["hosts"]) == ("run", True, 2)
    assert desk.answer("init_e2b_swarm", {**example, "hosts": 2})["id"] == job
    assert desk.problem("init_e2b_swarm", {**example, "hosts": 3})["code"] == "idempotency_conflict"
    assert endless.begun.wait(WITHIN_S)
    status = desk.answer("get_swarm_status", {"swarm_id": job})
    assert (status["swarm_id"], status["state"], status["topology"], status["hosts"]) == (job, "running", "star", 2)
    assert (status["done"], status["total"], status["agents"], status["repairs"]) == (1, 4, [], None)
    desk.answer("scale_swarm", {"job": job, "hosts": 3})
    assert desk.answer("get_swarm_status", {"swarm_id": job})["hosts"] == 3
    metrics = desk.answer("get_swarm_metrics", {"swarm_id": job})
    assert (metrics["state"], metrics["topologies"], metrics["seconds"] > 0.0) == ("running", [], True)
    assert metrics["bars_per_second"] == pytest.approx(1 / metrics["seconds"])
    assert desk.answer("monitor_swarm_health", {"swarm_id": job}) == {
        "swarm_id": job, "state": "running", "healthy": True, "alerts": []
    }  # fmt: skip
    desk.answer("shutdown_swarm", {"job": job})
    assert endless.ended.wait(WITHIN_S)


@pytest.mark.parametrize(
    ("job", "events", "alerts"),
    [
        ({}, [("running", "2026-01-05T12:00:00+00:00", {})], []),
        ({"attempt": 3}, [], ["it was begun 3 times, since its process died"]),
        ({}, [("running", "2026-01-05T11:57:00+00:00", {})], ["nothing has been heard of it for 180 s"]),
        (
            {},
            [("adjusted", "2026-01-05T12:00:00+00:00", {"bar": 4, "refused": "No room."})],
            ["a change was refused: No room."],
        ),
        (
            {"state": State.FAILED, "error": {"code": "market_data", "message": "No bars."}},
            [("failed", "2026-01-05T10:00:00+00:00", {})],
            ["No bars."],
        ),
    ],
)
def test_what_is_wrong_in_a_swarm_at_work_is_told(
    job: Mapping[str, Any], events: list[Any], alerts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(swarm_looks, "datetime", Noon)
    told = [JobEvent(seq + 1, "run-1", time, kind, data) for seq, (kind, time, data) in enumerate(events)]
    at_work = replace(Scripted(state=State.RUNNING).job, **job)
    assert swarm_looks._alerts_of_job(at_work, told) == alerts


class Noon(datetime):
    """A clock that stands."""

    @classmethod
    def now(cls, tz: Any = None) -> "Noon":
        return cls(2026, 1, 5, 12, tzinfo=tz)


def test_a_swarm_is_scaled_and_ended_by_its_job_while_its_call_waits(desk: Any, endless: Endless) -> None:
    said: list[str] = []
    swarm, answers = anyio.Event(), {}

    async def progress(_: float, __: float | None, message: str | None) -> None:
        said.append(message or "")
        swarm.set()

    async def run() -> None:
        async with Client(desk.server()) as client, anyio.create_task_group() as group:

            async def trade() -> None:
                example = dict(TOOLS["execute_swarm_strategy"].example)
                answers["trade"] = await client.call_tool("execute_swarm_strategy", example, progress_callback=progress)

            group.start_soon(trade)
            await swarm.wait()
            job = said[0].partition(":")[0]
            assert await anyio.to_thread.run_sync(endless.begun.wait, WITHIN_S)
            answers["scale"] = await client.call_tool("scale_swarm", {"job": job, "hosts": 3})
            answers["end"] = await client.call_tool("shutdown_swarm", {"job": job})

    anyio.run(run)
    assert answers["scale"].structured_content["wanted"] == {"hosts": 3}
    assert answers["end"].structured_content["cancel_asked"]
    assert answers["trade"].structured_content["error"]["code"] == "cancelled"


def test_a_swarm_of_somebody_else_is_not_touched(desk: Any, endless: Endless) -> None:
    abandoned_key = {**TOOLS["optimize_strategy"].example, "job_key": "not-a-swarm"}
    endless.go.set()
    desk.answer("optimize_strategy", abandoned_key)
    example = {**TOOLS["execute_swarm_strategy"].example, "job_key": "annes"}
    refused = desk.call("execute_swarm_strategy", example)
    assert refused.is_error, "the work of this test makes no swarm"
    jobs = anyio.run(desk.backend.jobs.page, None, 10, None, "run")
    bob = desk.acting(Role.USER, id="bob")
    calls: list[Callable[[], Any]] = [
        lambda: bob.problem("shutdown_swarm", {"job": jobs[0].id}),
        lambda: bob.problem("scale_swarm", {"job": jobs[0].id, "hosts": 2}),
    ]
    assert [call()["code"] for call in calls] == ["no_job", "no_job"]
    assert desk.problem("scale_swarm", {"job": jobs[0].id, "hosts": 2})["code"] == "job_ended"
