"""The adapter against the simulated venue: refusals before sending, errors, states, and what is never shown."""

import logging
import socket
import traceback
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from nt_ray.brokers.alpaca.access import AlpacaAccess
from nt_ray.brokers.alpaca.broker import AlpacaBroker
from nt_ray.brokers.alpaca.data import AlpacaData
from nt_ray.brokers.alpaca.links import Leg, head_of, leg_id
from nt_ray.brokers.alpaca.refusals import ClockSkewError, RefusedError, VenueRefusedError
from nt_ray.brokers.alpaca.simulator.simulator import AlpacaSimulator
from nt_ray.brokers.alpaca.transport import Patience
from nt_ray.brokers.base import (
    AmbiguousError,
    AuthenticationError,
    NotSentError,
    OrderRejectedError,
    RateLimitedError,
    VenueDownError,
)
from nt_ray.brokers.custody import ActivityKind
from nt_ray.errors import BadInputError, MarketDataError
from nt_ray.trading.orders import OrderRequest, OrderStatus, OrderType, Side, TimeInForce

Connect = Callable[..., AlpacaBroker]
DAY, GTC = TimeInForce.DAY, TimeInForce.GTC


def order(client_order_id: str = "a", quantity: str = "10", **changes: Any) -> OrderRequest:
    values: dict[str, Any] = {"symbol": "AAPL", "side": Side.BUY, "strategy": "t", "time_in_force": GTC}
    return OrderRequest(client_order_id, quantity=Decimal(quantity), **(values | changes))


def limit(price: str, **changes: Any) -> dict[str, Any]:
    return {"type": OrderType.LIMIT, "limit_price": Decimal(price), **changes}


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (order(symbol="NOPE"), ["'NOPE'", "Check the ticker"]),
        (order(symbol="BRK/../account"), ["'BRK/../account'", "Check the ticker"]),
        (order(symbol="LUMP", quantity="1.5", time_in_force=DAY), ["1.5", "whole shares"]),
        (order(symbol="LUMP", quantity="0", notional=Decimal(50), time_in_force=DAY), ["50", "whole shares"]),
        (order(symbol="GONE"), ["GONE is not tradable"]),
        (order(quantity="1.0000000001", time_in_force=DAY), ["1.0000000001", "9 decimals"]),
        (order(quantity="1.5"), ["1.5", "day order"]),
        (order(**limit("95.005")), ["95.005", "2 decimals"]),
        (order(**limit("0.50505")), ["0.50505", "4 decimals"]),
        (order(time_in_force=TimeInForce.GTD, expire_at=datetime(2030, 1, 1, tzinfo=UTC)), ["gtd", "day or gtc"]),
        (order(**limit("95", post_only=True)), ["post_only"]),
        (order(reduce_only=True), ["reduce_only"]),
        (order(**limit("95", extended_hours=True)), ["gtc", "extended hours", "day"]),
        (order(parent="b"), ["Send them together"]),
    ],
)
def test_what_alpaca_cannot_do_is_refused_and_not_sent(
    simulator: AlpacaSimulator, broker: AlpacaBroker, request_: OrderRequest, words: list[str]
) -> None:
    simulator.control("/simulator/asset", symbol="LUMP", fractionable=False)
    simulator.control("/simulator/asset", symbol="GONE", tradable=False)
    simulator.fault("drop_before", method="POST", path="/v2/*")
    with pytest.raises(RefusedError) as refused:
        broker.submit_order(request_)
    assert all(word in str(refused.value) for word in words)
    assert simulator.orders() == []


def test_the_longest_name_that_a_request_may_have_is_the_longest_that_alpaca_takes(broker: AlpacaBroker) -> None:
    name = "x" * broker.capabilities().longest_client_id
    broker.submit_order(order(name, **limit("95")))
    assert [o.client_order_id for o in broker.open_orders()] == [name]


def test_a_name_that_is_too_long_is_no_request() -> None:
    with pytest.raises(BadInputError, match="1 to 128"):
        order("x" * 129)


