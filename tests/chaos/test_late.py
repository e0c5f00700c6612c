"""Orders that arrive after everybody has given them up: by then the sender may be another process."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from nt_ray.brokers.alpaca.broker import AlpacaBroker
from nt_ray.brokers.alpaca.simulator.simulator import AlpacaSimulator
from nt_ray.storage.opening import open_journal
from nt_ray.trader.account import Account
from nt_ray.trader.chaos.drill import PRICES, examine
from nt_ray.trader.chaos.life import CAPITAL, Post, open_account, venue
from nt_ray.trader.chaos.venue_record import alpaca_record
from nt_ray.trading import events as e
from nt_ray.trading.orders import OrderRequest, OrderStatus, OrderType, Side, TimeInForce

LATE_S, ARRIVAL_S = 0.3, 0.6


class Trader:
    """One process after the other on one journal."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self.open()

    def open(self) -> None:
        self.broker: AlpacaBroker = venue(self._post)
        self.account: Account = open_account(self._post, self.broker, open_journal(self._post.journal))
        self.sync()

    def die(self) -> None:
        self.account.close()
        self.broker.close()

    def sync(self) -> None:
        self.account.sync(datetime.now(UTC), PRICES)

    def status(self, name: str = "a") -> OrderStatus:
        return self.account.order(name).status


@pytest.fixture
def simulator() -> Iterator[AlpacaSimulator]:
    with AlpacaSimulator(cash=CAPITAL, symbols=PRICES, requests_per_minute=10**9) as running:
        yield running


@pytest.fixture
def post(simulator: AlpacaSimulator, tmp_path: Path) -> Post:
    journal, notes = str(tmp_path / "journal.sqlite"), tmp_path / "notes"
    return Post(journal, simulator.access(), PRICES, notes, timeout_s=5.0, arrival_s=ARRIVAL_S)


def order(name: str = "a", price: int = 95, **links: str) -> OrderRequest:
    terms = (Decimal(3), "eve", OrderType.LIMIT, Decimal(price))
    return OrderRequest(name, "AAPL", Side.BUY, *terms, time_in_force=TimeInForce.GTC, **links)


def at_venue(simulator: AlpacaSimulator) -> dict[str, OrderStatus]:
    return {held.client_order_id: held.status for held in alpaca_record(simulator).orders}


def end(trader: Trader, post: Post, simulator: AlpacaSimulator) -> None:
    trader.die()
    assert [f for f in examine(post, simulator).faults if "nobody asked" not in f] == []


def test_the_venue_processes_a_late_request_though_its_connection_is_gone(
    simulator: AlpacaSimulator, post: Post
) -> None:
    simulator.fault("late", method="POST", seconds=LATE_S)
    trader = Trader(post)
    (report,) = trader.account.submit([order()])
    assert report.status is OrderStatus.SUBMITTED
    assert at_venue(simulator) == {}
    simulator.arrived()
    assert at_venue(simulator) == {"a": OrderStatus.ACCEPTED}
    end(trader, post, simulator)


def test_a_late_order_is_not_sent_again_while_it_may_be_under_way(simulator: AlpacaSimulator, post: Post) -> None:
    simulator.fault("late", method="POST", seconds=LATE_S)
    trader = Trader(post)
    trader.account.submit([order()])
    trader.sync()
    assert (trader.status(), at_venue(simulator)) == (OrderStatus.SUBMITTED, {})
    simulator.arrived()
    trader.sync()
    assert (trader.status(), at_venue(simulator)) == (OrderStatus.ACCEPTED, {"a": OrderStatus.ACCEPTED})
    end(trader, post, simulator)


def test_a_late_order_of_a_process_that_died_is_neither_doubled_nor_lost(
    simulator: AlpacaSimulator, post: Post
) -> None:
    simulator.fault("late", method="POST", seconds=LATE_S)
    trader = Trader(post)
    trader.account.submit([order()])
    trader.die()
    trader.open()
    assert trader.status() is OrderStatus.SUBMITTED
    simulator.arrived()
    trader.sync()
    assert (trader.status(), at_venue(simulator)) == (OrderStatus.ACCEPTED, {"a": OrderStatus.ACCEPTED})
    end(trader, post, simulator)


