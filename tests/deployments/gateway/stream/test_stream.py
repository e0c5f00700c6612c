"""`/stream/v1` over real WebSockets: who may hear what, resuming without a gap, slow clients, nonsense."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed

from deployments.gateway.stream.reading import MOST
from deployments.gateway.stream.subscriptions import MOST_IN_A_FRAME
from nt_ray.trader.event_stream import Channel, News, news

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def told(number: int, channel: Channel = Channel.ORDERS, symbol: str = "AAPL", account: str = "") -> News:
    return news(channel, NOW, {"n": number}, symbol=symbol, account=account)


def test_what_happens_is_heard_by_channel_and_symbol_in_order(house: Any, client_of: Any) -> None:
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


def test_a_rare_symbol_is_heard_at_once_behind_many_events_of_others(house: Any, client_of: Any) -> None:
    with client_of(house) as client:
        client.subscribe({"quotes": {"symbols": ["KO"]}})
        others = [told(n, Channel.QUOTES) for n in range(1_800)]
        house.source.publish(*others, told(7, Channel.QUOTES, symbol="KO"))
        client.until(lambda _: bool(client.events()), timeout=3.0)
        assert [e["data"]["n"] for e in client.events()] == [7]


def test_a_client_that_comes_back_misses_nothing_and_hears_nothing_twice(house: Any, client_of: Any) -> None:
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


def test_a_resume_that_is_too_old_says_how_many_events_are_lost(house: Any, client_of: Any) -> None:
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


def test_a_stream_that_began_anew_says_so_and_goes_on(house: Any, client_of: Any) -> None:
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


def test_a_client_that_does_not_read_is_dropped_with_a_reason_and_holds_up_nobody(house: Any, client_of: Any) -> None:
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


def test_a_client_whose_frames_are_taken_and_who_never_says_that_he_read_is_sent_so_many_and_dropped(
    house: Any, client_of: Any
) -> None:
    """As a proxy does that reads for its client: the frames are taken at once, and nobody has read them."""
    with client_of(house) as taken, client_of(house) as other:
        taken.confirms = False
        taken.subscribe({"risk": {}})
        other.subscribe({"risk": {}})
        for count in range(0, 12_000, 500):
            house.source.publish(*(news(Channel.RISK, NOW, {"n": n}) for n in range(count, count + 500)))
            other.until(lambda _, sent=count + 500: len(other.events()) == sent)
            # Whatever has come by now is taken.
            with suppress(TimeoutError, ConnectionClosed):
                while True:
                    taken.hear(0.02)
        assert taken.close_reason() == (1008, "slow_consumer")
        assert len(taken.events()) < MOST + MOST_IN_A_FRAME
        assert len(taken.kinds("ping")) == 1


def test_a_client_that_comes_back_late_is_not_taken_for_a_slow_one(house: Any, client_of: Any) -> None:
    with client_of(house) as client:
        begun = client.subscribe({"bars": {}})
    house.source.publish(*(told(n, Channel.BARS) for n in range(4_500)))
    with client_of(house) as other:
        other.subscribe({"bars": {"after": begun["channels"]["bars"]}}, begun["epoch"])
        other.until(lambda _: len(other.events()) == 4_500)
    with client_of(house) as client:
        client.confirms = False
        client.subscribe({"bars": {"after": begun["channels"]["bars"]}}, begun["epoch"])
        # More than drops a client lie behind the place where he was; what happens now is little.
        house.source.publish(*(told(n, Channel.BARS) for n in range(4_500, 4_600)))
        client.until(lambda _: len(client.events()) == 4_600)


def test_nobody_hears_anything_without_a_credential_that_holds(house: Any, client_of: Any) -> None:
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


def test_accounts_of_others_are_not_heard(house: Any, client_of: Any) -> None:
    name = house.new_user(accounts=["mine"])
    with client_of(house, name) as client:
        client.subscribe({"orders": {}})
        house.source.publish(told(1, account="other"), told(2, account="mine"), told(3, account="other"), told(4))
        client.until(lambda _: len(client.events()) == 2)
        assert [e["data"]["n"] for e in client.events()] == [2, 4]


def test_a_channel_that_the_key_does_not_grant_is_refused_and_nothing_of_the_request_followed(
    house: Any, client_of: Any
) -> None:
    from nt_ray.access.roles import Scope

    house.keys["narrow"] = house.gatekeeper.keys.add("ann", scopes=[Scope.JOBS_READ]).text
    with client_of(house, "narrow") as client:
        client.say(action="subscribe", channels={"jobs": {}, "orders": {}})
        client.until(lambda _: bool(client.kinds("error")))
        assert client.kinds("error")[0]["code"] == "forbidden"
        assert list(client.subscribe({"jobs": {}})["channels"]) == ["jobs"]


def test_channels_are_left_again(house: Any, client_of: Any) -> None:
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


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(NONSENSE, min_size=1, max_size=3))
def test_nonsense_is_answered_or_ends_its_own_connection_with_a_reason(
    house: Any, client_of: Any, said: list[str | bytes]
) -> None:
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


def test_a_message_too_large_ends_the_connection(house: Any, client_of: Any) -> None:
    with client_of(house) as client:
        client.socket.send("x" * 70_000)
        assert client.close_reason()[0] == 1009