@pytest.mark.parametrize(
    ("request_", "code"),
    [(order(quantity="100000"), 40310000), (order(quantity="0.5", side=Side.SELL, time_in_force=DAY), 42210000)],
)
def test_a_no_of_the_venue_keeps_its_code_and_message(
    simulator: AlpacaSimulator, broker: AlpacaBroker, request_: OrderRequest, code: int
) -> None:
    with pytest.raises(VenueRefusedError) as refused:
        broker.submit_order(request_)
    said = refused.value.verdict
    assert said.code == code
    assert said.message in str(refused.value)
    assert simulator.orders() == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"names": ("in", "up", "in.sl")}, "Name it in.tp"),
        ({"names": ("in.tp", "in.tp.tp", "in.tp.sl")}, "named like a leg"),
        ({"group": ""}, "one oco_group"),
        ({"parent": "other"}, "another parent"),
        ({"exit": Side.BUY}, "differs in symbol, side"),
        ({"tif": TimeInForce.IOC, "kind": OrderType.LIMIT}, "day or gtc"),
        ({"quantity": "1.5", "tif": DAY}, "whole shares"),
    ],
)
def test_links_that_alpaca_has_not_are_refused(
    simulator: AlpacaSimulator, broker: AlpacaBroker, changes: dict[str, Any], reason: str
) -> None:
    names = changes.get("names", ("in", "in.tp", "in.sl"))
    tif = changes.get("tif", GTC)
    quantity = changes.get("quantity", "10")
    links = {"parent": changes.get("parent", names[0]), "oco_group": changes.get("group", "x")}
    exits: dict[str, Any] = {
        "side": changes.get("exit", Side.SELL),
        "time_in_force": GTC if tif is TimeInForce.IOC else tif,
    }
    stop = {"type": OrderType.STOP, "stop_price": Decimal(90)}
    requests = [
        order(names[0], quantity, **limit("95", time_in_force=tif)),
        order(names[1], quantity, **limit("110", **exits, **links)),
        order(names[2], quantity, **exits, **links, **stop),
    ]
    with pytest.raises(RefusedError, match=reason):
        broker.submit_linked(requests)
    assert simulator.orders() == []


def test_names_lead_to_legs() -> None:
    for leg in Leg:
        assert head_of(leg_id("a.b", leg)) == ("a.b", leg)
    assert [head_of(name) for name in ("a", "a.b", ".tp", "tp")] == [None] * 4


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"symbol": "MSFT"}, "keeps symbol"),
        ({"side": Side.SELL}, "keeps side"),
        ({"type": OrderType.STOP, "limit_price": None, "stop_price": Decimal(105)}, "keeps type"),
        ({"quantity": "1.5", "time_in_force": DAY}, "only whole shares"),
    ],
)
def test_a_replacement_that_alpaca_cannot_do_is_refused(
    broker: AlpacaBroker, changes: dict[str, Any], reason: str
) -> None:
    broker.submit_order(order(**limit("95")))
    quantity = changes.pop("quantity", "10")
    with pytest.raises(RefusedError, match=f"{reason}.*Cancel a and send a new order"):
        broker.replace_order(order("b", quantity, replaces="a", **(limit("94") | changes)))
    assert [o.client_order_id for o in broker.open_orders()] == ["a"]


@pytest.mark.parametrize("quantity", ["7", "10"])
def test_what_takes_the_place_of_an_order_filled_in_part_trades_its_own_quantity(
    simulator: AlpacaSimulator, broker: AlpacaBroker, quantity: str
) -> None:
    broker.submit_order(order(**limit("95")))
    simulator.price("AAPL", "95", size="3")
    broker.replace_order(order("b", quantity, replaces="a", **limit("94")))
    simulator.price("AAPL", "94")
    assert [(f.client_order_id, f.quantity) for f in broker.fills(None)] == [("a", 3), ("b", Decimal(quantity))]
    old = broker.order("a")
    assert old is not None
    assert (old.status, old.filled_quantity, old.replaced_by) == (OrderStatus.REPLACED, 3, "b")


def test_orders_by_money_are_not_replaced(simulator: AlpacaSimulator, broker: AlpacaBroker) -> None:
    simulator.session("closed")
    broker.submit_order(order("m", "0", notional=Decimal(100), time_in_force=DAY))
    with pytest.raises(RefusedError, match="by notional"):
        broker.replace_order(order("n", replaces="m", time_in_force=DAY))


@pytest.mark.parametrize("leg", ["in.tp", "in.sl"])
def test_a_cancelled_exit_takes_the_other_along(simulator: AlpacaSimulator, broker: AlpacaBroker, leg: str) -> None:
    exits: dict[str, Any] = {"side": Side.SELL, "parent": "in", "oco_group": "x"}
    stop = {"type": OrderType.STOP, "stop_price": Decimal(90)}
    entry = order("in", **limit("100"))
    broker.submit_linked([entry, order("in.tp", **limit("110", **exits)), order("in.sl", **exits, **stop)])
    broker.cancel_order(leg)
    assert broker.open_orders() == []
    assert broker.positions() == {"AAPL": Decimal(10)}


