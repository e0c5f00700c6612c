"""What a live account learns from the venue of its plan: prices with the times of their trades."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from nt_ray.brokers.alpaca.simulator.simulator import AlpacaSimulator
from nt_ray.config import load_settings
from nt_ray.trader.live_account import LiveAccount
from nt_ray.trader.live_plan import SettingsPlan
from nt_ray.trading.orders import OrderRequest, OrderStatus, Side, TimeInForce


@pytest.fixture
def simulator() -> Iterator[AlpacaSimulator]:
    with AlpacaSimulator(requests_per_minute=100_000) as running:
        yield running


def plan_of(simulator: AlpacaSimulator, folder: Path, **more: Any) -> SettingsPlan:
    table = {"kind": "alpaca", "url": simulator.url, "key": "PKSIMULATED", "secret": "simulated-secret"}
    values = {f"brokers.paper.{field}": value for field, value in table.items()}
    settings = load_settings(None, {"brokers.enabled": "paper", "state": str(folder), **values, **more}, environ={})
    return SettingsPlan(settings, "paper", ("AAPL",))


def order(name: str, side: Side, quantity: int = 1) -> OrderRequest:
    return OrderRequest(name, "AAPL", side, Decimal(quantity), "test", time_in_force=TimeInForce.GTC)


def test_a_last_trade_of_long_ago_lets_only_reductions_pass(simulator: AlpacaSimulator, tmp_path: Path) -> None:
    account = LiveAccount(plan_of(simulator, tmp_path, **{"risk.max_reference_age_s": "600"}), watch=False)
    try:
        assert account.submit([order("first", Side.BUY)])[0].status.is_open
        account.sync()
        assert account.positions() == {"AAPL": 1}
    finally:
        account.close()
    old = datetime.now(UTC) - timedelta(minutes=20)
    simulator.price("AAPL", "100", time=old.isoformat())
    # Opened anew, it knows no younger price.
    account = LiveAccount(plan_of(simulator, tmp_path, **{"risk.max_reference_age_s": "600"}), watch=False)
    try:
        account.sync()
        assert account.submit([order("adds", Side.BUY)])[0].rule == "stale_reference"
        assert account.submit([order("reduces", Side.SELL)])[0].status in (OrderStatus.ACCEPTED, OrderStatus.FILLED)
        simulator.price("AAPL", "101")
        account.sync()
        assert account.submit([order("again", Side.BUY)])[0].status in (OrderStatus.ACCEPTED, OrderStatus.FILLED)
    finally:
        account.close()


def test_limits_that_look_back_read_the_daily_bars_of_the_venue(simulator: AlpacaSimulator, tmp_path: Path) -> None:
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    # One day in ten loses a tenth, the next one wins it back; a million shares trade each day.
    for day in range(60):
        time, price = midnight - timedelta(days=60 - day), "90" if day % 10 == 0 else "100"
        simulator.price("AAPL", price, time=time.isoformat(), size="1000000")
    simulator.price("AAPL", "100", size="1000")
    limits = {"risk.max_var": "0.01", "risk.var_window": "40", "risk.max_volume_share": "0.00015"}
    account = LiveAccount(plan_of(simulator, tmp_path, **limits), watch=False)
    try:
        # A tenth of 100,000 may be held at a value at risk of a hundredth of it.
        assert account.submit([order("fits", Side.BUY, 100)])[0].status.is_open
        assert account.submit([order("beyond", Side.BUY, 10)])[0].rule == "portfolio_var"
        assert account.submit([order("flood", Side.BUY, 151)])[0].rule == "volume_share"
    finally:
        account.close()
