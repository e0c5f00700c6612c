"""Idempotency keys over the whole gateway, and over an application that hangs, fails and dies."""

import asyncio
import threading
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from deployments.gateway.middleware.idempotency import Idempotency
from deployments.gateway.names import next_name
from nt_ray.access.roles import Principal, Role
from nt_ray.access.roles import Scope as Right
from nt_ray.errors import ServiceError
from nt_ray.trader.jobs.answers import Answer, Claim
from nt_ray.trader.jobs.book import JobBook
from nt_ray.trader.jobs.job import KeyBusyError, KeyConflictError

ORDER = {"symbol": "AAPL", "side": "buy", "type": "limit", "time_in_force": "gtc", "qty": "1", "limit_price": "85"}


def key() -> dict[str, str]:
    return {"Idempotency-Key": f"k-{uuid.uuid4()}"}


def code(answer: httpx.Response, status: int) -> Any:
    assert answer.status_code == status, answer.text
    return answer.json()["code"]


def test_an_order_without_a_client_id_is_sent_once_under_its_key(house: Any) -> None:
    named = {**key(), "NT-Account": "paper"}
    before = len(house.account.orders())
    with house.client("ann") as client:
        first = client.post("/v2/orders", json=ORDER, headers=named)
        again = client.post("/v2/orders", json=ORDER, headers=named)
        assert (first.status_code, again.content) == (200, first.content)
        assert again.headers["idempotent-replayed"] == "true"
        assert len(house.account.orders()) == before + 1
        assert code(client.post("/v2/orders", json={**ORDER, "qty": "2"}, headers=named), 409)
        gone = {**key(), "NT-Account": "paper"}
        place = f"/v2/orders/{first.json()['id']}"
        assert client.delete(place, headers=gone).status_code == 204
        # The venue says in its own time that it is cancelled.
        house.account.sync()
        # Without its key the second one is refused: the order is not open any more.
        assert (client.delete(place, headers=gone).status_code, client.delete(place, headers=named).status_code) == (
            204,
            422,
        )


def test_the_query_and_the_account_are_part_of_the_request(new_house: Any, tmp_path: Path) -> None:
    named = {**key(), "NT-Account": "paper"}
    # It sells what others find in the shared house.
    with new_house(tmp_path) as own, own.client("ann") as client:
        assert client.delete("/v2/positions?cancel_orders=false", headers=named).status_code == 207
        assert code(client.delete("/v2/positions?cancel_orders=true", headers=named), 409)


def test_a_credential_with_fewer_rights_is_not_shown_what_another_was_answered(house: Any) -> None:
    same = key()
    house.keys["narrow"] = house.gatekeeper.keys.add("ann", scopes=[Right.JOBS_READ]).text
    body = {"kind": "backtest", "strategy": "momentum"}
    with house.client("ann") as ann, house.client("narrow") as narrow:
        assert ann.post("/api/v1/jobs", json=body, headers=same).status_code == 201
        assert code(narrow.post("/api/v1/jobs", json=body, headers=same), 403) == "forbidden"


def test_an_answer_with_tokens_is_never_kept(house: Any) -> None:
    house.gatekeeper.users.add("dora", Role.USER, password="a long password of dora")
    form = {"grant_type": "password", "username": "dora", "password": "a long password of dora"}
    same = key()
    with house.client("ann") as client:
        first = client.post("/api/v1/auth/token", data=form, headers=same)
        again = client.post("/api/v1/auth/token", data=form, headers=same)
        assert first.status_code == 200
        assert "idempotent-replayed" not in again.headers
    stored = b"".join(path.read_bytes() for path in house.jobs.folder.glob("jobs.sqlite*"))
    assert first.json()["access_token"].encode() not in stored