def test_money_buys_fractions_and_ends(simulator: AlpacaSimulator, broker: AlpacaBroker) -> None:
    simulator.price("AAPL", "70")
    broker.submit_order(order("m", "0", notional=Decimal(100), time_in_force=DAY))
    (fill,) = broker.fills(None)
    assert (fill.quantity, fill.leaves) == (Decimal("1.428571428"), 0)
    assert broker.positions() == {"AAPL": Decimal("1.428571428")}
    assert (
        broker.submit_order(order("m", "0", notional=Decimal(100), time_in_force=DAY)).filled_quantity == fill.quantity
    )


def test_numbers_travel_without_exponent_or_rounding(simulator: AlpacaSimulator, broker: AlpacaBroker) -> None:
    simulator.price("AAPL", "0.0005")
    broker.submit_order(order(quantity="1E+3", **limit("0.0001")))
    broker.submit_order(order("b", "0.000000001", **limit("0.0005", time_in_force=DAY)))
    assert broker.fills(None)[0].quantity == Decimal("0.000000001")
    assert broker.submit_order(order(quantity="1000", **limit("0.00010"))).status is OrderStatus.ACCEPTED


def test_short_positions_are_negative(broker: AlpacaBroker) -> None:
    broker.submit_order(order(side=Side.SELL))
    assert broker.positions() == {"AAPL": Decimal(-10)}
    assert [f.signed_quantity for f in broker.fills(None)] == [Decimal(-10)]


@pytest.mark.parametrize(("tif", "sessions"), [(TimeInForce.OPG, ["closed", "open"]), (TimeInForce.CLS, ["closed"])])
def test_auctions_trade_where_the_session_turns(
    simulator: AlpacaSimulator, broker: AlpacaBroker, tif: TimeInForce, sessions: list[str]
) -> None:
    assert broker.submit_order(order(time_in_force=tif)).status is OrderStatus.ACCEPTED
    for session in sessions:
        assert broker.fills(None) == []
        simulator.session(session)
    assert len(broker.fills(None)) == 1


def test_day_orders_expire_and_those_for_extended_hours_trade(simulator: AlpacaSimulator, broker: AlpacaBroker) -> None:
    broker.submit_order(order("day", **limit("95", time_in_force=DAY)))
    broker.submit_order(order("late", **limit("95", time_in_force=DAY, extended_hours=True)))
    simulator.session("extended")
    simulator.price("AAPL", "95")
    found = {name: broker.order(name) for name in ("day", "late")}
    assert {name: o and o.status for name, o in found.items()} == {
        "day": OrderStatus.EXPIRED,
        "late": OrderStatus.FILLED,
    }


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("pending_review", OrderStatus.ACCEPTED),
        ("accepted_for_bidding", OrderStatus.ACCEPTED),
        ("stopped", OrderStatus.ACCEPTED),
        ("suspended", OrderStatus.ACCEPTED),
        ("done_for_day", OrderStatus.ACCEPTED),
        ("calculated", OrderStatus.ACCEPTED),
        ("pending_cancel", OrderStatus.PENDING_CANCEL),
        ("pending_replace", OrderStatus.PENDING_REPLACE),
        ("rejected", OrderStatus.REJECTED),
        ("expired", OrderStatus.EXPIRED),
    ],
)
def test_states_are_read_as_documented(
    simulator: AlpacaSimulator, broker: AlpacaBroker, word: str, status: OrderStatus
) -> None:
    broker.submit_order(order(**limit("95")))
    simulator.fault("word", word=word, method="GET")
    found = broker.order("a")
    assert found is not None
    assert found.status is status
    assert broker.unknown_words == frozenset()


def test_a_state_that_nobody_knows_counts_as_working_and_is_reported(
    simulator: AlpacaSimulator, broker: AlpacaBroker, caplog: pytest.LogCaptureFixture
) -> None:
    broker.submit_order(order(**limit("95")))
    simulator.fault("word", word="quantum", method="GET", count=2)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            found = broker.order("a")
            assert found is not None
            assert found.status is OrderStatus.ACCEPTED
    assert broker.unknown_words == {"quantum"}
    assert [r.getMessage() for r in caplog.records if "quantum" in r.getMessage()] != []
    assert len(caplog.records) == 1


