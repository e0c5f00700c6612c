"""What the venue does not allow reaches the gate: blocked accounts, halted and unlent assets; clocks; connections."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import SecretStr

from nt_ray.brokers.alpaca.access import AlpacaAccess
from nt_ray.brokers.alpaca.broker import AlpacaBroker
from nt_ray.brokers.alpaca.refusals import ClockSkewError
from nt_ray.brokers.alpaca.simulator.simulator import AlpacaSimulator
from nt_ray.brokers.alpaca.standing import ASSET_S, ASSETS_A_LOOK, LOOK_EVERY_S
from nt_ray.brokers.alpaca.transport import Patience, Transport
from nt_ray.brokers.base import VenueDownError
from nt_ray.market.bars import Instrument
from nt_ray.risk.limits import RiskLimits
from nt_ray.storage.opening import open_journal
from nt_ray.trader.account import Account
from nt_ray.trading.orders import OrderRequest, OrderStatus, OrderType, Side, TimeInForce

MARKS = {"AAPL": Decimal(100), "MSFT": Decimal(200)}
Connect = Callable[..., AlpacaBroker]


def order(client_order_id: str, side: Side = Side.BUY, symbol: str = "AAPL", **changes: Any) -> OrderRequest:
    return OrderRequest(client_order_id, symbol, side, Decimal(10), "t", **changes)


class Desk:
    """An account whose seconds pass when they are told to."""

    def __init__(self, connect: Connect, journal: Path, stack: ExitStack) -> None:
        self.seconds = 0.0
        self.skew = timedelta(0)
        patience = Patience(clock=lambda: self.seconds, sleep=lambda _: None)
        self.broker = connect(patience=patience, now=lambda: datetime.now(UTC) + self.skew)
        instruments = [Instrument(symbol, Decimal("0.01"), Decimal(1)) for symbol in MARKS]
        limits = RiskLimits(max_concentration=1)
        self.account = Account(
            "test", open_journal(journal), self.broker, limits, instruments, lambda: datetime.now(UTC)
        )  # fmt: skip
        stack.callback(self.account.close)
        self.account.deposit(Decimal(100_000))
        self.look(0.0)

    def look(self, seconds: float) -> None:
        self.seconds += seconds
        self.account.sync(datetime.now(UTC), MARKS)

    def rule(self, request: OrderRequest) -> str:
        return self.account.submit([request])[0].rule


@pytest.fixture
def desk(connect: Connect, tmp_path: Path) -> Iterator[Desk]:
    with ExitStack() as stack:
        yield Desk(connect, tmp_path / "journal.sqlite", stack)


def test_an_account_that_the_venue_has_blocked_sends_nothing(simulator: AlpacaSimulator, desk: Desk) -> None:
    simulator.control("/simulator/account", blocked=True)
    desk.look(LOOK_EVERY_S)
    assert desk.rule(order("a")) == "account_blocked"
    simulator.control("/simulator/account", blocked=False)
    desk.look(LOOK_EVERY_S)
    assert desk.rule(order("b")) == ""
    assert [o["client_order_id"] for o in simulator.orders()] == ["b"]


def test_an_asset_that_does_not_trade_is_halted_until_it_does(simulator: AlpacaSimulator, desk: Desk) -> None:
    simulator.control("/simulator/asset", symbol="AAPL", tradable=False)
    desk.look(ASSET_S)
    assert desk.rule(order("a")) == "halted_instrument"
    assert desk.rule(order("m", symbol="MSFT")) == ""
    simulator.control("/simulator/asset", symbol="AAPL")
    desk.look(ASSET_S)
    assert desk.rule(order("b")) == ""


def test_what_nobody_lends_is_not_sold_short(simulator: AlpacaSimulator, desk: Desk) -> None:
    simulator.control("/simulator/asset", symbol="AAPL", easy_to_borrow=False)
    desk.look(ASSET_S)
    assert desk.rule(order("a", Side.SELL)) == "not_borrowable"
    assert desk.rule(order("b")) == ""
    desk.look(1.0)
    assert desk.rule(order("c", Side.SELL)) == ""
    assert desk.rule(order("d", Side.SELL, "MSFT")) == ""


def test_what_the_venue_allows_is_asked_for_rarely(desk: Desk) -> None:
    before = desk.broker.budget.cancels
    for _ in range(5):
        desk.look(1.0)
    # Each look asks for executions and nothing else: no order is open.
    assert before - desk.broker.budget.cancels == 5


def test_a_symbol_that_the_venue_does_not_know_is_halted_and_asked_for_rarely(connect: Connect) -> None:
    now = [0.0]
    broker = connect(patience=Patience(clock=lambda: now[0], sleep=lambda _: None))
    for now[0] in (0.0, ASSET_S - 1):
        assert broker.standing(["AAPL", "GONE"]).halted.keys() == {"GONE"}
        broker.account()
        before = broker.budget.cancels
        assert broker.standing(["AAPL", "GONE"]).halted.keys() == {"GONE"}
        assert broker.budget.cancels == before


def test_a_long_list_of_symbols_is_read_a_few_at_a_look(simulator: AlpacaSimulator, connect: Connect) -> None:
    symbols = [f"S{number}" for number in range(2 * ASSETS_A_LOOK + 1)]
    for symbol in symbols:
        simulator.control("/simulator/asset", symbol=symbol, tradable=symbol != symbols[-1])
    broker = connect()
    broker.account()
    found = []
    for _ in range(4):
        before = broker.budget.cancels
        halted = broker.standing(symbols).halted
        found.append((before - broker.budget.cancels, list(halted)))
    halt = [symbols[-1]]
    assert found == [(ASSETS_A_LOOK, []), (ASSETS_A_LOOK, []), (1, halt), (0, halt)]


def test_an_outage_leaves_what_is_known_of_the_venue_as_it_was(simulator: AlpacaSimulator, desk: Desk) -> None:
    simulator.control("/simulator/asset", symbol="AAPL", tradable=False)
    desk.look(ASSET_S)
    simulator.fault("drop_before", method="GET", count=100)
    desk.look(ASSET_S)
    assert desk.rule(order("a")) == "halted_instrument"


def test_a_venue_trades_nothing_of_what_it_has_halted(simulator: AlpacaSimulator, broker: AlpacaBroker) -> None:
    limit = {"type": OrderType.LIMIT, "limit_price": Decimal(95), "time_in_force": TimeInForce.GTC}
    broker.submit_order(order("rests", **limit))
    simulator.control("/simulator/asset", symbol="AAPL", tradable=False)
    simulator.price("AAPL", "94")
    assert broker.fills(None) == []
    simulator.control("/simulator/asset", symbol="AAPL")
    simulator.price("AAPL", "94")
    assert len(broker.fills(None)) == 1


@pytest.mark.parametrize("seconds", [-45, 3600])
def test_orders_wait_until_the_clocks_agree_and_cancels_do_not(
    simulator: AlpacaSimulator, desk: Desk, seconds: int
) -> None:
    limit = {"type": OrderType.LIMIT, "limit_price": Decimal(95), "time_in_force": TimeInForce.GTC}
    assert desk.rule(order("a", **limit)) == ""
    desk.skew = timedelta(seconds=seconds)
    desk.look(1.0)
    (told,) = desk.account.submit([order("b", **limit)])
    assert (told.status, desk.account.order("b").not_sent) == (OrderStatus.REJECTED, True)
    assert "clock differs" in told.reason
    assert any("clock differs" in sentence for sentence in desk.broker.warnings())
    desk.account.cancel_all()
    assert {o["status"] for o in simulator.orders()} == {"canceled"}
    desk.skew = timedelta(0)
    desk.look(1.0)
    assert desk.account.submit([order("c", **limit)])[0].status is OrderStatus.ACCEPTED
    assert desk.broker.warnings() == ()


def test_an_order_is_refused_by_the_clock_that_the_first_answer_tells(connect: Connect) -> None:
    broker = connect(now=lambda: datetime.now(UTC) + timedelta(minutes=2))
    broker.account()
    with pytest.raises(ClockSkewError, match=r"by -1[12]\d s"):
        broker.submit_order(order("a"))


def test_the_simulated_venue_keeps_the_holidays_of_new_york(simulator: AlpacaSimulator, broker: AlpacaBroker) -> None:
    days = broker.reference.calendar(date(2026, 11, 25), date(2026, 12, 1))
    assert [d.day.day for d in days] == [25, 27, 30, 1]
    assert [d.closes.hour for d in days] == [16, 13, 16, 16]
    thanksgiving = datetime(2035, 11, 22, 12, tzinfo=UTC)
    simulator.control("/simulator/skew", seconds=str((thanksgiving - datetime.now(UTC)).total_seconds()))
    clock = broker.reference.clock()
    assert (clock.next_open.day, clock.next_close.hour) == (23, 18)


class Held(BaseHTTPRequestHandler):
    """Answers a cancel at once, and a question when it is let go."""

    protocol_version = "HTTP/1.1"
    connections: ClassVar[set[Any]] = set()
    came: ClassVar[threading.Event] = threading.Event()
    let_go: ClassVar[threading.Event] = threading.Event()

    def do_GET(self) -> None:
        self.connections.add(self.client_address)
        self.came.set()
        self.let_go.wait(30)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def do_DELETE(self) -> None:
        self.send_response(204)
        self.end_headers()

    def log_message(self, *told: object) -> None:
        """Keep quiet."""


def test_a_key_holds_no_more_connections_than_it_may_and_cancels_have_their_own() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Held)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    access = AlpacaAccess(SecretStr("k"), SecretStr("s"), trading=f"http://127.0.0.1:{server.server_port}")
    transport = Transport(access, access.trading, Patience(timeout_s=30.0, attempts=1), connections=4)
    with ThreadPoolExecutor(6) as pool:
        asked = [pool.submit(transport.read, "/v2/clock") for _ in range(6)]
        assert Held.came.wait(30)
        # Whoever asks waits for one of two connections; a cancel waits for neither.
        transport.cancel("/v2/orders")
        assert not any(question.done() for question in asked)
        Held.let_go.set()
        assert [question.result() for question in asked] == [{}] * 6
    assert 1 <= len(Held.connections) <= 2
    transport.close()
    server.shutdown()
    server.server_close()
    serving.join()


def test_a_refused_connection_is_an_outage(connect: Connect, simulator: AlpacaSimulator) -> None:
    broker = connect()
    simulator.fault("drop_before", method="GET", count=10)
    with pytest.raises(VenueDownError):
        broker.standing(["AAPL"])
