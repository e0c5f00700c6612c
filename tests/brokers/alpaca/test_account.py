"""An account with its journal trades at Alpaca over a wire that breaks: each order once, books as the venue's."""

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
LIMITS = RiskLimits(max_order_notional=Decimal(50_000), self_trade=False)
FAULTS = [
    {"kind": "drop_before"},
    {"kind": "drop_after"},
    {"kind": "truncate"},
    {"kind": "error", "status": 504, "processed": True},
    {"kind": "error", "status": 502},
]

Open = Callable[[], Account]


@pytest.fixture
def seconds() -> list[float]:
    return [0.0]


@pytest.fixture
def open_account(simulator: AlpacaSimulator, tmp_path: Path, seconds: list[float]) -> Iterator[Open]:
    """Open the account as a new process would, after the old one has died."""
    with ExitStack() as stack:
        alive: list[ExitStack] = []

        def opened() -> Account:
            if alive:
                alive.pop().close()
            own = stack.enter_context(ExitStack())
            alive.append(own)
            patience = Patience(clock=lambda: seconds[0], sleep=lambda s: seconds.__setitem__(0, seconds[0] + s))
            broker = AlpacaBroker("alpaca", simulator.access(), patience, requests_per_minute=10_000)
            own.callback(broker.close)
            journal = open_journal(tmp_path / "journal.sqlite")
            instruments = (Instrument("AAPL", Decimal("0.01"), Decimal(1)),)
            account = Account("test", journal, broker, LIMITS, instruments, lambda: datetime.now(UTC))
            own.callback(account.close)
            account.deposit(Decimal(100_000))
            account.sync(datetime.now(UTC), MARKS)
            return account

        yield opened


def order(client_order_id: str, **changes: Any) -> OrderRequest:
    values: dict[str, Any] = {"side": Side.BUY, "strategy": "t", "time_in_force": TimeInForce.GTC}
    return OrderRequest(client_order_id, "AAPL", quantity=Decimal(10), **(values | changes))


def limit(price: str, **changes: Any) -> dict[str, Any]:
    return {"type": OrderType.LIMIT, "limit_price": Decimal(price), **changes}


def sent(simulator: AlpacaSimulator) -> list[str]:
    return [o["client_order_id"] for o in simulator.orders() if not o["head"]]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f["kind"])
@pytest.mark.parametrize("dies", [False, True])
def test_an_order_in_doubt_is_settled_and_sent_once(
    simulator: AlpacaSimulator, open_account: Open, seconds: list[float], fault: dict[str, Any], dies: bool
) -> None:
    account = open_account()
    simulator.fault(method="POST", path="/v2/orders", **fault)
    (report,) = account.submit([order("a")])
    assert report.status is OrderStatus.SUBMITTED
    if dies:
        account = open_account()
    for _ in range(2):
        seconds[0] += 10.0
        account.sync(datetime.now(UTC), MARKS)
    assert account.order("a").status is OrderStatus.FILLED
    assert sent(simulator) == ["a"]
    assert account.reconcile().differences == ()
    assert (account.state().cash, account.state().positions) == (Decimal(99_000), {"AAPL": Decimal(10)})


def test_an_order_that_arrives_after_it_was_given_up_is_booked_and_stops_trading(
    simulator: AlpacaSimulator, open_account: Open, seconds: list[float]
) -> None:
    account = open_account()
    simulator.fault("late", method="POST", path="/v2/orders", seconds=0.2)
    account.submit([order("a")])
    account.halt("strategy:t", "ann", "drill")
    seconds[0] += 10.0
    account.sync(datetime.now(UTC), MARKS)
    assert (account.order("a").status, account.order("a").not_sent) == (OrderStatus.REJECTED, False)
    simulator.arrived()
    for _ in range(2):
        account.sync(datetime.now(UTC), MARKS)
        assert account.order("a").status is OrderStatus.FILLED
        assert account.reconcile().differences == ()
        assert (account.state().cash, account.state().positions) == (Decimal(99_000), {"AAPL": Decimal(10)})
        assert account.state().halts.keys() == {"strategy:t", "account"}
        account = open_account()


@pytest.mark.parametrize("fault", [None, *FAULTS], ids=lambda f: "none" if f is None else f["kind"])
def test_a_bracket_through_account_and_wire(
    simulator: AlpacaSimulator, open_account: Open, seconds: list[float], fault: dict[str, Any] | None
) -> None:
    account = open_account()
    exits: dict[str, Any] = {"side": Side.SELL, "parent": "in", "oco_group": "x"}
    stop = {"type": OrderType.STOP, "stop_price": Decimal(90)}
    bracket = [order("in", **limit("95")), order("in.tp", **limit("110", **exits)), order("in.sl", **exits, **stop)]
    if fault is not None:
        simulator.fault(method="POST", path="/v2/orders", **fault)
    account.submit(bracket)
    account = open_account()
    seconds[0] += 10.0
    account.sync(datetime.now(UTC), MARKS)
    assert {o.status for o in account.orders()} == {OrderStatus.ACCEPTED}
    simulator.price("AAPL", "95")
    account.sync(datetime.now(UTC), {"AAPL": Decimal(95)})
    account = open_account()
    simulator.price("AAPL", "89")
    account.sync(datetime.now(UTC), {"AAPL": Decimal(89)})
    found = {o.request.client_order_id: o.status for o in account.orders()}
    assert found == {"in": OrderStatus.FILLED, "in.tp": OrderStatus.CANCELED, "in.sl": OrderStatus.FILLED}
    assert sent(simulator) == ["in"]
    assert account.reconcile().differences == ()
    assert (account.state().cash, account.state().positions) == (Decimal(99_940), {})
