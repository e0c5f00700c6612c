"""`/api/v1/jobs` over a real connection: submit, list, follow, cancel, keys of requests."""

import json
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from deployments.gateway.platform.paging import cursor_of
from nt_ray.access.roles import Role
from nt_ray.trader.jobs.job import State
from nt_ray.trader.run_folder import create_run_folder
from nt_ray.trader.run_owners import working_for

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
        assert len(seen) == len(set(seen)) == len(house.jobs.book.page(owner="ann"))


@pytest.mark.parametrize("cursor", ["!", "WyJqb2JzIl0", cursor_of("runs", 4), cursor_of("jobs", "x"), "W1tbW1tb"])
def test_a_made_up_cursor_is_refused(house: Any, cursor: str) -> None:
    with house.client("ann") as client:
        problem(client.get(JOBS, params={"cursor": cursor}), 422, "cursor")


def test_only_its_owner_and_admins_cancel_a_job(house: Any) -> None:
    with house.client("ann") as ann, house.client("bob") as bob, house.client("admin") as admin:
        job, other = (ann.post(JOBS, json=BACKTEST).json()["id"] for _ in range(2))
        problem(bob.post(f"{JOBS}/{job}/cancel"), 404, "no_job")
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


def test_a_user_follows_so_many_jobs_at_once_and_is_told_to_come_later(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(house.app.state.seats, "of_user", 1)
    with house.client("ann") as ann, house.client("admin") as admin:
        events = f"{JOBS}/{ann.post(JOBS, json=BACKTEST).json()['id']}/events"
        with ann.stream("GET", events) as followed_by_ann:
            # The connection lasts as long as what reads from it.
            lines = followed_by_ann.iter_lines()
            next(lines)
            refused = ann.get(events)
            assert (refused.status_code, refused.json()["code"]) == (429, "too_many_connections")
            assert int(refused.headers["retry-after"]) > 0
            with admin.stream("GET", events) as another:
                assert another.status_code == 200
        del lines
        assert ann.post(events.replace("/events", "/cancel")).json()["state"] == "cancelled"

        def is_free() -> bool:
            return bool(ann.get(events).status_code == 200)

        deadline = time.monotonic() + 60
        while not is_free():
            assert time.monotonic() < deadline


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


def test_a_job_and_its_run_are_there_for_its_owner_and_admins_and_are_nothing_to_anybody_else(house: Any) -> None:
    runs = Path(house.settings.runs)
    with house.client("ann") as ann, house.client("bob") as bob, house.client("admin") as admin:
        job = ann.post(JOBS, json=BACKTEST).json()["id"]
        with working_for("ann"):
            made = create_run_folder(runs, "backtest-owned", 7)
        free = create_run_folder(runs, "backtest-free", 7)
        for folder in (made, free):
            (folder / "summary.json").write_text('{"sharpe": 1.5}')
        for client in (ann, admin):
            assert client.get(JOBS).json()["jobs"][0]["id"] == job
            assert client.get(f"{JOBS}/{job}").json()["owner"] == "ann"
            assert {made.name, free.name} <= set(client.get("/api/v1/runs").json()["runs"])
            assert client.get(f"/api/v1/runs/{made.name}/files").json()["files"] == [
                {"name": "summary.json", "bytes": 15}
            ]
        own = bob.get(JOBS, params={"limit": 500}).json()["jobs"]
        assert {found["owner"] for found in own} <= {"bob"}
        unknown = "backtest-0123456789abcdef"
        for method, path in (("GET", ""), ("GET", "/events"), ("POST", "/cancel")):
            told = problem(bob.request(method, f"{JOBS}/{job}{path}"), 404, "no_job")
            assert told.replace(job, unknown) == problem(bob.request(method, f"{JOBS}/{unknown}{path}"), 404, "no_job")
        told = problem(bob.get(f"/api/v1/swarms/{job}"), 404, "no_job")
        assert "backtest," not in told
        listed = set(bob.get("/api/v1/runs", params={"limit": 500}).json()["runs"])
        assert free.name in listed
        assert made.name not in listed
        for path in ("", "/files", "/files/summary.json"):
            problem(bob.get(f"/api/v1/runs/{made.name}{path}"), 404, "not_found")
            assert bob.get(f"/api/v1/runs/{free.name}{path}").status_code == 200
        problem(bob.get("/api/v1/journals/paper/entries", params={"run": made.name}), 404, "not_found")


def revoked(house: Any, key: str) -> str:
    house.gatekeeper.keys.revoke(key.removeprefix("nt_").partition("_")[0])
    return "key_revoked"


def demoted(house: Any, _: str) -> str:
    house.gatekeeper.users.change_role("cleo", Role.READ_ONLY)
    house.gatekeeper.users.change_role("cleo", Role.SERVICE)
    return "permissions_changed"


@pytest.mark.parametrize("end", [revoked, demoted])
def test_the_events_of_a_job_end_with_the_credential_that_they_were_asked_for_with(
    house: Any, end: Callable[[Any, str], str]
) -> None:
    if house.gatekeeper.users.find("cleo") is None:
        house.gatekeeper.users.add("cleo", Role.USER)
    house.gatekeeper.users.change_role("cleo", Role.USER)
    key = house.keys["cleo"] = house.gatekeeper.keys.add("cleo").text
    with house.client("ann") as ann, house.client("cleo") as client:
        job = client.post(JOBS, json=BACKTEST).json()["id"]
        other = ann.post(JOBS, json=BACKTEST).json()["id"]
        with client.stream("GET", f"{JOBS}/{job}/events") as answer, ann.stream("GET", f"{JOBS}/{other}/events") as on:
            lines, going = answer.iter_lines(), on.iter_lines()
            assert (next(lines), next(lines)) == ("id: " + str(house.jobs.book.events(job=job)[0].seq), "event: queued")
            code = end(house, key)
            told = list(lines)
            assert told[-3:] == ["event: end", f'data: {{"code": "{code}"}}', ""]
            # Whoever's credential still holds hears on.
            house.jobs.book.cancel(other)
            assert "event: cancelled" in list(going)
        house.jobs.book.cancel(job)