def test_wrong_keys_are_named_and_never_shown(simulator: AlpacaSimulator, connect: Connect) -> None:
    secret = "wrong-s3cr3t"
    access = AlpacaAccess(SecretStr("PKSIMULATED"), SecretStr(secret), trading=simulator.url)
    broker = connect(access=access)
    for call in (broker.ping, lambda: broker.submit_order(order()), broker.open_orders):
        with pytest.raises(AuthenticationError, match="paper and live have keys of their own") as refused:
            call()
        assert secret not in "".join(traceback.format_exception(refused.value))
    broker.updates()
    for _ in range(200):
        if broker.stream.wait_until_refused(0.05):
            break
    with pytest.raises(AuthenticationError, match="stream"):
        broker.updates()
    assert simulator.orders() == []


def test_an_unreachable_host_is_down_and_nothing_was_sent(connect: Connect) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        access = AlpacaAccess(SecretStr("k"), SecretStr("s"), trading=url)
        pauses: list[float] = []
        broker = connect(access=access, patience=Patience(sleep=pauses.append, jitter=lambda: 0.5))
        with pytest.raises(VenueDownError, match="Check host and network"):
            broker.ping()
        with pytest.raises(NotSentError):
            broker.submit_order(order())
    assert pauses[:2] == [0.2, 0.4]


@pytest.mark.parametrize("seconds", [-3605, 45])
def test_a_clock_that_differs_is_named(simulator: AlpacaSimulator, connect: Connect, seconds: int) -> None:
    clock = [timedelta(0)]
    broker = connect(now=lambda: datetime.now(UTC) - clock[0])
    broker.ping()
    clock[0] = timedelta(seconds=seconds)
    with pytest.raises(ClockSkewError, match=rf"by {str(seconds)[:-1]}\d s. Set this clock by NTP"):
        broker.ping()
    clock[0] = timedelta(0)
    simulator.control("/simulator/skew", seconds=100)
    with pytest.raises(ClockSkewError):
        broker.ping()


def test_a_limit_of_the_venue_closes_the_budget_for_as_long_as_it_says(
    simulator: AlpacaSimulator, connect: Connect
) -> None:
    now = [0.0]
    broker = connect(patience=Patience(clock=lambda: now[0], sleep=lambda _: None))
    simulator.fault("rate_limit", seconds=7)
    with pytest.raises(RateLimitedError) as limited:
        broker.positions()
    assert limited.value.retry_after == 7
    with pytest.raises(RateLimitedError):
        broker.positions()
    now[0] = 7.0
    assert broker.positions() == {}


def test_spent_questions_leave_orders_and_spent_orders_leave_cancels(
    simulator: AlpacaSimulator, connect: Connect
) -> None:
    broker = connect(requests_per_minute=40)
    broker.submit_order(order(**limit("95")))
    for _ in range(24):
        broker.positions()
    with pytest.raises(RateLimitedError):
        broker.positions()
    more = [f"more-{number}" for number in range(10)]
    for name in more:
        broker.submit_order(order(name, **limit("95")))
    with pytest.raises(RateLimitedError):
        broker.submit_order(order("b"))
    broker.cancel_order("a")
    states = {o["client_order_id"]: o["status"] for o in simulator.orders()}
    assert states == {"a": "canceled", **dict.fromkeys(more, "new")}


def test_a_venue_that_is_started_again_goes_on(tmp_path: Path, connect: Connect) -> None:
    file = tmp_path / "venue.jsonl"
    with AlpacaSimulator(file=file, requests_per_minute=100_000) as first:
        broker = connect(access=first.access())
        broker.submit_order(order(**limit("95")))
        first.price("AAPL", "95", size="3")
        told, kept = broker.fills(None), first.orders()
    with file.open("a") as torn:
        torn.write('{"method": "POST", "pa')
    with AlpacaSimulator(file=file, requests_per_minute=100_000) as second:
        assert second.orders() == kept
        broker = connect(access=second.access())
        assert broker.fills(None) == told
        second.price("AAPL", "94")
        found = broker.order("a")
        assert found is not None
        assert found.status is OrderStatus.FILLED
        kept = second.orders()
    with AlpacaSimulator(file=file, requests_per_minute=100_000) as third:
        assert third.orders() == kept


def test_more_executions_than_a_page_holds(simulator: AlpacaSimulator, broker: AlpacaBroker) -> None:
    broker.submit_order(order(quantity="205", **limit("100", time_in_force=DAY)))
    broker.submit_order(order("b", "120", **limit("90")))
    for _ in range(120):
        simulator.price("AAPL", "90", size="1")
    fills = broker.fills(None)
    assert len(fills) == len({f.execution_id for f in fills}) == 121
    assert [f.leaves for f in fills[1:]] == [Decimal(n) for n in range(119, -1, -1)]


