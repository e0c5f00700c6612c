"""Orders and readings through the actor of a live account."""

from collections.abc import Iterator
from typing import Any

import pytest

from actors.live_account import start, stop
from deployments.gateway.mcp.actor_backend import ActorBackend
from nt_ray.config import Settings, load_settings
from nt_ray.trader.live_plan import SettingsPlan

pytestmark = pytest.mark.usefixtures("ray_cluster")


@pytest.fixture
def cluster(settings: Settings, tmp_path: Any) -> Iterator[ActorBackend]:
    venue = settings.brokers.table("paper")
    assert venue.key is not None
    assert venue.secret is not None
    table = {"kind": "alpaca", "url": venue.url, "key": venue.key.get_secret_value()}
    values = {f"brokers.desk.{k}": v for k, v in table.items()}
    values["brokers.desk.secret"] = venue.secret.get_secret_value()
    own = load_settings(None, {"brokers.enabled": "desk", "state": str(tmp_path), **values}, environ={})
    start(SettingsPlan(own, "desk", ("AAPL",)))
    yield ActorBackend(own)
    stop("desk")


def test_an_assistant_trades_through_the_accounts_actor(desk: Any, cluster: ActorBackend) -> None:
    on_cluster = type(desk)(cluster)
    order = {"account": "desk", "client_order_id": "by-actor", "symbol": "AAPL", "action": "buy", "quantity": 1}
    told = on_cluster.answer("execute_trade", {**order, "order_type": "limit", "limit_price": "50"})
    assert told["status"] == "accepted"
    assert [p["account"] for p in on_cluster.answer("get_portfolio_status")["portfolios"]] == ["desk"]
    seen = on_cluster.answer("get_execution_analytics", {"account": "desk", "time_period": "all"})
    assert seen["accounts"][0]["by_status"] == {"accepted": 1}
    denied = on_cluster.answer("execute_trade", {**order, "client_order_id": "odd", "quantity": "0.0000001"})
    assert (denied["status"], denied["rule"]) == ("denied", "lot")
    wrong = on_cluster.answer("execute_trade", {**order, "client_order_id": "unlisted", "symbol": "NOSUCH"})
    assert wrong["status"] == "denied"
    assert on_cluster.problem("execute_trade", {**order, "account": "nobody"})["code"] == "config"
