"""The stream of orders: Alpaca's own client hears its trades; other frames, wrong keys, nonsense and slow readers."""

import asyncio
import json
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import msgpack
import pytest
from alpaca.trading.stream import TradingStream
from ray._private.worker import global_worker
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from deployments.gateway.alpaca import followers
from deployments.gateway.alpaca.followers import Followers, GapError, Listener, TooSlowError
from nt_ray.access.roles import Scope
from nt_ray.errors import ServiceError
from nt_ray.trader.history import Changes

WITHIN_S = 60.0
MARKET = {"symbol": "AAPL", "qty": "2", "side": "buy", "type": "market", "time_in_force": "day"}
REST = MARKET | {"type": "limit", "limit_price": "60"}


def until(is_so: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + WITHIN_S
    while not (found := is_so()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found


@contextmanager
def opened(desk: Any, pair: tuple[str, str] | None = None, **headers: str) -> Iterator[ClientConnection]:
    key, secret = pair or (desk.key, desk.secret)
    with connect("ws" + desk.url.removeprefix("http") + "/stream", additional_headers=headers or None) as socket:
        message = {"action": "auth", "key": key, "secret": secret}
        socket.send(msgpack.packb(message) if headers else json.dumps(message))
        yield socket


def listen(socket: ClientConnection) -> None:
    socket.send(json.dumps({"action": "listen", "data": {"streams": ["trade_updates"]}}))
    assert json.loads(socket.recv(WITHIN_S))["stream"] == "listening"


def test_who_listens_is_told_that_the_replica_ends(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(desk) as socket:
        socket.recv(WITHIN_S)
        listen(socket)
        ends = SimpleNamespace(_replica_impl=SimpleNamespace(_shutting_down=True))
        monkeypatch.setattr(global_worker, "actors", {"mine": ends})
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(WITHIN_S)
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1012, "replica_ends")


def test_the_official_client_hears_its_order_come_work_and_fill(desk: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stream = TradingStream(desk.key, desk.secret, url_override="ws" + desk.url.removeprefix("http") + "/stream")
    heard: list[Any] = []

    async def handler(update: Any) -> None:
        heard.append(update)

    stream.subscribe_trade_updates(handler)

    def run() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            asyncio.run(stream._run_forever())

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    until(lambda: stream._running)
    with desk.client() as http:
        until(lambda: http.post("/v2/orders", json=REST).status_code == 200 and heard)
        heard.clear()
        sent = http.post("/v2/orders", json=MARKET | {"client_order_id": "told"}).json()
    mine = until(lambda: (m := [u for u in heard if u.order.client_order_id == "told"]) and m[-1].event == "fill" and m)
    # The connection breaks; the client comes again by itself and hears what is new.
    stream._reconnect_min_backoff = stream._reconnect_max_backoff = 0.01
    asyncio.run_coroutine_threadsafe(stream._ws.close(), stream._loop).result()
    heard.clear()
    with desk.client() as http:
        until(lambda: http.post("/v2/orders", json=REST).status_code == 200 and heard)
    asyncio.run_coroutine_threadsafe(stream.stop_ws(), stream._loop).result()
    with desk.client() as http:
        # It looks whether it should stop after the next message.
        http.post("/v2/orders", json=REST)
    thread.join(WITHIN_S)
    assert [u.event for u in mine] == ["pending_new", "new", "fill"]
    last = mine[-1]
    assert (last.price, last.qty, last.position_qty, str(last.order.id)) == (100.0, 2.0, 2.0, sent["id"])
    assert last.execution_id is not None
    assert last.order.filled_qty == "2"


def test_two_listeners_hear_the_same_and_a_third_account_hears_nothing_of_it(desk: Any) -> None:
    with opened(desk) as one, opened(desk) as two, desk.client() as http:
        for socket in (one, two):
            assert json.loads(socket.recv(WITHIN_S))["data"]["status"] == "authorized"
            listen(socket)
        order = http.post("/v2/orders", json=REST).json()
        http.delete(f"/v2/orders/{order['id']}")
        events = [[json.loads(socket.recv(WITHIN_S))["data"]["event"] for _ in range(4)] for socket in (one, two)]
    assert events == [["pending_new", "new", "pending_cancel", "canceled"]] * 2
    elsewhere = desk.new_key(accounts=frozenset({"other"}))
    with opened(desk, elsewhere) as socket:
        assert json.loads(socket.recv(WITHIN_S))["data"]["status"] == "authorized"
        socket.send(json.dumps({"action": "listen", "data": {"streams": ["trade_updates"]}}))
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(WITHIN_S)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1013


def test_messagepack_and_binary_json_are_answered_in_kind(shared_desk: Any) -> None:
    with opened(shared_desk, **{"Content-Type": "application/msgpack"}) as socket, shared_desk.client() as http:
        assert msgpack.unpackb(socket.recv(WITHIN_S))["data"]["status"] == "authorized"
        socket.send(msgpack.packb({"action": "listen", "data": {"streams": ["trade_updates"]}}))
        assert msgpack.unpackb(socket.recv(WITHIN_S))["data"] == {"streams": ["trade_updates"]}
        http.post("/v2/orders", json=REST)
        assert msgpack.unpackb(socket.recv(WITHIN_S))["data"]["order"]["symbol"] == "AAPL"
    with connect("ws" + shared_desk.url.removeprefix("http") + "/stream") as socket:
        data = {"key_id": shared_desk.key, "secret_key": shared_desk.secret}
        socket.send(json.dumps({"action": "authenticate", "data": data}).encode())
        answer = socket.recv(WITHIN_S)
        assert isinstance(answer, bytes)
        assert json.loads(answer)["data"] == {"status": "authorized", "action": "authenticate"}


def test_a_wrong_key_and_one_without_the_scope_are_not_let_in(shared_desk: Any) -> None:
    without_trading = shared_desk.new_key(scopes=frozenset({Scope.RUNS_READ}), accounts=frozenset({"paper"}))
    for pair in ((shared_desk.key, "wrong"), without_trading):
        with opened(shared_desk, pair) as socket:
            told = json.loads(socket.recv(WITHIN_S))
            assert (told["stream"], told["data"]["status"]) == ("authorization", "unauthorized")
            assert "wrong" not in json.dumps(told)


@pytest.mark.parametrize("message", ["{", "[]", '"text"', b"\xff\xfe", "[" * 60_000, "x" * 70_000])
def test_nonsense_ends_the_connection_with_a_reason_and_the_gateway_goes_on(
    shared_desk: Any, message: str | bytes
) -> None:
    with opened(shared_desk) as socket:
        socket.recv(WITHIN_S)
        socket.send(message)
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(WITHIN_S)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code in (1008, 1009)
    assert closed.value.rcvd.reason
    with opened(shared_desk) as socket:
        assert json.loads(socket.recv(WITHIN_S))["data"]["status"] == "authorized"


def test_who_does_not_log_in_is_sent_away(shared_desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deployments.gateway.alpaca.stream.LOG_IN_S", 0.05)
    with (
        connect("ws" + shared_desk.url.removeprefix("http") + "/stream") as socket,
        pytest.raises(ConnectionClosed) as closed,
    ):
        socket.recv(WITHIN_S)
    assert closed.value.rcvd is not None
    assert "log-in" in closed.value.rcvd.reason


def test_a_listener_that_does_not_keep_up_gets_what_had_room_then_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(followers, "ROOM", 2)
    listener = Listener()
    assert [listener.tell({"n": n}) for n in range(3)] == [True, True, False]

    async def read() -> list[Any]:
        return [await listener.next(), await listener.next()]

    assert asyncio.run(read()) == [{"n": 0}, {"n": 1}]
    with pytest.raises(TooSlowError):
        asyncio.run(listener.next())


def test_a_key_that_is_revoked_hears_no_more(shared_desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deployments.gateway.alpaca.stream.LOOK_S", 0.05)
    pair = shared_desk.new_key(accounts=frozenset({"paper"}))
    with opened(shared_desk, pair) as socket:
        assert json.loads(socket.recv(WITHIN_S))["data"]["status"] == "authorized"
        listen(socket)
        shared_desk.gatekeeper.keys.revoke(pair[0])
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(WITHIN_S)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008


def test_who_stops_to_listen_hears_nothing_and_may_listen_again(shared_desk: Any) -> None:
    with opened(shared_desk) as socket, shared_desk.client() as http:
        socket.recv(WITHIN_S)
        for round_ in range(2):
            listen(socket)
            http.post("/v2/orders", json=REST | {"client_order_id": f"heard-{round_}"})
            told = [json.loads(socket.recv(WITHIN_S))["data"] for _ in range(2)]
            assert [(t["event"], t["order"]["client_order_id"]) for t in told] == [
                ("pending_new", f"heard-{round_}"), ("new", f"heard-{round_}")
            ]  # fmt: skip
            assert len({t["execution_id"] for t in told}) == 2
            socket.send(json.dumps({"action": "listen", "data": {"streams": []}}))
            assert json.loads(socket.recv(WITHIN_S)) == {"stream": "listening", "data": {"streams": []}}
            http.post("/v2/orders", json=REST)


class Answers:
    """An account whose changes are these answers, one after the other; the last one takes for ever."""

    name = "paper"

    def __init__(self, *answers: Any) -> None:
        self.answers = [*answers]

    def account(self, _: str) -> Any:
        return self

    async def changes(self, after: int, _: float) -> Changes:
        if after < 0:
            return Changes((), 7)
        if not self.answers:
            await asyncio.Event().wait()
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.mark.parametrize("answer", [Changes((), 9, lost=2), ValueError("what nobody expected")])
def test_listeners_are_told_of_a_gap_and_of_a_fault_and_the_next_one_is_served(
    answer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def hear() -> int:
        following = Followers(Answers(answer))  # type: ignore[arg-type]
        async with following.listening("paper") as one, following.listening("paper") as two:
            for listener in (one, two):
                with pytest.raises(GapError, match="Connect again"):
                    await asyncio.wait_for(listener.next(), WITHIN_S)
            async with following.listening("paper"):
                # The old ones leave, and the new one is followed on.
                pass
        return following.count

    assert asyncio.run(hear()) == 0
    assert caplog.records


def test_an_account_that_is_away_for_a_while_is_followed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(followers, "PAUSE_S", 0.0)
    accounts = Answers(ServiceError("away"), ServiceError("away"), Changes((), 9, lost=1))

    async def hear() -> None:
        async with Followers(accounts).listening("paper") as listener:  # type: ignore[arg-type]
            await asyncio.wait_for(listener.next(), WITHIN_S)

    with pytest.raises(GapError):
        asyncio.run(hear())
    assert accounts.answers == []


def test_nothing_is_asked_of_an_account_once_nobody_listens(shared_desk: Any) -> None:
    async def come_and_go() -> tuple[int, int]:
        following = Followers(shared_desk.backend.accounts)
        async with following.listening("paper"), following.listening("paper"):
            while_heard = following.count
        return while_heard, following.count

    assert asyncio.run(come_and_go()) == (1, 0)
