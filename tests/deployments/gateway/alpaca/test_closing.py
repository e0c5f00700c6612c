"""Positions are closed once, whoever closes them and how often; what the venue refuses keeps the venue's words."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from nt_ray.brokers.alpaca.simulator.simulator import AlpacaSimulator
from nt_ray.config import load_settings
from nt_ray.market.archive import save_panel
from nt_ray.market.source import load_panel
from nt_ray.trader.live_account import LiveAccount
from nt_ray.trader.live_plan import ExchangePlan, SettingsPlan
from nt_ray.trading.orders import OrderRequest, Side

ROW = 7000
HELD = Decimal(100)
INSUFFICIENT = 40310000
STOP = {"symbol": "AAPL", "side": "sell", "type": "stop", "time_in_force": "gtc", "stop_price": "30"}


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exchange") / "bars"
    save_panel(load_panel("sp500", symbols=["AAPL", "KO"]), folder)
    return folder


@dataclass
class Holder:
    """A gateway before an account that holds 100 AAPL and 100 KO at an exchange whose next bar does not come."""

    http: httpx.Client
    live: LiveAccount

    def closes(self, symbol: str = "AAPL", **asked: str) -> httpx.Response:
        return self.http.delete(f"/v2/positions/{symbol}", params=asked)

    def sold(self, symbol: str = "AAPL") -> Decimal:
        """What all open sales would sell together."""
        self.live.sync()
        working = (order for order in self.live.orders() if order.status.is_open)
        return sum((o.remaining for o in working if o.request.symbol == symbol), Decimal(0))


@pytest.fixture
def holder(bars: Path, tmp_path: Path, open_desk: Any) -> Iterator[Holder]:
    plan = ExchangePlan("paper", tmp_path, bars, ROW, Decimal(1_000_000))
    buys = [OrderRequest(f"b-{symbol}", symbol, Side.BUY, HELD, "test") for symbol in ("AAPL", "KO")]
    first = LiveAccount(plan, watch=False)
    first.submit(buys)
    first.close()
    desk = open_desk(replace(plan, row=ROW + 1))
    live = desk.backend.accounts.live["paper"]
    live.sync()
    assert live.positions() == {"AAPL": HELD, "KO": HELD}
    with desk.client(timeout=30) as http:
        yield Holder(http, live)


def is_insufficient(told: httpx.Response, requested: str, available: str) -> bool:
    words = f"insufficient qty available for order (requested: {requested}, available: {available})"
    return (told.status_code, told.json()["code"], told.json()["message"]) == (403, INSUFFICIENT, words)


def test_a_position_is_closed_once_however_often_it_is_asked_for(holder: Holder) -> None:
    first = holder.closes()
    assert (first.status_code, first.json()["qty"], first.json()["side"]) == (200, "100", "sell")
    for _ in range(2):
        again = holder.closes()
        assert is_insufficient(again, "100", "0")
    told = again.json()
    assert (told["symbol"], told["existing_qty"], told["held_for_orders"]) == ("AAPL", "100", "100")
    assert told["related_orders"] == [first.json()["id"]]
    assert holder.sold() == HELD


def test_clients_that_close_at_once_sell_together_what_is_held(holder: Holder) -> None:
    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(lambda _: holder.closes(qty="30"), range(8)))
    assert sorted(answer.status_code for answer in told) == [200] * 3 + [403] * 5
    assert all(is_insufficient(answer, "30", "10") for answer in told if answer.status_code == 403)
    assert holder.sold() == 90


def test_what_open_orders_sell_is_not_closed_again_until_they_are_cancelled(holder: Holder) -> None:
    stop = holder.http.post("/v2/orders", json=STOP | {"qty": "60"})
    assert stop.status_code == 200, stop.text
    assert is_insufficient(holder.closes(), "100", "40")
    assert is_insufficient(holder.closes(percentage="50"), "50", "40")
    all_of_them = {answer["symbol"]: answer for answer in holder.http.delete("/v2/positions").json()}
    assert {symbol: answer["status"] for symbol, answer in all_of_them.items()} == {"AAPL": 403, "KO": 200}
    assert all_of_them["AAPL"]["body"]["code"] == INSUFFICIENT
    assert all_of_them["AAPL"]["body"]["related_orders"] == [stop.json()["id"]]
    assert holder.sold() == 60
    freed = holder.http.delete("/v2/positions", params={"cancel_orders": "true"}).json()
    assert {answer["status"] for answer in freed} == {200}
    assert (holder.sold(), holder.sold("KO")) == (HELD, HELD)


def test_an_intent_is_held_against_the_position_as_the_order_comes_in(holder: Holder) -> None:
    sale = {"symbol": "AAPL", "qty": "60", "type": "market", "time_in_force": "day", "position_intent": "sell_to_close"}
    assert holder.http.post("/v2/orders", json=sale).status_code == 200
    assert is_insufficient(holder.http.post("/v2/orders", json=sale), "60", "40")
    wrong = holder.http.post("/v2/orders", json=sale | {"position_intent": "sell_to_open"}).json()
    words = "position intent mismatch, inferred: sell_to_close, specified: sell_to_open"
    assert (wrong["code"], wrong["message"]) == (42210000, words)


def test_what_the_venue_refuses_keeps_its_status_code_and_message_after_a_restart_too(
    simulator: AlpacaSimulator, tmp_path: Path, open_desk: Any
) -> None:
    values = {"brokers.enabled": "paper", "state": str(tmp_path)}
    table = {"kind": "alpaca", "url": simulator.url, "data_url": simulator.url, "key": "PKSIMULATED"}
    values |= {f"brokers.paper.{key}": value for key, value in (table | {"secret": "simulated-secret"}).items()}
    values |= {"risk.duplicate_window_s": "0", "risk.max_gross_exposure": "20", "risk.max_order_size": "1e9"}
    values |= {"risk.max_net_exposure": "20", "risk.max_concentration": "20", "risk.max_position_size": "1e9"}
    plan = SettingsPlan(load_settings(None, values, environ={}), "paper", ("AAPL", "MSFT"))
    buy = {"symbol": "AAPL", "side": "buy", "type": "market", "time_in_force": "day"}
    desk = open_desk(plan)
    with desk.client(timeout=30) as http:
        too_much = buy | {"qty": "10000", "client_order_id": "too-much"}
        for told in (http.post("/v2/orders", json=too_much), http.post("/v2/orders", json=too_much)):
            said = (told.status_code, told.json()["code"], told.json()["message"])
            assert said == (403, INSUFFICIENT, "insufficient buying power")
        fraction = buy | {"side": "sell", "qty": "0.5"}
        told = http.post("/v2/orders", json=fraction)
        said = (told.status_code, told.json()["code"], told.json()["message"])
        assert said == (422, 42210000, "fractional orders cannot be sold short")
    desk.backend.accounts.live["paper"].close()
    again = LiveAccount(plan, watch=False)
    (report,) = again.submit([again.order("too-much").request])
    again.close()
    assert report.verdict is not None
    assert (report.verdict.status, report.verdict.code) == (403, INSUFFICIENT)
