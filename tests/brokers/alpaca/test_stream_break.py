"""A stream that breaks between two parts of an execution: what it lost is found, and nothing is booked twice."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from nt_ray.brokers.alpaca.broker import AlpacaBroker
from nt_ray.brokers.alpaca.simulator.simulator import AlpacaSimulator
from nt_ray.market.bars import Instrument
from nt_ray.risk.limits import RiskLimits
from nt_ray.storage.opening import open_journal
from nt_ray.trader.account import Account
from nt_ray.trading.orders import OrderRequest, OrderStatus, OrderType, Side, TimeInForce

LIMIT = {"type": OrderType.LIMIT, "limit_price": Decimal(95), "time_in_force": TimeInForce.GTC}


@pytest.mark.parametrize("asks_first", [False, True], ids=["hears first", "asks first"])
def test_a_part_that_the_stream_lost_is_booked_once_whoever_tells_of_the_rest_first(
    simulator: AlpacaSimulator, connect: Callable[..., AlpacaBroker], tmp_path: Path, asks_first: bool
) -> None:
    broker = connect()
    instruments = [Instrument("AAPL", Decimal("0.01"), Decimal(1))]
    account = Account(
        "test", open_journal(tmp_path / "j.sqlite"), broker, RiskLimits(), instruments, lambda: datetime.now(UTC)
    )  # fmt: skip
    account.deposit(Decimal(100_000))
    account.sync(datetime.now(UTC), {"AAPL": Decimal(100)})
    account.hear(broker.updates())
    assert broker.stream.wait_until_listening(10)
    account.submit([OrderRequest("a", "AAPL", Side.BUY, Decimal(10), "t", **LIMIT)])
    simulator.fault("stream_close", event="partial_fill")
    simulator.price("AAPL", "95", size="4")
    for _ in range(3000):
        if broker.stream.broken and broker.stream.wait_until_listening(10):
            break
        time.sleep(0.01)
    assert any("stream broke: 1" in sentence for sentence in broker.warnings())
    if asks_first:
        account.sync(datetime.now(UTC), {"AAPL": Decimal(95)})
        assert account.order("a").filled_quantity == 4
    simulator.price("AAPL", "95", size="6")
    for _ in range(500):
        if account.hear(broker.updates()) and account.order("a").filled_quantity >= 6:
            break
        broker.stream.wait_for_message(0.05)
    assert account.order("a").filled_quantity == (10 if asks_first else 6)
    account.sync(datetime.now(UTC), {"AAPL": Decimal(95)})
    assert [fill.quantity for fill in sorted(account.fills(), key=lambda fill: fill.execution_id)] in ([6, 4], [4, 6])
    assert (account.order("a").status, account.state().positions) == (OrderStatus.FILLED, {"AAPL": Decimal(10)})
    assert account.reconcile().differences == ()
    account.close()