def test_the_same_key_at_once_is_done_once(house: Any) -> None:
    same, statuses = key(), []
    before = len(house.jobs.book.page())

    def post() -> None:
        with house.client("ann") as client:
            statuses.append(
                client.post("/api/v1/jobs", json={"kind": "backtest", "strategy": "momentum"}, headers=same).status_code
            )

    threads = [threading.Thread(target=post) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(statuses) <= {201, 409}
    assert 201 in statuses
    assert len(house.jobs.book.page()) == before + 1


@pytest.mark.parametrize("wrong", ["", "a b", "x" * 129, "a\u00e9"])
def test_what_is_no_key_is_refused(house: Any, wrong: str) -> None:
    with house.client("ann") as client:
        headers = {"Idempotency-Key": wrong.encode("latin-1")}
        assert code(client.post("/api/v1/jobs", json={}, headers=headers), 422) == "invalid_request"


class Book:
    """Answers of a book; `fails` stands for a keeper that is away."""

    def __init__(self, folder: Path) -> None:
        self.book = JobBook(folder / "jobs.sqlite")
        self.fails = False

    async def claim(self, *place: str) -> Answer | Claim:
        return self.book.answers.claim(*place)

    async def keep(self, owner: str, operation: str, key: str, claim: Claim, answer: Answer) -> None:
        if self.fails:
            raise ServiceError("The keeper is away. Ask again.")
        self.book.answers.keep(owner, operation, key, claim, answer)

    async def release(self, owner: str, operation: str, key: str, claim: Claim) -> None:
        self.book.answers.release(owner, operation, key, claim)


@pytest.fixture
def book(tmp_path: Path) -> Any:
    made = Book(tmp_path)
    yield made
    made.book.close()


Work = Callable[[], Any]


def gateway(book: Book, work: Work) -> Idempotency:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        text = await work()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": text})

    return Idempotency(app, book)


async def ask(wrapped: Idempotency, body: bytes = b"{}", name: str = "one") -> bytes:
    principal = Principal(id="ann", role=Role.USER, credential="c")
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/things",
        "query_string": b"",
        "headers": [(b"idempotency-key", name.encode())],
        "state": {"principal": principal},
    }
    found: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        found.append(message)

    await wrapped(scope, receive, send)
    return bytes(found[-1]["body"])


def test_work_whose_caller_hangs_up_goes_on_and_its_answer_waits_for_him(book: Book) -> None:
    async def main() -> None:
        begun, goes_on, done = asyncio.Event(), asyncio.Event(), []

        async def work() -> bytes:
            begun.set()
            await goes_on.wait()
            done.append(next_name())
            return b'"done"'

        wrapped = gateway(book, work)
        caller = asyncio.create_task(ask(wrapped))
        await begun.wait()
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        with pytest.raises(KeyBusyError):
            await ask(wrapped)
        goes_on.set()
        while not done:
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert await ask(wrapped) == b'"done"'
        assert len(done) == 1
        with pytest.raises(KeyConflictError):
            await ask(wrapped, b'{"another": 1}')

    asyncio.run(main())


def test_work_that_fails_leaves_its_key_free(book: Book) -> None:
    outcomes: list[Any] = [RuntimeError("broken"), b'"mended"']

    async def work() -> bytes:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return bytes(outcome)

    wrapped = gateway(book, work)
    with pytest.raises(RuntimeError, match="broken"):
        asyncio.run(ask(wrapped))
    assert asyncio.run(ask(wrapped, b'{"another": 1}')) == b'"mended"'


def test_after_a_death_between_claim_and_answer_the_same_names_are_made_again(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    names: list[str] = []

    async def work() -> bytes:
        names.append(next_name())
        return b"1"

    wrapped = gateway(book, work)
    # The answer of the first is never written down, as where the process dies after the work.
    book.fails = True
    assert asyncio.run(ask(wrapped)) == b"1"
    book.fails = False
    with pytest.raises(KeyBusyError):
        asyncio.run(ask(wrapped))
    monkeypatch.setattr("nt_ray.trader.jobs.answers.PATIENCE", timedelta(0))
    assert asyncio.run(ask(wrapped)) == b"1"
    assert asyncio.run(ask(wrapped, name="two")) == b"1"
    assert names[0] == names[1] != names[2]
