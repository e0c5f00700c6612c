"""What watches a live account asks its actor: the steps of an order, its tally, its board."""

from decimal import Decimal
from pathlib import Path

import pytest
import ray

from actors.live_account import start, stop
from nt_ray.brokers.alpaca.simulator.simulator import AlpacaSimulator
from nt_ray.config import load_settings
from nt_ray.trader.live_plan import SettingsPlan
from nt_ray.trader.steps import ORDER_STEPS
from nt_ray.trading.orders import OrderRequest, OrderStatus, Side, TimeInForce

pytestmark = pytest.mark.usefixtures("ray_cluster")


def test_the_actor_tells_steps_tally_and_board(tmp_path: Path) -> None:
    with AlpacaSimulator(requests_per_minute=100_000) as simulator:
        table = {"kind": "alpaca", "url": simulator.url, "key": "PKSIMULATED", "secret": "simulated-secret"}
        values = {f"brokers.watched.{field}": value for field, value in table.items()}
        settings = load_settings(None, {"brokers.enabled": "watched", "state": str(tmp_path), **values})
        account = start(SettingsPlan(settings, "watched", ("AAPL",)))
        try:
            good = OrderRequest("o-1", "AAPL", Side.BUY, Decimal(2), "test", time_in_force=TimeInForce.GTC)
            large = OrderRequest("o-2", "AAPL", Side.BUY, Decimal(10**9), "test", time_in_force=TimeInForce.GTC)
            reports, steps = ray.get(account.submit_timed.remote([good, large]))
            ray.get(account.sync.remote())
            tally, board = ray.get([account.tally.remote(), account.board.remote(10)])
        finally:
            stop("watched")
    assert reports[1].status is OrderStatus.DENIED
    assert tuple(step.name for step in steps) == ORDER_STEPS
    assert tally.orders == {"filled": 1, "denied": 1}
    assert [(line.strategy, line.symbol, line.executions) for line in tally.traded] == [("test", "AAPL", 1)]
    assert [found.order.request.client_order_id for found in board.orders] == ["o-2", "o-1"]
    assert board.orders[0].order.rule == reports[1].rule
    gross = next(usage for usage in board.limits if usage.name == "max_gross_exposure")
    holding = board.overview.holdings[0]
    assert gross.value == pytest.approx(float(holding.value / board.overview.equity))
    assert gross.limit == 2.0
