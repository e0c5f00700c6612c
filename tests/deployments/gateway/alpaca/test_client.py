"""Every method of the official client: it works here, or it is refused by name. A new one has to be looked at."""

import inspect
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from alpaca.common.exceptions import APIError
from alpaca.common.rest import RESTClient
from alpaca.trading import requests as r
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import AssetStatus, CorporateActionType, OrderSide, QueryOrderStatus, TimeInForce

from nt_ray.access.roles import Role

WATCHED = ["MSFT", "AAPL"]


@pytest.fixture
def admin(shared_desk: Any) -> Iterator[TradingClient]:
    key, secret = shared_desk.new_key(Role.ADMIN, accounts=frozenset({"paper"}))
    made = TradingClient(key, secret, url_override=shared_desk.url)
    yield made
    made._session.close()


def limit(price: float = 60, **more: Any) -> r.LimitOrderRequest:
    values = {"symbol": "AAPL", "qty": 1, "side": OrderSide.BUY, "time_in_force": TimeInForce.GTC} | more
    return r.LimitOrderRequest(limit_price=price, **values)


def orders(c: TradingClient) -> Iterator[str]:
    sent = c.submit_order(limit(client_order_id="mine"))
    yield "submit_order"
    listed = c.get_orders(r.GetOrdersRequest(status=QueryOrderStatus.ALL, symbols=["AAPL", "MSFT"], limit=5))
    assert [o.id for o in listed] == [sent.id]
    yield "get_orders"
    assert c.get_order_by_id(sent.id, r.GetOrderByIdRequest(nested=True)).id == sent.id
    yield "get_order_by_id"
    assert c.get_order_by_client_id("mine").id == sent.id
    yield "get_order_by_client_id"
    new = c.replace_order_by_id(sent.id, r.ReplaceOrderRequest(limit_price=61, time_in_force=TimeInForce.DAY))
    assert (new.limit_price, new.time_in_force) == ("61", TimeInForce.DAY)
    yield "replace_order_by_id"
    c.cancel_order_by_id(new.id)
    yield "cancel_order_by_id"
    last = c.submit_order(limit(62))
    assert [(a.id, a.status) for a in c.cancel_orders()] == [(last.id, 200)]
    yield "cancel_orders"


def market(c: TradingClient) -> Iterator[str]:
    (apple, microsoft) = c.get_all_assets(r.GetAssetsRequest(status=AssetStatus.ACTIVE))
    yield "get_all_assets"
    assert c.get_asset("AAPL").id == c.get_asset(apple.id).id == apple.id != microsoft.id
    yield "get_asset"
    assert c.get_clock().next_open.tzinfo is not None
    yield "get_clock"
    assert len(c.get_calendar(r.GetCalendarRequest(start="2026-11-26", end="2026-11-27"))) == 1
    yield "get_calendar"


def account(c: TradingClient) -> Iterator[str]:
    assert c.get_account().account_number == "paper"
    yield "get_account"
    found = c.get_account_configurations()
    yield "get_account_configurations"
    assert c.set_account_configurations(found) == found
    yield "set_account_configurations"
    assert c.get_portfolio_history(r.GetPortfolioHistoryRequest(period="3M", timeframe="1D")).timeframe == "1D"
    yield "get_portfolio_history"
    assert c.get_all_positions() == []
    yield "get_all_positions"
    assert c.close_all_positions(cancel_orders=True) == []
    yield "close_all_positions"
    for method in (c.get_open_position, c.close_position):
        with pytest.raises(APIError) as error:
            method("AAPL")
        assert (error.value.status_code, error.value.code) == (404, 40410000)
        yield method.__name__


def watchlists(c: TradingClient) -> Iterator[str]:
    made = c.create_watchlist(r.CreateWatchlistRequest(name="Two", symbols=WATCHED))
    assert [a.symbol for a in made.assets or ()] == WATCHED
    yield "create_watchlist"
    assert [(w.id, w.name, w.assets) for w in c.get_watchlists()] == [(made.id, "Two", None)]
    yield "get_watchlists"
    assert c.get_watchlist_by_id(made.id) == made
    yield "get_watchlist_by_id"
    changed = c.update_watchlist_by_id(made.id, r.UpdateWatchlistRequest(name="One", symbols=["MSFT"]))
    assert (changed.name, [a.symbol for a in changed.assets or ()]) == ("One", ["MSFT"])
    yield "update_watchlist_by_id"
    more = c.add_asset_to_watchlist_by_id(made.id, "AAPL")
    assert [a.symbol for a in more.assets or ()] == WATCHED
    yield "add_asset_to_watchlist_by_id"
    less = c.remove_asset_from_watchlist_by_id(made.id, "MSFT")
    assert [a.symbol for a in less.assets or ()] == ["AAPL"]
    yield "remove_asset_from_watchlist_by_id"
    c.delete_watchlist_by_id(made.id)
    assert c.get_watchlists() == []
    yield "delete_watchlist_by_id"


REFUSED: dict[str, Callable[[TradingClient], Any]] = {
    "exercise_options_position": lambda c: c.exercise_options_position("AAPL260116C00200000"),
    "get_option_contracts": lambda c: c.get_option_contracts(r.GetOptionContractsRequest(underlying_symbols=["AAPL"])),
    "get_option_contract": lambda c: c.get_option_contract("AAPL260116C00200000"),
    "get_corporate_announcements": lambda c: c.get_corporate_announcements(
        r.GetCorporateAnnouncementsRequest(
            ca_types=[CorporateActionType.DIVIDEND], since="2026-01-01", until="2026-01-31"
        )
    ),
    "get_corporate_announcement_by_id": lambda c: c.get_corporate_announcement_by_id(uuid4()),
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_every_method_of_the_official_client_works_or_is_refused_by_name(admin: TradingClient) -> None:
    done = {name for part in (orders, market, account, watchlists) for name in part(admin)}
    for call in REFUSED.values():
        with pytest.raises(APIError) as error:
            call(admin)
        assert (error.value.status_code, error.value.code) == (404, 40410000)
        assert "here. Use the venue itself" in error.value.message
    own = {name for name, _ in inspect.getmembers(TradingClient, inspect.isfunction) if not name.startswith("_")}
    assert done | REFUSED.keys() == own - {name for name, _ in inspect.getmembers(RESTClient)}


def test_watchlists_by_name_and_what_they_refuse(shared_desk: Any) -> None:
    with shared_desk.client() as http:
        named = {"params": {"name": "By name"}}
        made = http.post("/v2/watchlists", json={"name": "By name", "symbols": ["AAPL"]})
        assert http.get("/v2/watchlists:by_name", **named).json() == made.json()
        assert http.post("/v2/watchlists", json={"name": "By name"}).json()["code"] == 40010001
        more = http.post("/v2/watchlists:by_name", json={"symbol": "MSFT"}, **named).json()
        assert [a["symbol"] for a in more["assets"]] == ["AAPL", "MSFT"]
        assert http.put("/v2/watchlists:by_name", json={"symbols": []}, **named).json()["assets"] == []
        for body in ({"symbols": ["NONE"]}, {}, {"name": ""}, {"name": "x" * 65}, {"unknown": 1}):
            told = http.put("/v2/watchlists:by_name", json=body, **named)
            assert (told.status_code, told.json()["code"]) == (422, 40010001), body
        assert http.delete("/v2/watchlists:by_name", **named).status_code == 204
        for told in (http.get("/v2/watchlists:by_name", **named), http.delete(f"/v2/watchlists/{made.json()['id']}")):
            assert (told.status_code, told.json()["code"]) == (404, 40410000)
