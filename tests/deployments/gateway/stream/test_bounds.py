"""What no client can do: take all seats, talk without end, hold others up by not reading, or break the door."""

import json
import socket as sockets
import time
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
from websockets.exceptions import ConnectionClosed

from nt_ray.trader.event_stream import Channel, news

NOW = datetime(2026, 1, 2, tzinfo=UTC)
OF_ADDRESS, OF_USER = 40, 6


def settled(is_so: Any) -> None:
    deadline = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_user_has_so_many_connections_at_once_by_whichever_key_and_others_theirs(house: Any, client_of: Any) -> None:
    name = house.new_user()
    second = house.gatekeeper.keys.add(name).text
    with ExitStack() as stack:
        clients = [stack.enter_context(client_of(house, name)) for _ in range(OF_USER)]
        for client in clients:
            client.subscribe({"orders": {}})
        with client_of(house, None) as more:
            more.say(action="authenticate", token=second)
            assert more.close_reason() == (1013, "too_many_connections")
        with client_of(house, "ann") as another:
            another.subscribe({"orders": {}})
        clients[0].socket.close()

        def is_free() -> bool:
            with client_of(house, name) as again:
                try:
                    again.subscribe({"orders": {}})
                except ConnectionClosed:
                    return False
                return True

        settled(is_free)


def test_an_address_has_so_many_connections_whoever_they_are(house: Any, client_of: Any) -> None:
    with ExitStack() as stack:
        strangers = [stack.enter_context(client_of(house, None)) for _ in range(OF_ADDRESS)]
        with client_of(house) as more:
            assert more.close_reason() == (1013, "too_many_connections")
        assert len(strangers) == OF_ADDRESS


def test_whoever_talks_without_end_is_ended_and_nobody_else_notices(house: Any, client_of: Any) -> None:
    with client_of(house) as calm, client_of(house, "ann") as loud:
        calm.subscribe({"orders": {}})
        with suppress(ConnectionClosed):
            for _ in range(3_000):
                loud.say(action="subscribe", channels={"orders": {"after": 0}})
        assert loud.close_reason() == (1008, "too_many_messages")
        house.source.publish(news(Channel.ORDERS, NOW, {"n": 1}))
        calm.until(lambda _: bool(calm.events()))


@pytest.mark.parametrize(
    "frame",
    [
        b"\x00\xff" * 500,
        "[" * 60_000,
        '{"action":' + '{"a":' * 5_000 + "1" + "}" * 5_000 + "}",
        json.dumps({"action": "subscribe", "channels": {"orders": {"symbols": ["AAPL"] * 1_001}}}),
        json.dumps({"action": "subscribe", "channels": {"orders": {"after": 1e400}}}),
        json.dumps({"action": "subscribe", "channels": {"orders": {"after": 2**63}}}),
        json.dumps({"action": ["subscribe"], "channels": None}),
        '"\\ud800"',
        "",
    ],
    ids=["binary", "open brackets", "deep", "many symbols", "infinite", "too far", "wrong types", "surrogate", "empty"],
)
def test_nonsense_ends_its_own_connection_with_a_reason(house: Any, client_of: Any, frame: str | bytes) -> None:
    with client_of(house) as client:
        client.socket.send(frame)
        code, reason = client.close_reason()
        assert code == 1008
        assert reason.startswith("invalid_message")
    with client_of(house) as another:
        another.subscribe({"orders": {}})


def test_pings_without_number_are_answered_and_broken_frames_end_one_connection(house: Any, client_of: Any) -> None:
    with client_of(house) as client:
        pongs = [client.socket.ping() for _ in range(1_000)]
        client.subscribe({"orders": {}})
        assert all(pong.wait(10) for pong in pongs)
    for broken in (
        b"\x83\x80\x00\x00\x00\x00",
        b"\x81\xff" + b"\xff" * 8 + b"\x00" * 4,
        b"\x81\x05hello",
        b"GET / \r\n",
    ):
        with client_of(house) as client:
            client.socket.socket.sendall(broken)
            with pytest.raises(ConnectionClosed):
                client.until(lambda _: False)
    with client_of(house) as client:
        client.subscribe({"orders": {}})


def test_whoever_does_not_read_a_quiet_stream_is_ended_too(house: Any, client_of: Any) -> None:
    """A client that never reads, far fewer events behind than would drop it."""
    port = urlsplit(house.url).port
    key = house.keys["ann"]
    with sockets.create_connection(("127.0.0.1", port)) as raw:
        ask = "GET /stream/v1 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        ask += f"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\nX-API-Key: {key}\r\n\r\n"
        raw.sendall(ask.encode())
        assert b"101 Switching" in raw.recv(4096)
        said = json.dumps({"action": "subscribe", "channels": {"risk": {}}}).encode()
        raw.sendall(bytes([0x81, 0x80 | len(said)]) + b"\0\0\0\0" + said)
        with client_of(house) as other:
            other.subscribe({"risk": {}})
            time.sleep(0.1)
            for count in range(30, 301, 30):
                house.source.publish(*(news(Channel.RISK, NOW, {"pad": "x" * 50_000}) for _ in range(30)))
                other.until(lambda _, count=count: len(other.events()) == count)
        # Longer than a frame may take.
        time.sleep(0.7)
        raw.settimeout(10)
        heard, end = 0, b""
        while b"slow_consumer" not in end:
            chunk = raw.recv(1 << 16)
            assert chunk, "it was cut off without a word"
            heard, end = heard + len(chunk), (end + chunk)[-200:]
        # What lay in the buffers, and no more.
        assert heard < 300 * 50_000


def test_symbols_and_accounts_that_need_care_in_json_arrive_as_they_are(house: Any, client_of: Any) -> None:
    with client_of(house) as client:
        client.subscribe({"bars": {}})
        odd = "O'\"B\\\u2028\n"
        house.source.publish(news(Channel.BARS, NOW, {"close": odd}, symbol=odd, account=odd))
        client.until(lambda _: bool(client.events()))
        (event,) = client.events()
        assert (event["symbol"], event["account"], event["data"]["close"]) == (odd, odd, odd)
