"""`/stream/v1` over real WebSockets: who may hear what, resuming without a gap, slow clients, nonsense."""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from nt_ray.trader.event_stream import Channel, News, news

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def told(number: int, channel: Channel = Channel.ORDERS, symbol: str = "AAPL", account: str = "") -> News:
    return news(channel, NOW, {"n": number}, symbol=symbol, account=account)


class Client:
    """A client that keeps what it was told."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.messages: list[dict[str, Any]] = []

    def say(self, **message: Any) -> None:
        self.socket.send(json.dumps(message))

    def until(self, is_there: Callable[[list[dict[str, Any]]], bool], timeout: float = 10.0) -> None:
        deadline = time.monotonic() + timeout
        while not is_there(self.messages):
            self.messages += json.loads(self.socket.recv(timeout=deadline - time.monotonic()))

    def subscribe(self, channels: dict[str, Any], epoch: str = "") -> dict[str, Any]:
        count = len(self.kinds("subscribed"))
        self.say(action="subscribe", channels=channels, epoch=epoch)
        self.until(lambda _: len(self.kinds("subscribed")) > count)
        return self.kinds("subscribed")[-1]

    def kinds(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["type"] == kind]

    def events(self) -> list[dict[str, Any]]:
        return self.kinds("event")

    def close_reason(self) -> tuple[int, str]:
        try:
            while True:
                self.socket.recv(timeout=10.0)
        except ConnectionClosed as closed:
            end = closed.rcvd
        assert end is not None
        return end.code, end.reason


@contextmanager
def client_of(house: Any, who: str | None = "admin", **options: Any) -> Iterator[Client]:
    headers = {} if who is None else {"X-API-Key": house.keys[who]}
    url = house.url.replace("http", "ws") + "/stream/v1"
    with connect(url, additional_headers=headers, compression=None, **options) as socket:
        yield Client(socket)


def test_what_happens_is_heard_by_channel_and_symbol_in_order(house: Any) -> None:
    with client_of(house) as everything, client_of(house) as one:
        begun = everything.subscribe({"orders": {}, "jobs": {}})
        one.subscribe({"orders": {"symbols": ["KO"]}})
        house.source.publish(*(told(n, symbol="KO" if n % 3 == 0 else "AAPL") for n in range(9)), told(9, Channel.JOBS))
        everything.until(lambda _: len(everything.events()) == 10)
        one.until(lambda _: len(one.events()) == 3)
        orders = [e for e in everything.events() if e["channel"] == "orders"]
        assert [e["data"]["n"] for e in orders] == list(range(9))
        first = begun["channels"]["orders"] + 1
        assert [e["seq"] for e in orders] == list(range(first, first + 9))
        assert [e["data"]["n"] for e in one.events()] == [0, 3, 6]
        assert {e["symbol"] for e in one.events()} == {"KO"}


def test_a_rare_symbol_is_heard_at_once_behind_many_events_of_others(house: Any) -> None:
    with client_of(house) as client:
        client.subscribe({"quotes": {"symbols": ["KO"]}})
        others = [told(n, Channel.QUOTES) for n in range(1_800)]
        house.source.publish(*others, told(7, Channel.QUOTES, symbol="KO"))
        client.until(lambda _: bool(client.events()), timeout=3.0)
        assert [e["data"]["n"] for e in client.events()] == [7]


def test_a_client_that_comes_back_misses_nothing_and_hears_nothing_twice(house: Any) -> None:
    with client_of(house) as client:
        begun = client.subscribe({"fills": {}})
        house.source.publish(*(told(n, Channel.FILLS) for n in range(5)))
        client.until(lambda _: len(client.events()) == 5)
        last = client.events()[-1]["seq"]
    house.source.publish(*(told(n, Channel.FILLS) for n in range(5, 12)))
    with client_of(house) as client:
        client.subscribe({"fills": {"after": last}}, begun["epoch"])
        house.source.publish(told(12, Channel.FILLS))
        client.until(lambda _: len(client.events()) == 8)
        assert [e["data"]["n"] for e in client.events()] == list(range(5, 13))
        assert not client.kinds("gap")


def test_a_resume_that_is_too_old_says_how_many_events_are_lost(house: Any) -> None:
    with client_of(house) as client:
        begun = client.subscribe({"bars": {}})
        house.source.publish(*(told(n, Channel.BARS) for n in range(12_000)))
    with client_of(house) as client:
        begin = begun["channels"]["bars"]
        client.subscribe({"bars": {"after": begin}}, begun["epoch"])
        client.until(lambda _: bool(client.events()) and client.events()[-1]["data"]["n"] == 11_999)
        (gap,) = client.kinds("gap")
        assert (gap["reason"], gap["after"]) == ("too_old", begin)
        assert gap["lost"] + len(client.events()) == 12_000
        seqs = [e["seq"] for e in client.events()]
        assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
        # The gap is told before what comes after it.
        kinds = [m["type"] for m in client.messages if m["type"] in ("gap", "event")]
        assert kinds.index("gap") == 0


def test_a_stream_that_began_anew_says_so_and_goes_on(house: Any) -> None:
    with client_of(house) as client:
        begun = client.subscribe({"orders": {}})
        house.source.restart()
        house.source.publish(told(1))
        client.until(lambda _: bool(client.events()))
        (gap,) = client.kinds("gap")
        assert (gap["channel"], gap["reason"], gap["lost"]) == ("orders", "restarted", None)
        assert client.events()[0]["seq"] == 1
    with client_of(house) as client:
        client.subscribe({"orders": {"after": 50}}, begun["epoch"])
        client.until(lambda _: bool(client.events()))
        assert [g["reason"] for g in client.kinds("gap")] == ["restarted"]


def test_a_client_that_does_not_read_is_dropped_with_a_reason_and_holds_up_nobody(house: Any) -> None:
    big = "x" * 2000
    with client_of(house, max_queue=1) as slow, client_of(house) as fast:
        slow.subscribe({"risk": {}})
        fast.subscribe({"risk": {}})
        count = 0
        while count < 12_000:
            house.source.publish(*(news(Channel.RISK, NOW, {"n": n, "pad": big}) for n in range(count, count + 500)))
            count += 500
            fast.until(lambda _, sent=count: len(fast.events()) == sent)
        assert [e["data"]["n"] for e in fast.events()] == list(range(12_000))
        assert slow.close_reason() == (1008, "slow_consumer")


def test_nobody_hears_anything_without_a_credential_that_holds(house: Any) -> None:
    with client_of(house, None) as client:
        client.say(action="subscribe", channels={"orders": {}})
        assert client.close_reason() == (1008, "authenticate first")
    with client_of(house, None) as client:
        client.say(action="authenticate", token="nt_WRONG_" + "a" * 40)
        code, reason = client.close_reason()
        assert code == 1008
        assert reason not in ("", "authenticate first")
    with client_of(house, None) as client:
        client.say(action="authenticate", token=house.keys["reader"])
        client.until(lambda _: bool(client.kinds("authenticated")))
        assert client.messages[0]["user"] == "reader"
        client.subscribe({"orders": {}})


def test_accounts_of_others_are_not_heard(house: Any) -> None:
    name = f"u{uuid.uuid4().hex[:8]}"
    house.gatekeeper.users.add(name, house.gatekeeper.users.get("ann").role, accounts=["mine"])
    house.keys[name] = house.gatekeeper.keys.add(name).text
    with client_of(house, name) as client:
        client.subscribe({"orders": {}})
        house.source.publish(told(1, account="other"), told(2, account="mine"), told(3, account="other"), told(4))
        client.until(lambda _: len(client.events()) == 2)
        assert [e["data"]["n"] for e in client.events()] == [2, 4]


def test_a_channel_that_the_key_does_not_grant_is_refused_and_nothing_of_the_request_followed(house: Any) -> None:
    from nt_ray.access.roles import Scope

    house.keys["narrow"] = house.gatekeeper.keys.add("ann", scopes=[Scope.JOBS_READ]).text
    with client_of(house, "narrow") as client:
        client.say(action="subscribe", channels={"jobs": {}, "orders": {}})
        client.until(lambda _: bool(client.kinds("error")))
        assert client.kinds("error")[0]["code"] == "forbidden"
        assert list(client.subscribe({"jobs": {}})["channels"]) == ["jobs"]


def test_channels_are_left_again(house: Any) -> None:
    with client_of(house) as client:
        client.subscribe({"orders": {}, "jobs": {}})
        client.say(action="unsubscribe", channels=["orders"])
        client.until(lambda _: bool(client.kinds("unsubscribed")))
        house.source.publish(told(1), told(2, Channel.JOBS))
        client.until(lambda _: bool(client.events()))
        assert [e["channel"] for e in client.events()] == ["jobs"]


NONSENSE = st.one_of(
    st.text(max_size=200),
    st.binary(max_size=200),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
        max_leaves=10,
    ).map(json.dumps),
    st.fixed_dictionaries(
        {"action": st.sampled_from(["subscribe", "unsubscribe", "authenticate", "fly"])},
        optional={
            "channels": st.one_of(
                st.lists(st.sampled_from(["orders", "lies"]), max_size=3),
                st.dictionaries(
                    st.sampled_from(["orders", "jobs", "lies"]),
                    st.fixed_dictionaries(
                        {}, optional={"after": st.integers(-5, 2**70), "symbols": st.lists(st.text(max_size=9))}
                    ),
                ),
            ),
            "epoch": st.text(max_size=70),
            "token": st.text(max_size=9),
        },
    ).map(json.dumps),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(NONSENSE, min_size=1, max_size=3))
def test_nonsense_is_answered_or_ends_its_own_connection_with_a_reason(house: Any, said: list[str | bytes]) -> None:
    with client_of(house) as client:
        end = None
        try:
            for one in said:
                client.socket.send(one)
            client.socket.send(json.dumps({"action": "unsubscribe", "channels": ["bars"]}))
            client.until(lambda _: bool(client.kinds("unsubscribed")))
        except ConnectionClosed as closed:
            end = closed.rcvd
            assert end is not None
        assert end is None or (end.code == 1008 and end.reason)


def test_a_message_too_large_ends_the_connection(house: Any) -> None:
    with client_of(house) as client:
        client.socket.send("x" * 70_000)
        assert client.close_reason()[0] == 1009
