"""Cancels through account and wire: all of them within the venue's rate, whatever breaks, and few requests for each."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from nt_ray.brokers.alpaca.broker import AlpacaBroker
from nt_ray.brokers.alpaca.simulator.simulator import AlpacaSimulator
from nt_ray.brokers.alpaca.transport import Patience
from nt_ray.market.bars import Instrument
from nt_ray.risk.limits import RiskLimits
from nt_ray.storage.opening import open_journal
from nt_ray.trader.account import Account
from nt_ray.trading.orders import OrderRequest, OrderStatus, OrderType, Side, TimeInForce

MARKS = {"AAPL": Decimal(100)}
INSTRUMENTS = (Instrument("AAPL", Decimal("0.01"), Decimal(1)),)
ME = ("ann", "drill")


class Desk:
    """An account at a venue that allows as many requests as Alpaca does; its clock stands still but for `wait`."""

    def __init__(self, simulator: AlpacaSimulator, journal: Path, stack: ExitStack) -> None:
        self.simulator = simulator
        self._seconds = 0.0
        self.broker = AlpacaBroker(
            "alpaca", simulator.access(), Patience(clock=lambda: self._seconds, sleep=self.wait, jitter=lambda: 0.5)
        )
        stack.callback(self.broker.close)
        limits = RiskLimits(max_messages=None, max_strategy_messages=None)
        self.account = Account("test", open_journal(journal), self.broker, limits, INSTRUMENTS, self.now)
        stack.callback(self.account.close)
        self.account.deposit(Decimal(100_000))
        self.account.sync(self.now(), MARKS)

    @staticmethod
    def now() -> datetime:
        return datetime.now(UTC)

    def wait(self, seconds: float) -> None:
        self._seconds += seconds

    def look(self) -> None:
        self.wait(60.0)
        self.account.sync(self.now(), MARKS)

    def submit(self, count: int, **changes: Any) -> list[str]:
        terms: dict[str, Any] = {"type": OrderType.LIMIT, "limit_price": Decimal(50), "time_in_force": TimeInForce.GTC}
        terms |= {"strategy": "s", **changes}
        names = [f"{terms['strategy']}{number}" for number in range(count)]
        requests = [OrderRequest(name, "AAPL", Side.BUY, Decimal(1), **terms) for name in names]
        assert {told.status for told in self.account.submit(requests)} == {OrderStatus.ACCEPTED}
        return names

    def states(self) -> Counter[str]:
        return Counter(str(order.status) for order in self.account.orders())

    def at_venue(self) -> Counter[str]:
        return Counter(order["status"] for order in self.simulator.orders())


@pytest.fixture
def open_desk(tmp_path: Path) -> Iterator[Callable[[], Desk]]:
    with AlpacaSimulator() as simulator, ExitStack() as stack:
        yield lambda: Desk(simulator, tmp_path / "journal.sqlite", stack)


def spent(desk: Desk, work: Callable[[], object]) -> int:
    before = desk.broker.budget.cancels
    work()
    return before - desk.broker.budget.cancels


@pytest.mark.parametrize("stop", [lambda a: a.halt("account", *ME), lambda a: a.cancel_all()], ids=["halt", "cancel"])
def test_an_account_is_cancelled_at_once_however_many_orders_it_has(
    open_desk: Callable[[], Desk], stop: Callable[[Account], object]
) -> None:
    desk = open_desk()
    desk.submit(130)
    # One request cancels, one listing tells what became of all of them.
    assert spent(desk, lambda: stop(desk.account)) == 2
    assert desk.at_venue() == {"canceled": 130}
    assert desk.states() == {"canceled": 130}


def test_a_cancel_costs_one_request_and_is_learnt_by_the_next_look(open_desk: Callable[[], Desk]) -> None:
    desk = open_desk()
    desk.submit(2)
    assert spent(desk, lambda: desk.account.cancel("s0")) == 1
    assert desk.states() == {"pending_cancel": 1, "accepted": 1}
    desk.look()
    assert desk.states() == {"canceled": 1, "accepted": 1}


def test_a_strategy_that_is_stopped_loses_its_orders_and_nobody_else_does(open_desk: Callable[[], Desk]) -> None:
    desk = open_desk()
    desk.submit(10)
    desk.submit(3, strategy="other")
    assert spent(desk, lambda: desk.account.halt("strategy:s", *ME)) == 10
    assert desk.at_venue() == {"canceled": 10, "new": 3}
    # What became of the ten is learnt from one listing, beside what every look asks.
    quiet = spent(desk, lambda: desk.account.sync(desk.now(), MARKS))
    assert desk.states() == {"canceled": 10, "accepted": 3}
    assert quiet <= 4


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "drop_before"},
        {"kind": "drop_after"},
        {"kind": "error", "status": 502},
        {"kind": "error", "status": 504, "processed": True},
        {"kind": "rate_limit", "seconds": 40},
        {"kind": "truncate"},
    ],
    ids=lambda fault: fault["kind"],
)
@pytest.mark.parametrize("scope", ["account", "strategy:s"])
def test_what_could_not_be_cancelled_is_asked_for_until_it_is(
    open_desk: Callable[[], Desk], fault: dict[str, Any], scope: str
) -> None:
    desk = open_desk()
    desk.submit(6)
    desk.simulator.fault(method="DELETE", path="/v2/orders*", count=30, **fault)
    desk.account.halt(scope, *ME)
    assert set(desk.states()) <= {"pending_cancel", "canceled"}
    desk.look()
    desk.simulator.heal()
    desk.look()
    desk.look()
    assert desk.at_venue() == desk.states() == {"canceled": 6}


def test_cancels_pass_while_the_venue_has_asked_for_a_pause(open_desk: Callable[[], Desk]) -> None:
    desk = open_desk()
    desk.submit(6)
    desk.simulator.fault("rate_limit", method="GET", path="/v2/positions", seconds=30)
    with pytest.raises(Exception, match="no further request"):
        desk.broker.positions()
    assert desk.broker.budget.orders == 0
    desk.account.halt("account", *ME)
    assert desk.states() == {"canceled": 6}


def test_an_order_that_filled_before_its_cancel_is_booked_as_filled(open_desk: Callable[[], Desk]) -> None:
    desk = open_desk()
    desk.submit(5)
    desk.simulator.price("AAPL", "50", size="2")
    desk.account.halt("account", *ME)
    desk.look()
    assert desk.states() == {"filled": 2, "canceled": 3}
    assert desk.account.state().positions == {"AAPL": Decimal(2)}
    assert desk.account.reconcile().differences == ()


def test_a_restart_goes_on_with_cancels_that_were_asked_for(open_desk: Callable[[], Desk]) -> None:
    desk = open_desk()
    desk.submit(6)
    desk.simulator.fault("drop_before", method="DELETE", path="/v2/orders*", count=30)
    desk.account.cancel_all()
    assert desk.at_venue() == {"new": 6}
    desk.simulator.heal()
    again = open_desk()
    again.look()
    assert again.states() == again.at_venue() == {"canceled": 6}
