"""Alpaca's own client trades through the gateway, with only its address changed."""

import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from alpaca.common.exceptions import APIError
from alpaca.trading import requests as r
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import (
    AccountStatus,
    OrderClass,
    OrderSide,
    OrderStatus,
    OrderType,
    QueryOrderStatus,
    TimeInForce,
)
from alpaca.trading.models import Order

from nt_ray.brokers.alpaca.simulator.simulator import AlpacaSimulator


@pytest.fixture
def client(desk: Any) -> Iterator[TradingClient]:
    made = TradingClient(desk.key, desk.secret, url_override=desk.url)
    yield made
    made._session.close()


def market(qty: float = 10, side: OrderSide = OrderSide.BUY, **more: Any) -> r.MarketOrderRequest:
    values = {"symbol": "AAPL", "time_in_force": TimeInForce.DAY} | more
    return r.MarketOrderRequest(qty=qty, side=side, **values)


def limit(price: float, qty: float = 10, side: OrderSide = OrderSide.BUY, **more: Any) -> r.LimitOrderRequest:
    values = {"symbol": "AAPL", "time_in_force": TimeInForce.DAY} | more
    return r.LimitOrderRequest(qty=qty, side=side, limit_price=price, **values)


def until(is_so: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 60
    while not (found := is_so()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found


def filled(client: TradingClient, order: Order) -> Order:
    return until(lambda: (o := client.get_order_by_id(order.id)).status is OrderStatus.FILLED and o)


def code_of(error: pytest.ExceptionInfo[APIError]) -> tuple[int, int]:
    return error.value.status_code, error.value.code


def test_a_market_order_fills_and_shows_up_as_position_account_and_activity(
    client: TradingClient, simulator: AlpacaSimulator
) -> None:
    sent = client.submit_order(market(client_order_id="first"))
    done = filled(client, sent)
    assert (done.client_order_id, done.qty, done.filled_qty, done.filled_avg_price) == ("first", "10", "10", "100")
    assert (done.order_class, done.type, done.side, done.symbol) == ("simple", "market", "buy", "AAPL")
    assert done.filled_at is not None
    simulator.price("AAPL", "110")
    position = until(lambda: (p := client.get_open_position("AAPL")).current_price == "110" and p)
    assert (position.qty, position.avg_entry_price, position.market_value) == ("10", "100", "1100")
    assert (position.unrealized_pl, position.cost_basis, position.side) == ("100", "1000", "long")
    assert client.get_open_position(position.asset_id).symbol == "AAPL"
    assert [p.symbol for p in client.get_all_positions()] == ["AAPL"]
    account = client.get_account()
    cash, holdings = simulator.holdings()
    assert Decimal(account.cash) == cash
    assert Decimal(account.equity) == cash + 1100
    assert (account.status, account.currency, holdings) == (AccountStatus.ACTIVE, "USD", {"AAPL": Decimal(10)})
    fills = client.get("/account/activities/FILL")
    assert [(f["price"], f["qty"], f["cum_qty"], f["leaves_qty"]) for f in fills] == [("100", "10", "10", "0")]
    assert fills[0]["order_id"] == str(done.id)
    both = client.get("/account/activities", {"direction": "asc", "page_size": 1})
    rest = client.get("/account/activities", {"direction": "asc", "page_token": both[0]["id"]})
    assert [a["activity_type"] for a in (*both, *rest)] == ["CSD", "FILL"]


def test_orders_are_listed_looked_up_replaced_and_cancelled(client: TradingClient) -> None:
    first = client.submit_order(limit(60, client_order_id="one"))
    second = client.submit_order(limit(161, symbol="MSFT"))
    assert first.status in (OrderStatus.NEW, OrderStatus.PENDING_NEW)
    listed = client.get_orders(r.GetOrdersRequest(status=QueryOrderStatus.OPEN))
    assert [o.id for o in listed] == [second.id, first.id]
    only = client.get_orders(r.GetOrdersRequest(symbols=["MSFT"], side=OrderSide.BUY, after=first.created_at))
    assert [o.id for o in only] == [second.id]
    assert client.get_order_by_client_id("one").id == first.id
    replaced = client.replace_order_by_id(first.id, r.ReplaceOrderRequest(qty=7, limit_price=62, client_order_id="two"))
    assert (replaced.replaces, replaced.qty, replaced.limit_price) == (first.id, "7", "62")
    old = until(lambda: (o := client.get_order_by_id(first.id)).status is OrderStatus.REPLACED and o)
    assert (old.replaced_by, old.replaced_at is not None) == (replaced.id, True)
    client.cancel_order_by_id(replaced.id)
    gone = until(lambda: (o := client.get_order_by_id(replaced.id)).status is OrderStatus.CANCELED and o)
    assert gone.canceled_at is not None
    with pytest.raises(APIError) as error:
        client.cancel_order_by_id(replaced.id)
    assert code_of(error) == (422, 42210000)
    answers = client.cancel_orders()
    assert [(a.id, a.status) for a in answers] == [(second.id, 200)]
    until(lambda: not client.get_orders())
    closed = client.get_orders(r.GetOrdersRequest(status=QueryOrderStatus.CLOSED, direction="asc", limit=2))
    assert [o.id for o in closed] == [first.id, second.id]


def test_a_bracket_has_two_held_legs_of_which_the_entry_sets_free_and_one_ends_the_other(
    client: TradingClient, simulator: AlpacaSimulator
) -> None:
    simulator.price("AAPL", "100")
    sent = client.submit_order(
        limit(
            99, order_class=OrderClass.BRACKET, client_order_id="b",
            take_profit=r.TakeProfitRequest(limit_price=110), stop_loss=r.StopLossRequest(stop_price=90),
        )
    )  # fmt: skip
    assert sent.order_class is OrderClass.BRACKET
    assert {leg.type: leg.status for leg in sent.legs} == {"limit": OrderStatus.HELD, "stop": OrderStatus.HELD}
    assert [o.id for o in client.get_orders(r.GetOrdersRequest(nested=True))] == [sent.id]
    assert len(client.get_orders(r.GetOrdersRequest(nested=False))) == 3
    simulator.price("AAPL", "99")
    filled(client, sent)
    simulator.price("AAPL", "111")
    take = next(leg for leg in sent.legs if leg.type is OrderType.LIMIT)
    stop = next(leg for leg in sent.legs if leg.type is OrderType.STOP)
    assert filled(client, take).filled_avg_price == "111"
    until(lambda: client.get_order_by_id(stop.id).status is OrderStatus.CANCELED)
    assert client.get_all_positions() == []


def test_one_triggers_and_one_cancels_the_other(client: TradingClient, simulator: AlpacaSimulator) -> None:
    entry = client.submit_order(
        market(order_class=OrderClass.OTO, stop_loss=r.StopLossRequest(stop_price=90, limit_price=89))
    )
    assert (entry.order_class, [leg.type for leg in entry.legs]) == (OrderClass.OTO, [OrderType.STOP_LIMIT])
    filled(client, entry)
    client.cancel_orders()
    until(lambda: not client.get_orders())
    pair = client.submit_order(
        limit(
            120, side=OrderSide.SELL, order_class=OrderClass.OCO,
            take_profit=r.TakeProfitRequest(limit_price=120), stop_loss=r.StopLossRequest(stop_price=80),
        )
    )  # fmt: skip
    assert (pair.order_class, pair.limit_price, [leg.stop_price for leg in pair.legs]) == ("oco", "120", ["80"])
    simulator.price("AAPL", "79")
    filled(client, pair.legs[0])
    until(lambda: client.get_order_by_id(pair.id).status is OrderStatus.CANCELED)


def test_money_buys_a_fraction_and_positions_are_closed_in_part_and_whole(client: TradingClient) -> None:
    by_money = client.submit_order(
        r.MarketOrderRequest(symbol="MSFT", notional=500, side=OrderSide.BUY, time_in_force=TimeInForce.DAY)
    )
    assert (by_money.notional, by_money.qty) == ("500", None)
    assert filled(client, by_money).filled_qty == "2.5"
    filled(client, client.submit_order(market(10)))
    half = client.close_position("AAPL", r.ClosePositionRequest(percentage="50"))
    assert (half.qty, half.side) == ("5", OrderSide.SELL)
    filled(client, half)
    filled(client, client.close_position("AAPL", r.ClosePositionRequest(qty="2")))
    assert until(lambda: (p := client.get_open_position("AAPL")).qty == "3" and p)
    with pytest.raises(APIError) as error:
        client.close_position("AAPL", r.ClosePositionRequest(qty="4"))
    assert code_of(error) == (403, 40310000)
    resting = client.submit_order(limit(140, 1, OrderSide.SELL))
    assert until(lambda: (p := client.get_open_position("AAPL")).qty_available == "2" and p)
    answers = client.close_all_positions(cancel_orders=True)
    assert {(a.symbol, a.status) for a in answers} == {("AAPL", 200), ("MSFT", 200)}
    until(lambda: not client.get_all_positions())
    until(lambda: client.get_order_by_id(resting.id).status is OrderStatus.CANCELED)
    with pytest.raises(APIError) as error:
        client.get_open_position("AAPL")
    assert code_of(error) == (404, 40410000)


def test_stops_trails_and_extended_hours_reach_the_venue_as_asked(
    client: TradingClient, simulator: AlpacaSimulator
) -> None:
    common = {"symbol": "AAPL", "qty": 1, "side": OrderSide.BUY, "time_in_force": TimeInForce.GTC}
    stop = client.submit_order(r.StopOrderRequest(stop_price=120, **common))
    both = client.submit_order(r.StopLimitOrderRequest(stop_price=121, limit_price=122.5, **common))
    trail = client.submit_order(r.TrailingStopOrderRequest(trail_percent=5, **common))
    late = client.submit_order(limit(70, extended_hours=True))
    assert (stop.stop_price, both.stop_price, both.limit_price) == ("120", "121", "122.5")
    assert (trail.trail_percent, trail.stop_price, late.extended_hours) == ("5", None, True)
    moved = client.replace_order_by_id(trail.id, r.ReplaceOrderRequest(trail=4))
    assert (moved.trail_percent, moved.replaces) == ("4", trail.id)
    at_venue = {o["client_order_id"]: (o["type"], o["status"]) for o in simulator.orders()}
    assert at_venue[both.client_order_id] == ("stop_limit", "new")
    assert at_venue[trail.client_order_id] == ("trailing_stop", "replaced")


def test_the_same_client_id_is_the_same_order_and_another_order_is_refused(
    client: TradingClient, simulator: AlpacaSimulator
) -> None:
    first = client.submit_order(limit(60, client_order_id="same"))
    assert client.submit_order(limit(60, client_order_id="same")).id == first.id
    with pytest.raises(APIError) as error:
        client.submit_order(limit(61, client_order_id="same"))
    assert code_of(error) == (422, 40010001)
    assert len(simulator.orders()) == 1


def test_a_denial_of_the_gate_is_a_403_that_names_the_rule_and_makes_no_order(
    client: TradingClient, desk: Any, simulator: AlpacaSimulator
) -> None:
    with pytest.raises(APIError) as error:
        client.submit_order(market(5000))
    assert code_of(error) == (403, 40310000)
    with desk.client() as http:
        body = {"symbol": "AAPL", "qty": "5000", "side": "buy", "type": "market", "time_in_force": "day"}
        told = http.post("/v2/orders", json=body | {"client_order_id": "big"})
        assert told.status_code == 403
        assert told.json()["rule"] == "order_notional"
        assert http.get("/v2/orders:by_client_order_id", params={"client_order_id": "big"}).status_code == 404
    assert simulator.orders() == []
    desk.backend.accounts.live["paper"].halt("account", "ann", "drill")
    with pytest.raises(APIError) as error:
        client.submit_order(market(1))
    assert code_of(error) == (403, 40310000)
    account = client.get_account()
    assert (account.trading_blocked, account.trade_suspended_by_user) == (True, True)
    assert client.get_account_configurations().suspend_trade is True


def test_assets_clock_and_calendar(client: TradingClient) -> None:
    assets = client.get_all_assets()
    assert [a.symbol for a in assets] == ["AAPL", "MSFT"]
    assert client.get_asset("AAPL").id == client.get_asset(str(assets[0].id)).id == assets[0].id
    with pytest.raises(APIError) as error:
        client.get_asset("NONE")
    assert code_of(error) == (404, 40410000)
    clock = client.get_clock()
    assert clock.next_close.utcoffset() in (clock.timestamp.utcoffset(), clock.next_open.utcoffset())
    assert clock.is_open is (clock.next_close < clock.next_open)
    days = client.get_calendar(r.GetCalendarRequest(start="2026-11-24", end="2026-11-30"))
    assert [(d.date.day, d.close.hour) for d in days] == [(24, 16), (25, 16), (27, 13), (30, 16)]


def test_the_history_of_the_portfolio_is_the_equity_over_time(
    client: TradingClient, simulator: AlpacaSimulator
) -> None:
    filled(client, client.submit_order(market(10)))
    simulator.price("AAPL", "105")
    until(lambda: client.get_open_position("AAPL").current_price == "105")
    found = client.get_portfolio_history(r.GetPortfolioHistoryRequest(period="1W", timeframe="1D"))
    assert found.equity[-1] == float(client.get_account().equity)
    assert (found.base_value, found.timeframe, found.cashflow) == (found.equity[0], "1D", {})
    asked = r.GetPortfolioHistoryRequest(period="1W", timeframe="1D", cashflow_types="ALL")
    flows = {kind.value: sum(moved) for kind, moved in client.get_portfolio_history(asked).cashflow.items()}
    assert {kind: moved for kind, moved in flows.items() if moved} == {"CSD": 100_000.0}
    assert {"CSW", "DIV", "FEE", "INT", "JNLS"} <= flows.keys()
    minutes = client.get(
        "/account/portfolio/history", {"period": "1D", "timeframe": "1Min", "intraday_reporting": "continuous"}
    )
    assert minutes["equity"][-1] == found.equity[-1]
    assert len(minutes["timestamp"]) == len(minutes["profit_loss"]) == len(minutes["profit_loss_pct"])


def test_who_is_nobody_or_has_another_account_sees_nothing(client: TradingClient, desk: Any) -> None:
    order = client.submit_order(limit(60))
    stranger = TradingClient(desk.key, "wrong", url_override=desk.url)
    with pytest.raises(APIError) as error:
        stranger.get_account()
    assert code_of(error) == (401, 40110000)
    with pytest.raises(APIError) as error:
        client.get_order_by_id(uuid4())
    assert code_of(error) == (404, 40410000)
    with pytest.raises(APIError) as error:
        client.get_order_by_client_id(str(order.id))
    assert code_of(error) == (404, 40410000)
    stranger._session.close()
