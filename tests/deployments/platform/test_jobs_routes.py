"""`/api/v1/jobs` over a real connection: submit, list, follow, cancel, keys of requests."""

import json
import threading
import uuid
from typing import Any

import httpx
import pytest

from deployments.gateway.platform.paging import cursor_of
from nt_ray.trader.jobs.job import State

JOBS = "/api/v1/jobs"
BACKTEST = {"kind": "backtest", "strategy": "momentum", "symbols": ["KO", "PEP"], "parameters": {"lookback": 60}}


def problem(answer: httpx.Response, status: int, code: str) -> str:
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    told = answer.json()
    assert (told["status"], told["code"]) == (status, code)
    assert told["detail"]
    return str(told["detail"])


def test_a_job_is_taken_shown_and_its_result_is_told(house: Any) -> None:
    with house.client("ann") as client:
        answer = client.post(JOBS, json=BACKTEST)
        assert answer.status_code == 201
        job = answer.json()
        assert (job["state"], job["owner"], job["spec"]["parameters"]) == ("queued", "ann", {"lookback": 60.0})
        book = house.jobs.book
        attempt = book.begin(job["id"])
        book.progress(job["id"], attempt, 1, 4)
        shown = client.get(f"{JOBS}/{job['id']}").json()
        assert (shown["state"], shown["done"], shown["total"]) == ("running", 1, 4)
        book.succeed(job["id"], attempt, {"run": "r", "summary": {"sharpe": 1.25}})
        shown = client.get(f"{JOBS}/{job['id']}").json()
        assert (shown["state"], shown["result"]["summary"]) == ("succeeded", {"sharpe": 1.25})
        assert shown["ended"] >= shown["started"] >= shown["created"]


@pytest.mark.parametrize(
    "change",
    [{"unknown": 1}, {"strategy": "a/b.py:X"}, {"kind": "theft"}, {"parameters": {"x" * 65: 1}}, {"start": "soon"}],
)
def test_what_does_not_fit_the_schema_is_refused(house: Any, change: dict[str, Any]) -> None:
    with house.client("ann") as client:
        problem(client.post(JOBS, json={**BACKTEST, **change}), 422, "invalid_request")


def test_what_the_platform_does_not_know_is_refused_by_its_own_error(house: Any) -> None:
    with house.client("ann") as client:
        before = len(house.jobs.book.page())
        told = problem(client.post(JOBS, json={**BACKTEST, "strategy": "momentun"}), 422, "strategy")
        assert "momentum" in told
        assert len(house.jobs.book.page()) == before


def test_the_same_request_under_a_key_is_done_once(house: Any) -> None:
    key = {"Idempotency-Key": f"k-{uuid.uuid4()}"}
    with house.client("ann") as client, house.client("bob") as other:
        first = client.post(JOBS, json=BACKTEST, headers=key)
        again = client.post(JOBS, json=BACKTEST, headers=key)
        assert (again.status_code, again.content) == (201, first.content)
        assert again.headers["idempotent-replayed"] == "true"
        problem(client.post(JOBS, json={**BACKTEST, "seed": 8}, headers=key), 409, "idempotency_conflict")
        assert other.post(JOBS, json=BACKTEST, headers=key).json()["id"] != first.json()["id"]
        problem(client.post(JOBS, json=BACKTEST, headers={"Idempotency-Key": "a b"}), 422, "invalid_request")


def test_a_refused_request_leaves_its_key_free(house: Any) -> None:
    key = {"Idempotency-Key": f"k-{uuid.uuid4()}"}
    with house.client("ann") as client:
        problem(client.post(JOBS, json={**BACKTEST, "strategy": "momentun"}, headers=key), 422, "strategy")
        assert client.post(JOBS, json=BACKTEST, headers=key).status_code == 201


def test_pages_hold_every_job_once_from_the_newest_on(house: Any) -> None:
    with house.client("ann") as client:
        mine = [client.post(JOBS, json=BACKTEST).json()["id"] for _ in range(5)]
        seen: list[str] = []
        cursor: str | None = None
        while True:
            page = client.get(JOBS, params={"limit": 2, **({} if cursor is None else {"cursor": cursor})}).json()
            seen += [job["id"] for job in page["jobs"]]
            cursor = page["next"]
            if cursor is None:
                break
        assert seen[:5] == mine[::-1]
        assert len(seen) == len(set(seen)) == len(house.jobs.book.page())


@pytest.mark.parametrize("cursor", ["!", "WyJqb2JzIl0", cursor_of("runs", 4), cursor_of("jobs", "x"), "W1tbW1tb"])
def test_a_made_up_cursor_is_refused(house: Any, cursor: str) -> None:
    with house.client("ann") as client:
        problem(client.get(JOBS, params={"cursor": cursor}), 422, "cursor")


def test_only_its_owner_and_admins_cancel_a_job(house: Any) -> None:
    with house.client("ann") as ann, house.client("bob") as bob, house.client("admin") as admin:
        job, other = (ann.post(JOBS, json=BACKTEST).json()["id"] for _ in range(2))
        problem(bob.post(f"{JOBS}/{job}/cancel"), 403, "forbidden")
        assert ann.post(f"{JOBS}/{job}/cancel").json()["state"] == "cancelled"
        assert ann.post(f"{JOBS}/{job}/cancel").json()["state"] == "cancelled"
        assert admin.post(f"{JOBS}/{other}/cancel").json()["state"] == "cancelled"


def test_unknown_jobs_are_not_there(house: Any) -> None:
    with house.client("ann") as client:
        for path in ("", "/events"):
            problem(client.get(f"{JOBS}/backtest-0123456789abcdef{path}"), 404, "no_job")
        problem(client.get(f"{JOBS}/nonsense"), 422, "invalid_request")


def followed(answer: httpx.Response) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    event: dict[str, Any] = {}
    for line in answer.iter_lines():
        name, _, value = line.partition(": ")
        if name == "id":
            event["id"] = int(value)
        elif name == "data":
            event |= json.loads(value)
        elif not line and event:
            found.append(event)
            event = {}
    return found


def test_events_of_a_job_come_as_they_happen_and_go_on_after_the_last_one_seen(house: Any) -> None:
    book = house.jobs.book
    with house.client("ann") as client:
        job = client.post(JOBS, json=BACKTEST).json()["id"]
        attempt = book.begin(job)

        def work() -> None:
            for done in range(1, 4):
                book.progress(job, attempt, done, 3)
            book.succeed(job, attempt, {})

        timer = threading.Timer(0.1, work)
        with client.stream("GET", f"{JOBS}/{job}/events") as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            timer.start()
            events = followed(answer)
        timer.join()
        assert [e["kind"] for e in events] == ["queued", "running", "progress", "progress", "progress", "succeeded"]
        ids = [e["id"] for e in events]
        assert ids == sorted(set(ids))
        with client.stream("GET", f"{JOBS}/{job}/events", headers={"Last-Event-ID": str(ids[3])}) as answer:
            assert [e["id"] for e in followed(answer)] == ids[4:]


def test_what_has_not_changed_is_not_sent_again(house: Any) -> None:
    with house.client("ann") as client:
        job = client.post(JOBS, json=BACKTEST).json()["id"]
        first = client.get(f"{JOBS}/{job}")
        tag = first.headers["etag"]
        same = client.get(f"{JOBS}/{job}", headers={"If-None-Match": f'"other", {tag}'})
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
        client.post(f"{JOBS}/{job}/cancel")
        changed = client.get(f"{JOBS}/{job}", headers={"If-None-Match": tag})
        assert (changed.status_code, changed.json()["state"]) == (200, State.CANCELLED)
