"""The whole gateway on a real Ray Serve: two replicas, an account's actor, Alpaca's client, a killed replica."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
import ray
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderSide, OrderStatus, TimeInForce
from alpaca.trading.requests import LimitOrderRequest, MarketOrderRequest
from ray.util import list_named_actors

from actors.live_account import start as start_account
from actors.live_account import stop as stop_account
from deployments.gateway import serving
from nt_ray.access.gatekeeper import open_gatekeeper
from nt_ray.access.roles import Role
from nt_ray.config import load_settings
from nt_ray.market.archive import save_panel
from nt_ray.market.source import load_panel
from nt_ray.trader.live_plan import ExchangePlan
from nt_ray.trader.watcher import Pace

pytestmark = pytest.mark.usefixtures("ray_cluster")

ROW = 7000
PACE = Pace(sync_s=0.5, hear_s=0.02)


def free_port() -> int:
    with socket.socket() as room:
        room.bind(("127.0.0.1", 0))
        return int(room.getsockname()[1])


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> ExchangePlan:
    folder = tmp_path_factory.mktemp("exchange")
    save_panel(load_panel("sp500"), folder / "bars")
    return ExchangePlan("paper", folder, folder / "bars", ROW, Decimal(1_000_000))


@pytest.fixture(scope="module")
def gateway(
    ray_cluster: None, plan: ExchangePlan, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    folder = tmp_path_factory.mktemp("access")
    values = {"access.folder": str(folder), "gateway.port": str(free_port()), "gateway.replicas": "2"}
    values |= {"access.per_minute": "1000000", "access.address_per_minute": "1000000", "runs": str(folder / "runs")}
    settings = load_settings(None, values | {"state": str(folder)}, environ={})
    gatekeeper = open_gatekeeper(settings.access)
    gatekeeper.users.add("ann", Role.USER)
    made = gatekeeper.keys.add("ann", accounts={"paper"})
    start_account(plan, PACE)
    url = serving.start(settings)
    yield {"url": url, "key": made.key.id, "secret": made.secret}
    serving.stop()
    stop_account("paper")


@pytest.fixture
def client(gateway: dict[str, str]) -> Iterator[TradingClient]:
    made = TradingClient(gateway["key"], gateway["secret"], url_override=gateway["url"])
    yield made
    made._session.close()


def replicas() -> list[str]:
    found = [actor["name"] for actor in list_named_actors(all_namespaces=True) if actor["namespace"] == "serve"]
    return [name for name in found if name.startswith("SERVE_REPLICA::gateway#gateway")]


def test_the_official_client_trades_at_the_simulated_exchange_across_bars(
    client: TradingClient, plan: ExchangePlan
) -> None:
    terms: dict[str, Any] = {"symbol": "AAPL", "side": OrderSide.BUY, "time_in_force": TimeInForce.GTC}
    sent = client.submit_order(MarketOrderRequest(qty=100, client_order_id="across", **terms))
    assert sent.status is OrderStatus.NEW
    assert client.get_order_by_client_id("across").id == sent.id
    assert client.submit_order(MarketOrderRequest(qty=100, client_order_id="across", **terms)).id == sent.id
    # The next bar comes: the account's actor is opened again, one row on.
    stop_account("paper")
    start_account(replace(plan, row=ROW + 1), PACE)
    deadline = time.monotonic() + 30
    while (done := client.get_order_by_id(sent.id)).status is not OrderStatus.FILLED:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    position = client.get_open_position("AAPL")
    assert (position.qty, done.filled_qty) == ("100", "100")
    assert position.avg_entry_price == done.filled_avg_price
    account = client.get_account()
    assert Decimal(account.cash) < Decimal(1_000_000) - 100 * Decimal(done.filled_avg_price) + 1
    assert [a["symbol"] for a in client.get("/account/activities/FILL")] == ["AAPL"]


def send_and_kill(url: str, headers: dict[str, str], replica: str, names: list[str]) -> None:
    """Send an order under each name, and kill a replica after the fifth."""
    panel = load_panel("sp500")
    price = float(panel.closes[ROW, panel.symbols.index("AAPL")])
    with httpx.Client(base_url=url, headers=headers, timeout=30) as writer:
        for number, name in enumerate(names):
            if number == 5:
                ray.kill(ray.get_actor(replica, "serve"))
            order = LimitOrderRequest(
                symbol="AAPL", qty=1, side=OrderSide.BUY, time_in_force=TimeInForce.GTC, client_order_id=name,
                limit_price=round(price * (0.8 + number / 1000), 2),
            )  # fmt: skip
            for _ in range(20):
                # Whoever gets no answer sends the same order again, under its id.
                with suppress(httpx.HTTPError):
                    told = writer.post("/v2/orders", json=order.to_request_fields())
                    if told.status_code < 500:
                        break
                time.sleep(0.1)
            assert told.status_code == 200, told.text


def test_a_replica_that_is_killed_under_load_costs_no_order_and_no_answer_to_a_client_that_repeats(
    client: TradingClient, gateway: dict[str, str]
) -> None:
    before = replicas()
    assert len(before) == 2
    headers = {"APCA-API-KEY-ID": gateway["key"], "APCA-API-SECRET-KEY": gateway["secret"]}
    failed: list[object] = []
    ends = threading.Event()

    def read() -> None:
        with httpx.Client(base_url=gateway["url"], headers=headers, timeout=30) as http:
            while not ends.is_set():
                try:
                    if (status := http.get("/v2/clock").status_code) != 200:
                        failed.append(status)
                except httpx.HTTPError as error:
                    failed.append(error)

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    names = [f"kill-{number}" for number in range(20)]
    try:
        send_and_kill(gateway["url"], headers, before[0], names)
    finally:
        ends.set()
        for thread in threads:
            thread.join()
    # What one replica had in hand when it died may be lost, and nothing else.
    assert len(failed) <= len(threads)
    listed = client.get("/orders", {"status": "all", "limit": 500})
    mine = [order["client_order_id"] for order in listed if order["client_order_id"].startswith("kill-")]
    assert sorted(mine) == sorted(names)


def test_readiness_and_the_platforms_parts_answer_on_serve(gateway: dict[str, str]) -> None:
    assert httpx.get(gateway["url"] + "/health/ready").text == "ready"
    found = httpx.get(gateway["url"] + "/openapi.json").json()
    assert {"/v2/orders", "/api/v1/auth/token", "/health"} <= found["paths"].keys()
    assert ray.is_initialized()
    assert Path("deployments/gateway/serve.yaml").exists()