def test_more_open_orders_than_a_page_holds(connect: Connect) -> None:
    broker = connect(requests_per_minute=10_000)
    names = [f"o{number}" for number in range(1010)]
    for name in names:
        broker.submit_order(order(name, "1", **limit("1")))
    assert [o.client_order_id for o in broker.open_orders()] == names


def test_reference_data(simulator: AlpacaSimulator, broker: AlpacaBroker) -> None:
    assert {a.symbol for a in broker.reference.assets()} == {"AAPL", "MSFT", "SPY"}
    days = broker.reference.calendar(date(2026, 7, 2), date(2026, 7, 6))
    assert [d.day.day for d in days] == [2, 6]
    assert days[0].opens.astimezone(UTC).hour == 13
    assert broker.reference.clock().is_open
    simulator.control("/simulator/cash", amount="500")
    (deposit,) = broker.activities(datetime.now(UTC) - timedelta(days=1))
    assert (deposit.kind, deposit.amount) == (ActivityKind.CASH, Decimal(500))


def test_market_data(simulator: AlpacaSimulator) -> None:
    data = AlpacaData(simulator.access())
    simulator.price("AAPL", "101", bid="100.9", ask="101.1")
    quote = data.latest_quote("AAPL")
    assert (quote.bid, quote.ask, data.latest_trade("AAPL").price) == (100.9, 101.1, 101.0)
    now = datetime.now(UTC)
    bars = data.bars(["AAPL", "MSFT"], "1Min", now - timedelta(minutes=5), now + timedelta(minutes=5))
    assert (bars["AAPL"][-1].close, bars["MSFT"]) == (101.0, [])
    with pytest.raises(MarketDataError, match="'NOPE'"):
        data.latest_quote("NOPE")
    with pytest.raises(BadInputError, match="7Min"):
        data.bars(["AAPL"], "7Min", now, now)
    data.close()


def test_names_of_many_orders_are_found_at_once(simulator: AlpacaSimulator, connect: Connect) -> None:
    old = connect()
    for number in range(60):
        old.submit_order(order(f"o{number}", "1", time_in_force=DAY))
    stop = {"type": OrderType.STOP, "stop_price": Decimal(90)}
    old.submit_linked([order("in", **limit("100")), order("in.sl", side=Side.SELL, parent="in", **stop)])
    simulator.price("AAPL", "89")
    # Each order by itself would spend the budget of a new process.
    fills = connect(requests_per_minute=20).fills(None)
    assert [f.client_order_id for f in fills] == [*(f"o{n}" for n in range(60)), "in", "in.sl"]


def test_an_order_in_doubt_proves_nothing_until_it_had_time_to_arrive(
    simulator: AlpacaSimulator, connect: Connect
) -> None:
    now = [0.0]
    broker = connect(patience=Patience(clock=lambda: now[0], sleep=lambda _: None), arrival_s=5.0)
    exits: dict[str, Any] = {"side": Side.SELL, "parent": "in"}
    requests = [order("in", **limit("95")), order("in.tp", **limit("110", **exits))]
    simulator.fault("drop_before", method="POST")
    with pytest.raises(AmbiguousError):
        broker.submit_linked(requests)
    for name in ("in", "in.tp"):
        with pytest.raises(AmbiguousError, match=f"does not know {name} yet"):
            broker.order(name)
    now[0] = 5.0
    assert [broker.order(name) for name in ("in", "in.tp")] == [None, None]


def test_a_new_process_proves_no_absence_until_orders_of_the_one_before_had_time_to_arrive(
    simulator: AlpacaSimulator, connect: Connect
) -> None:
    simulator.fault("late", method="POST", seconds=0.3)
    with pytest.raises(AmbiguousError):
        connect().submit_order(order("a", **limit("95")))
    now = [0.0]
    broker = connect(patience=Patience(clock=lambda: now[0], sleep=lambda _: None), arrival_s=5.0)
    for name in ("a", "b"):
        with pytest.raises(AmbiguousError, match=f"does not know {name} yet"):
            broker.order(name)
    simulator.arrived()
    now[0] = 5.0
    found = broker.order("a")
    assert found is not None
    assert found.status is OrderStatus.ACCEPTED
    assert broker.order("b") is None


def test_orders_of_others_are_told_under_their_own_names(simulator: AlpacaSimulator, broker: AlpacaBroker) -> None:
    with pytest.raises(OrderRejectedError):
        broker.cancel_order("by-hand")
    other = AlpacaBroker("other", simulator.access(), Patience())
    other.submit_order(order("by-hand", **limit("95")))
    other.close()
    assert [o.client_order_id for o in broker.open_orders()] == ["by-hand"]
    broker.cancel_order("by-hand")
    assert broker.open_orders() == []