def test_a_late_order_that_is_called_off_before_it_arrives_does_not_work_on_unknown(
    simulator: AlpacaSimulator, post: Post
) -> None:
    simulator.fault("late", method="POST", seconds=LATE_S)
    trader = Trader(post)
    trader.account.submit([order()])
    # It dies between the journal's note that the order is to be cancelled and the request to the venue.
    journal = trader.account._journal
    journal.append([e.PendingCancel(datetime.now(UTC), "a")])
    trader.die()
    trader.open()
    assert trader.status() is OrderStatus.PENDING_CANCEL
    simulator.arrived()
    trader.sync()
    assert (trader.status(), at_venue(simulator)) == (OrderStatus.CANCELED, {"a": OrderStatus.CANCELED})
    end(trader, post, simulator)


def test_a_late_order_of_a_stopped_account_is_not_told_as_never_sent(simulator: AlpacaSimulator, post: Post) -> None:
    simulator.fault("late", method="POST", seconds=LATE_S)
    trader = Trader(post)
    trader.account.submit([order()])
    trader.account.halt("account", "Ann", "drill")
    trader.die()
    trader.open()
    assert not trader.account.order("a").not_sent
    simulator.arrived()
    trader.sync()
    trader.sync()
    assert (trader.status(), at_venue(simulator)) == (OrderStatus.CANCELED, {"a": OrderStatus.CANCELED})
    end(trader, post, simulator)


def test_an_order_that_never_arrives_is_sent_again_once_it_had_its_time(simulator: AlpacaSimulator, post: Post) -> None:
    simulator.fault("drop_before", method="POST")
    trader = Trader(post)
    trader.account.submit([order()])
    trader.die()
    trader.open()
    assert (trader.status(), at_venue(simulator)) == (OrderStatus.SUBMITTED, {})
    time.sleep(ARRIVAL_S)
    trader.sync()
    assert (trader.status(), at_venue(simulator)) == (OrderStatus.ACCEPTED, {"a": OrderStatus.ACCEPTED})
    end(trader, post, simulator)


def test_a_late_replacement_takes_the_place_once(simulator: AlpacaSimulator, post: Post) -> None:
    trader = Trader(post)
    trader.account.submit([order()])
    simulator.fault("late", method="PATCH", seconds=LATE_S)
    trader.account.replace(order("b", 94, replaces="a"))
    trader.die()
    trader.open()
    simulator.arrived()
    trader.sync()
    trader.sync()
    assert (trader.status("a"), trader.status("b")) == (OrderStatus.REPLACED, OrderStatus.ACCEPTED)
    assert at_venue(simulator) == {"a": OrderStatus.REPLACED, "b": OrderStatus.ACCEPTED}
    end(trader, post, simulator)


def test_a_late_cancel_ends_the_order_on_both_sides(simulator: AlpacaSimulator, post: Post) -> None:
    trader = Trader(post)
    trader.account.submit([order()])
    simulator.fault("late", method="DELETE", seconds=LATE_S, count=3)
    assert trader.account.cancel("a").status is OrderStatus.PENDING_CANCEL
    trader.die()
    simulator.arrived()
    trader.open()
    trader.sync()
    assert (trader.status(), at_venue(simulator)) == (OrderStatus.CANCELED, {"a": OrderStatus.CANCELED})
    end(trader, post, simulator)


def test_a_read_that_is_to_come_late_changes_nothing(simulator: AlpacaSimulator, post: Post) -> None:
    trader = Trader(post)
    simulator.fault("late", method="GET", seconds=LATE_S)
    trader.account.submit([order()])
    simulator.arrived()
    assert at_venue(simulator) == {"a": OrderStatus.ACCEPTED}
    end(trader, post, simulator)


def test_a_replacement_that_is_called_off_before_it_arrives_leaves_the_order_at_work(
    simulator: AlpacaSimulator, post: Post
) -> None:
    trader = Trader(post)
    trader.account.submit([order()])
    simulator.fault("drop_before", method="PATCH")
    trader.account.replace(order("b", 94, replaces="a"))
    # It dies between the journal's note that the replacement is to be cancelled and the request to the venue.
    trader.account._journal.append([e.PendingCancel(datetime.now(UTC), "b")])
    trader.die()
    time.sleep(ARRIVAL_S)
    trader.open()
    time.sleep(ARRIVAL_S)
    trader.sync()
    assert (trader.status("a"), trader.status("b")) == (OrderStatus.ACCEPTED, OrderStatus.CANCELED)
    end(trader, post, simulator)
