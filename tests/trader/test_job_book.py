"""The book of jobs: states, attempts, the log, keys of requests."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nt_ray.trader.jobs.answers import Answer, Claim
from nt_ray.trader.jobs.book import MOST_ATTEMPTS, MOST_QUEUED, JobBook
from nt_ray.trader.jobs.job import (
    ENDED,
    JobEndedError,
    KeyBusyError,
    KeyConflictError,
    NoJobError,
    State,
    TooManyJobsError,
)


@pytest.fixture
def book(tmp_path: Path) -> Iterator[JobBook]:
    opened = JobBook(tmp_path / "jobs.sqlite")
    yield opened
    opened.close()


def kinds(book: JobBook, job: str) -> list[str]:
    return [event.kind for event in book.events(job=job)]


def test_a_job_goes_from_the_queue_to_its_result_and_the_log_tells_each_step(book: JobBook) -> None:
    job = book.submit("backtest", {"strategy": "momentum"}, "ann").id
    assert book.find(job).state is State.QUEUED
    assert book.waiting() == [job]
    attempt = book.begin(job)
    assert attempt == 1
    assert book.progress(job, attempt, 5, 10)
    assert book.succeed(job, attempt, {"sharpe": 1.5})
    found = book.find(job)
    assert (found.state, found.owner, found.done, found.total) == (State.SUCCEEDED, "ann", 5, 10)
    assert found.result == {"sharpe": 1.5}
    assert found.spec == {"strategy": "momentum"}
    assert kinds(book, job) == ["queued", "running", "progress", "succeeded"]


def test_a_job_that_waits_is_cancelled_at_once_and_one_that_runs_is_asked(book: JobBook) -> None:
    waits, runs = book.submit("sweep", {}, "ann").id, book.submit("sweep", {}, "ann").id
    assert book.cancel(waits).state is State.CANCELLED
    assert book.begin(waits) == 0
    attempt = book.begin(runs)
    assert book.cancel(runs).state is State.RUNNING
    assert not book.progress(runs, attempt, 1, 2)
    assert book.stopped(runs, attempt)
    assert book.cancel(runs).state is State.CANCELLED
    assert kinds(book, runs) == ["queued", "running", "cancelled"]


def test_what_the_work_of_a_cancelled_job_fails_with_is_its_cancellation(book: JobBook) -> None:
    job = book.submit("sweep", {}, "ann").id
    attempt = book.begin(job)
    book.cancel(job)
    assert book.fail(job, attempt, "service", "A chunk of the sweep could not be run.")
    assert (book.find(job).state, book.find(job).error) == (State.CANCELLED, None)


def test_the_log_takes_each_percent_once(book: JobBook) -> None:
    job = book.submit("sweep", {}, "ann").id
    attempt = book.begin(job)
    for done in range(1, 10_001):
        book.progress(job, attempt, done, 10_000)
    assert kinds(book, job).count("progress") == 101
    assert book.find(job).done == 10_000


def test_jobs_under_way_wait_again_after_a_crash_until_they_were_begun_too_often(tmp_path: Path) -> None:
    path = tmp_path / "jobs.sqlite"
    book = JobBook(path)
    job, asked = book.submit("train", {}, "ann").id, book.submit("train", {}, "ann").id
    book.begin(asked)
    book.cancel(asked)
    for attempt in range(1, MOST_ATTEMPTS + 1):
        assert book.begin(job) == attempt
        book.close()
        book = JobBook(path)
        assert book.recover() == ([job] if attempt < MOST_ATTEMPTS else [])
        assert not book.succeed(job, attempt, {}), "an attempt from before the crash may not end the job"
    failed = book.find(job)
    assert failed.state is State.FAILED
    assert failed.error is not None
    assert failed.error["code"] == "interrupted"
    assert book.find(asked).state is State.CANCELLED
    book.close()


def test_pages_go_from_the_newest_to_the_oldest_without_a_gap(book: JobBook) -> None:
    jobs = [book.submit("sweep" if i % 3 else "backtest", {}, "ann").id for i in range(10)]
    seen: list[str] = []
    before = None
    while page := book.page(before=before, limit=3):
        seen += [job.id for job in page]
        before = page[-1].number
    assert seen == jobs[::-1]
    assert [job.id for job in book.page(kind="backtest")] == jobs[::-3]
    book.cancel(jobs[4])
    assert [job.id for job in book.page(state=State.CANCELLED)] == [jobs[4]]


def test_a_full_queue_takes_no_more(book: JobBook) -> None:
    for _ in range(MOST_QUEUED):
        book.submit("sweep", {}, "ann")
    with pytest.raises(TooManyJobsError, match=str(MOST_QUEUED)):
        book.submit("sweep", {}, "ann")


def test_an_unknown_job_is_named(book: JobBook) -> None:
    with pytest.raises(NoJobError, match="no-such-job"):
        book.find("no-such-job")


def test_a_result_that_is_no_json_ends_nothing(book: JobBook) -> None:
    job = book.submit("sweep", {}, "ann").id
    attempt = book.begin(job)
    with pytest.raises(ValueError, match="JSON compliant"):
        book.succeed(job, attempt, {"sharpe": float("nan")})
    assert book.find(job).state is State.RUNNING


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from("sbcpwfikr")), max_size=40))
def test_whatever_happens_a_job_that_has_ended_never_changes_and_the_log_has_no_gap(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, str]]
) -> None:
    book = JobBook(tmp_path_factory.mktemp("book") / "jobs.sqlite")
    try:
        jobs = [book.submit("sweep", {}, "ann").id for _ in range(3)]
        ended: dict[str, State] = {}
        for index, step in steps:
            job = jobs[index]
            attempt = book.find(job).attempt
            match step:
                case "b":
                    book.begin(job)
                case "c":
                    book.cancel(job)
                case "p":
                    book.progress(job, attempt, 1, 2)
                case "s":
                    book.succeed(job, attempt, {})
                case "w":
                    book.succeed(job, attempt - 1, {"of": "an attempt before"})
                case "f":
                    book.fail(job, attempt, "x", "It failed.")
                case "i":
                    book.interrupt(job, attempt, "its process died")
                case "k":
                    book.stopped(job, attempt)
                case "r":
                    book.recover()
            for known in jobs:
                state = book.find(known).state
                assert ended.get(known, state) is state
                if state in ENDED:
                    ended[known] = state
        assert all(book.find(job).result in (None, {}) for job in jobs)
        events = book.events()
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        for job in jobs:
            told = [e.kind for e in events if e.job == job and e.kind in {state.value for state in State}]
            assert told[-1] == book.find(job).state
            assert sum(kind in {state.value for state in ENDED} for kind in told) == (job in ended)
    finally:
        book.close()


def claimed(found: Answer | Claim) -> Claim:
    assert isinstance(found, Claim)
    return found


def test_the_same_request_under_a_key_has_the_same_answer_and_another_none(book: JobBook) -> None:
    answers = book.answers
    claim = claimed(answers.claim("ann", "POST /jobs", "k1", "digest"))
    with pytest.raises(KeyBusyError, match="k1"):
        answers.claim("ann", "POST /jobs", "k1", "digest")
    answers.keep("ann", "POST /jobs", "k1", claim, Answer(201, "{}"))
    assert answers.claim("ann", "POST /jobs", "k1", "digest") == Answer(201, "{}")
    with pytest.raises(KeyConflictError, match="k1"):
        answers.claim("ann", "POST /jobs", "k1", "another")
    claimed(answers.claim("bob", "POST /jobs", "k1", "another"))
    claimed(answers.claim("ann", "POST /swarms", "k1", "another"))


def test_a_claim_that_was_given_up_may_be_made_again_but_an_answer_stays(book: JobBook) -> None:
    answers = book.answers
    answers.release("ann", "op", "k", claimed(answers.claim("ann", "op", "k", "d")))
    claim = claimed(answers.claim("ann", "op", "k", "e"))
    answers.keep("ann", "op", "k", claim, Answer(200, "1"))
    answers.release("ann", "op", "k", claim)
    assert answers.claim("ann", "op", "k", "e") == Answer(200, "1")


def test_a_claim_whose_owner_died_is_given_on_and_the_dead_one_changes_nothing(
    book: JobBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = book.answers
    dead = claimed(answers.claim("ann", "op", "k", "d"))
    monkeypatch.setattr("nt_ray.trader.jobs.answers.PATIENCE", timedelta(0))
    alive = claimed(answers.claim("ann", "op", "k", "d"))
    answers.release("ann", "op", "k", dead)
    answers.keep("ann", "op", "k", dead, Answer(200, "dead"))
    answers.keep("ann", "op", "k", alive, Answer(200, "alive"))
    answers.keep("ann", "op", "k", dead, Answer(200, "dead"))
    assert answers.claim("ann", "op", "k", "d") == Answer(200, "alive")


def test_answers_are_forgotten_after_a_day(book: JobBook, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = book.answers
    answers.keep("ann", "op", "k", claimed(answers.claim("ann", "op", "k", "d")), Answer(200, "1"))
    monkeypatch.setattr("nt_ray.trader.jobs.answers.KEPT", timedelta(0))
    claimed(answers.claim("ann", "op", "k", "another"))


def test_a_job_submitted_again_under_its_owners_key_is_the_same_job(book: JobBook) -> None:
    first = book.submit("sweep", {"a": 1}, "ann", "key")
    assert book.submit("sweep", {"a": 1}, "ann", "key") == first
    assert book.submit("sweep", {"a": 1}, "bob", "key").id != first.id
    assert book.submit("sweep", {"a": 1}, "ann").id != book.submit("sweep", {"a": 1}, "ann").id
    assert len(book.page()) == 4


def test_another_job_under_a_key_of_its_owner_is_refused(book: JobBook) -> None:
    first = book.submit("sweep", {"a": 1}, "ann", "key")
    with pytest.raises(KeyConflictError, match="key"):
        book.submit("sweep", {"a": 2}, "ann", "key")
    book.adjust(first.id, {"hosts": 4})
    assert book.submit("sweep", {"a": 1}, "ann", "key").id == first.id


def test_what_is_asked_of_a_job_later_is_known_until_it_has_ended(book: JobBook) -> None:
    job = book.submit("run", {"hosts": 2}, "ann").id
    book.adjust(job, {"hosts": 4})
    attempt = book.begin(job)
    assert book.adjust(job, {"topology": "ring"}).wanted == {"hosts": 4, "topology": "ring"}
    assert book.adjusted(job, attempt, {"hosts": 4})
    assert not book.adjusted(job, attempt - 1, {"hosts": 9})
    assert book.find(job).spec == {"hosts": 2}
    assert kinds(book, job) == ["queued", "adjust", "running", "adjust", "adjusted"]
    book.succeed(job, attempt, {})
    with pytest.raises(JobEndedError, match="succeeded"):
        book.adjust(job, {"hosts": 8})


def test_a_result_that_is_too_long_leaves_its_summary_to_the_run(book: JobBook) -> None:
    job = book.submit("sweep", {}, "ann").id
    book.succeed(job, book.begin(job), {"run": "r", "summary": {"rows": ["x" * 100] * 20_000}})
    result = book.find(job).result
    assert result is not None
    assert result["run"] == "r"
    assert "summary.json" in result["summary"]["left_out"]


def test_of_jobs_that_have_ended_the_newest_are_kept_with_their_events(book: JobBook) -> None:
    jobs = [book.submit("sweep", {}, "ann").id for _ in range(6)]
    waits = jobs.pop(0)
    for job in jobs:
        book.cancel(job)
    assert book.prune(2) == 3
    assert [job.id for job in book.page()] == [*jobs[:2:-1], waits]
    assert kinds(book, jobs[0]) == []
    assert kinds(book, jobs[-1]) == ["queued", "cancelled"]


def test_a_book_of_the_first_version_is_read_on(tmp_path: Path) -> None:
    path = tmp_path / "jobs.sqlite"
    book = JobBook(path)
    job = book.submit("run", {"hosts": 2}, "ann")
    book.close()
    with closing(sqlite3.connect(path)) as old:
        old.execute("ALTER TABLE jobs DROP COLUMN wanted")
        old.execute("PRAGMA user_version = 1")
        old.commit()
    book = JobBook(path)
    assert book.find(job.id) == job
    assert book.adjust(job.id, {"hosts": 3}).wanted == {"hosts": 3}
    book.close()


def test_jobs_are_listed_by_owner_and_each_event_says_whose_its_job_is(book: JobBook) -> None:
    of = {who: [book.submit("sweep", {}, who).id for _ in range(3)] for who in ("ann", "bob")}
    mixed = book.submit("backtest", {}, "ann").id
    assert [job.id for job in book.page(owner="ann")] == [mixed, *of["ann"][::-1]]
    second, third = book.page(owner="bob", limit=2)
    assert [job.id for job in book.page(owner="bob", before=third.number)] == of["bob"][:1]
    assert [second.id, third.id] == of["bob"][:0:-1]
    assert book.page(owner="ann", kind="backtest", state=State.RUNNING) == []
    assert [event.owner for event in book.events()] == ["ann"] * 3 + ["bob"] * 3 + ["ann"]
