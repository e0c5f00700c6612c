"""Orders and readings through the actor of a live account."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from actors import live_sessions
from actors.live_account import start, stop
from deployments.gateway.mcp.actor_backend import ActorBackend
from nt_ray.access.roles import Role
from nt_ray.brokers.alpaca.simulator.simulator import AlpacaSimulator
from nt_ray.config import load_settings
from nt_ray.trader.live_plan import SettingsPlan

pytestmark = pytest.mark.usefixtures("ray_cluster")


@pytest.fixture
def own_venue() -> Iterator[AlpacaSimulator]:
    """A venue of one's own: what is held at a shared one is traded here too."""
    with AlpacaSimulator(requests_per_minute=10**6) as simulator:
        yield simulator


@pytest.fixture
def cluster(own_venue: AlpacaSimulator, tmp_path: Any) -> Iterator[ActorBackend]:
    access = own_venue.access()
    table = {"kind": "alpaca", "url": own_venue.url, "key": access.key.get_secret_value()}
    values = {f"brokers.desk.{k}": v for k, v in table.items()}
    values["brokers.desk.secret"] = access.secret.get_secret_value()
    own = load_settings(None, {"brokers.enabled": "desk", "state": str(tmp_path), **values}, environ={})
    start(SettingsPlan(own, "desk", ("AAPL",)))
    yield ActorBackend(own)
    stop("desk")


def test_an_assistant_trades_through_the_accounts_actor(desk: Any, cluster: ActorBackend) -> None:
    on_cluster = type(desk)(cluster)
    order = {"account": "desk", "client_order_id": "by-actor", "symbol": "AAPL", "side": "buy", "qty": 1,
             "type": "limit", "limit_price": "90", "time_in_force": "day"}  # fmt: skip
    [told] = on_cluster.answer("execute_trade", order)["results"]
    assert told["status"] == "accepted"
    assert [p["account"] for p in on_cluster.answer("get_portfolio_status")["portfolios"]] == ["desk"]
    seen = on_cluster.answer("get_execution_analytics", {"account": "desk", "time_period": "all"})
    assert seen["accounts"][0]["by_status"] == {"accepted": 1}
    [denied] = on_cluster.answer("execute_trade", {**order, "client_order_id": "odd", "qty": "0.0000000001"})["results"]
    assert (denied["status"], denied["rule"]) == ("denied", "lot")
    [wrong] = on_cluster.answer("execute_trade", {**order, "client_order_id": "unlisted", "symbol": "NOSUCH"})[
        "results"
    ]
    assert wrong["status"] == "denied"
    assert on_cluster.problem("execute_trade", {**order, "account": "nobody"})["code"] == "not_found"


def test_an_assistant_lets_one_strategy_trade_in_the_place_of_another(
    desk: Any, cluster: ActorBackend, own_venue: AlpacaSimulator
) -> None:
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for day in range(30, 0, -1):
        own_venue.price("AAPL", "100", time=(midnight - timedelta(days=day)).isoformat(), size="1000")
    own_venue.price("AAPL", "100")
    on_cluster = type(desk)(cluster)
    switch = {"account": "desk", "name": "breakout", "to": "momentum", "reason": "tired"}
    try:
        missing = on_cluster.problem("switch_active_strategy", {**switch, "symbols": ["TSLA"]})
        assert missing["code"] == "untraded_symbols"
        wrong = on_cluster.problem("switch_active_strategy", {**switch, "parameters": {"nonsense": 1}})
        assert wrong["code"] == "strategy"
        assert on_cluster.backend.state("desk").halts == {}
        begin = {"account": "desk", "name": "breakout", "reason": "a try"}
        assert on_cluster.acting(Role.READ_ONLY).problem("deploy_trading_agent", begin)["code"] == "forbidden"
        [begun] = on_cluster.answer("deploy_trading_agent", begin)["sessions"]
        assert (begun["session"], begun["symbols"], begun["who"]) == ("breakout-1", ["AAPL"], "ann")
        assert on_cluster.problem("deploy_trading_agent", {**begin, "account": "nobody"})["code"] == "not_found"
        told = on_cluster.answer("switch_active_strategy", {**switch, "parameters": {"lookback": 5}})
        [trades] = told["sessions"]
        assert (trades["session"], trades["symbols"]) == ("momentum-2", ["AAPL"])
        assert set(on_cluster.backend.state("desk").halts) == {"strategy:breakout"}
        back = {**switch, "name": "momentum", "to": "breakout"}
        [back_again] = on_cluster.answer("switch_active_strategy", back)["sessions"]
        assert back_again["session"] == "breakout-3"
        [left] = live_sessions.ask(cluster.settings, "statuses")
        assert left.session.id == "breakout-3"
    finally:
        live_sessions.stop()
