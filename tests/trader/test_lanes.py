"""A batch goes to the venue in lanes: side by side where nothing is shared, in its order where a symbol is."""

import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nt_ray.brokers.alpaca.broker import AlpacaBroker
from nt_ray.brokers.alpaca.simulator.simulator import AlpacaSimulator
from nt_ray.brokers.base import VenueOrder
from nt_ray.market.bars import Instrument
from nt_ray.risk.limits import RiskLimits
from nt_ray.storage.opening import open_journal
from nt_ray.trader.account import Account
from nt_ray.trader.lanes import Sender, lanes_of
from nt_ray.trader.live_account import LiveAccount
from nt_ray.trader.live_plan import Clock, OpenedVenue
from nt_ray.trader.price import Price
from nt_ray.trading.orders import OrderRequest, OrderStatus, Side, TimeInForce
from nt_ray.trading.steps import following, step

SYMBOLS = {f"S{letter}": Decimal(100) for letter in "ABCDEFGHIJKL"}
LIMITS = RiskLimits(
    max_messages=9_999, max_strategy_messages=9_999, max_gross_exposure=9, max_net_exposure=9, max_concentration=9
)


def order(name: str, symbol: str) -> OrderRequest:
    return OrderRequest(name, symbol, Side.BUY, Decimal(1), "test", time_in_force=TimeInForce.GTC)


class CountingBroker(AlpacaBroker):
    """Counts submissions that are under way at once, and notes their order by symbol."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.lock = threading.Lock()
        self.now = self.peak = 0
        self.begun: list[OrderRequest] = []

    def submit_order(self, request: OrderRequest) -> VenueOrder:
        with self.lock:
            self.begun.append(request)
            self.now += 1
            self.peak = max(self.peak, self.now)
        try:
            return super().submit_order(request)
        finally:
            with self.lock:
                self.now -= 1


class Plan:
    name = "lanes"
    moves = False

    def __init__(self, path: Path, broker: AlpacaBroker) -> None:
        self.path, self.broker = path, broker

    def open(self, clock: Clock) -> OpenedVenue:
        instruments = [Instrument(symbol, Decimal("0.01")) for symbol in SYMBOLS]
        account = Account("lanes", open_journal(self.path), self.broker, LIMITS, instruments, clock, shared=True)
        account.deposit(Decimal(1_000_000))
        prices = lambda: {s: Price(p, datetime.now(UTC)) for s, p in SYMBOLS.items()}  # noqa: E731
        return OpenedVenue(account, self.broker, prices, self.broker.close)


@pytest.fixture
def simulator() -> Iterator[AlpacaSimulator]:
    with AlpacaSimulator(cash=Decimal(1_000_000), symbols=SYMBOLS, requests_per_minute=10**9) as running:
        yield running


def test_orders_of_a_batch_overlap_at_the_venue_up_to_a_bound_and_are_told_in_their_order(
    simulator: AlpacaSimulator, tmp_path: Path
) -> None:
    broker = CountingBroker("alpaca", simulator.access(), requests_per_minute=10**9)
    account = LiveAccount(Plan(tmp_path / "journal.sqlite", broker), watch=False)
    simulator.fault("delay", method="POST", path="/v2/orders", seconds=0.2, count=24)
    batch = [order(f"{symbol}-{turn}", symbol) for turn in range(2) for symbol in SYMBOLS]
    reports = account.submit(batch)
    account.close()
    assert [told.request for told in reports] == batch
    assert {told.status for told in reports} == {OrderStatus.ACCEPTED}
    assert 2 <= broker.peak <= 8
    assert sorted(o["client_order_id"] for o in simulator.orders()) == sorted(r.client_order_id for r in batch)
    turns = [r.client_order_id for r in broker.begun]
    assert all(turns.index(f"{symbol}-0") < turns.index(f"{symbol}-1") for symbol in SYMBOLS)


def test_a_batch_that_is_sent_side_by_side_keeps_to_the_budget_of_requests(
    simulator: AlpacaSimulator, tmp_path: Path
) -> None:
    broker = CountingBroker("alpaca", simulator.access(), requests_per_minute=40)
    for symbol in SYMBOLS:
        broker.reference.asset(symbol)
    account = LiveAccount(Plan(tmp_path / "journal.sqlite", broker), watch=False)
    reports = account.submit([order(f"{symbol}-{turn}", symbol) for turn in range(4) for symbol in SYMBOLS])
    account.close()
    accepted = [told.request.client_order_id for told in reports if told.status is OrderStatus.ACCEPTED]
    assert sorted(o["client_order_id"] for o in simulator.orders()) == sorted(accepted)
    assert 10 <= len(accepted) <= 40 - 4 - len(SYMBOLS)
    assert all(told.not_sent for told in reports if told.status is OrderStatus.REJECTED)
    assert len(accepted) + sum(told.not_sent for told in reports) == 48


def test_whoever_follows_the_caller_sees_what_its_lanes_do() -> None:
    def send(unit: Sequence[OrderRequest]) -> list[Any]:
        with step("send", {"order_id": unit[0].client_order_id}):
            return []

    units = [(order(f"o{n}", f"S{n % 3}"),) for n in range(9)]
    sender = Sender(send, 3, "lanes")
    with following() as way, step("outer"):
        sender.send(units, [[] for _ in units])
    sender.close()
    found = way.steps()
    assert sorted(s.facts["order_id"] for s in found[1:]) == [f"o{n}" for n in range(9)]
    assert {s.within for s in found[1:]} == {0}


def test_what_one_lane_raises_loses_nothing_of_the_others() -> None:
    def send(unit: Any) -> list[Any]:
        if unit[0].symbol == "SB":
            raise ZeroDivisionError
        return [unit[0].client_order_id]

    sender = Sender(send, 4, "test")
    outcomes: list[list[Any]] = [[], [], []]
    units = [(order("a", "SA"),), (order("b", "SB"),), (order("c", "SC"),)]
    with pytest.raises(ZeroDivisionError):
        sender.send(units, outcomes)
    sender.close()
    assert outcomes == [["a"], [], ["c"]]


@given(st.lists(st.sets(st.sampled_from(sorted(SYMBOLS)[:6]), min_size=1, max_size=3), max_size=12))
def test_lanes_share_no_symbol_lose_no_unit_and_keep_the_order(symbols: list[set[str]]) -> None:
    units = [
        tuple(order(f"{place}{symbol}", symbol) for symbol in sorted(names)) for place, names in enumerate(symbols)
    ]
    lanes = lanes_of(units)
    assert sorted(place for lane in lanes for place in lane) == list(range(len(units)))
    assert all(list(lane) == sorted(lane) for lane in lanes)
    owners: dict[str, int] = {}
    for number, lane in enumerate(lanes):
        for place in lane:
            assert all(owners.setdefault(symbol, number) == number for symbol in symbols[place])
