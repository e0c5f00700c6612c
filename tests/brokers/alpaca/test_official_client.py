"""Alpaca's own client trades at the simulator, so what the simulator speaks is what that client understands."""

import asyncio
import threading
import time
import warnings
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from nt_ray.brokers.alpaca.simulator.simulator import AlpacaSimulator

with warnings.catch_warnings():
    # It imports what its own dependencies call deprecated.
    warnings.simplefilter("ignore")
    from alpaca.common.exceptions import APIError
    from alpaca.data.historical import StockHistoricalDataClient
    from alpaca.data.requests import StockBarsRequest, StockLatestQuoteRequest
    from alpaca.data.timeframe import TimeFrame
    from alpaca.trading import requests as r
    from alpaca.trading.client import TradingClient
    from alpaca.trading.enums import OrderClass, OrderSide, OrderStatus, PositionSide, QueryOrderStatus, TimeInForce
    from alpaca.trading.models import TradeActivity
    from alpaca.trading.stream import TradingStream

KEYS = ("PKSIMULATED", "simulated-secret")


@pytest.fixture
def client(simulator: AlpacaSimulator) -> Iterator[TradingClient]:
    found = TradingClient(*KEYS, url_override=simulator.url)
    yield found
    found._session.close()


def common(side: OrderSide = OrderSide.BUY, qty: float = 10, **changes: Any) -> dict[str, Any]:
    return {"symbol": "AAPL", "qty": qty, "side": side, "time_in_force": TimeInForce.GTC, **changes}


def test_a_market_order_becomes_a_position(client: TradingClient, simulator: AlpacaSimulator) -> None:
    sent = client.submit_order(r.MarketOrderRequest(**common(client_order_id="m")))
    assert sent.status is OrderStatus.PENDING_NEW
    found = client.get_order_by_client_id("m")
    assert (found.id, found.status, found.filled_qty, found.filled_avg_price) == (sent.id, "filled", "10", "100")
    simulator.price("AAPL", "110")
    (position,) = client.get_all_positions()
    assert (position.symbol, position.qty, position.side) == ("AAPL", "10", PositionSide.LONG)
    assert (position.avg_entry_price, position.market_value, position.unrealized_pl) == ("100", "1100", "100")
    assert client.get_open_position("AAPL").asset_id == client.get_asset("AAPL").id
    account = client.get_account()
    assert (account.cash, account.equity, account.status) == ("99000", "100100", "ACTIVE")


@pytest.mark.parametrize(
    ("request_", "type_"),
    [
        (r.LimitOrderRequest(**common(limit_price=95)), "limit"),
        (r.StopOrderRequest(**common(stop_price=105)), "stop"),
        (r.StopLimitOrderRequest(**common(stop_price=105, limit_price=106)), "stop_limit"),
        (r.TrailingStopOrderRequest(**common(trail_percent=5)), "trailing_stop"),
        (r.TrailingStopOrderRequest(**common(trail_price=5.25)), "trailing_stop"),
        (r.MarketOrderRequest(**common(time_in_force=TimeInForce.OPG)), "market"),
        (r.LimitOrderRequest(**common(limit_price=95, time_in_force=TimeInForce.DAY, extended_hours=True)), "limit"),
    ],
)
def test_every_type_rests_and_can_be_cancelled(client: TradingClient, request_: Any, type_: str) -> None:
    sent = client.submit_order(request_)
    assert (sent.type.value, sent.qty) == (type_, "10")
    (listed,) = client.get_orders(r.GetOrdersRequest(status=QueryOrderStatus.OPEN))
    assert listed.id == sent.id
    client.cancel_order_by_id(sent.id)
    assert client.get_order_by_id(sent.id).status is OrderStatus.CANCELED
    with pytest.raises(APIError, match="already in"):
        client.cancel_order_by_id(sent.id)


def test_money_and_fractions(client: TradingClient) -> None:
    day = TimeInForce.DAY
    order = client.submit_order(r.MarketOrderRequest(symbol="AAPL", notional=250, side="buy", time_in_force=day))
    assert (order.notional, order.qty) == ("250", None)
    assert client.get_order_by_id(order.id).filled_qty == "2.5"
    client.submit_order(r.MarketOrderRequest(**common(qty=0.123456789, time_in_force=day)))
    assert client.get_open_position("AAPL").qty == "2.623456789"


def test_a_bracket_and_its_legs(client: TradingClient, simulator: AlpacaSimulator) -> None:
    bracket = r.LimitOrderRequest(
        **common(limit_price=95, client_order_id="b", order_class=OrderClass.BRACKET),
        take_profit=r.TakeProfitRequest(limit_price=110),
        stop_loss=r.StopLossRequest(stop_price=90, limit_price=89),
    )
    sent = client.submit_order(bracket)
    assert [leg.type.value for leg in sent.legs] == ["limit", "stop_limit"]
    assert {leg.status for leg in sent.legs} == {OrderStatus.HELD}
    simulator.price("AAPL", "95")
    nested = client.get_order_by_id(sent.id, r.GetOrderByIdRequest(nested=True))
    assert [leg.status.value for leg in nested.legs] == ["new", "held"]
    simulator.price("AAPL", "111")
    nested = client.get_order_by_id(sent.id, r.GetOrderByIdRequest(nested=True))
    assert [leg.status.value for leg in nested.legs] == ["filled", "canceled"]
    assert client.get_all_positions() == []


def test_one_cancels_the_other_and_one_triggers_another(client: TradingClient, simulator: AlpacaSimulator) -> None:
    oto = r.LimitOrderRequest(
        **common(limit_price=100, order_class=OrderClass.OTO), stop_loss=r.StopLossRequest(stop_price=80)
    )
    held = client.submit_order(oto)
    simulator.price("AAPL", "99")
    (stop,) = client.get_order_by_id(held.id, r.GetOrderByIdRequest(nested=True)).legs
    client.cancel_order_by_id(stop.id)
    oco = r.LimitOrderRequest(
        **common(OrderSide.SELL, order_class=OrderClass.OCO),
        take_profit=r.TakeProfitRequest(limit_price=120),
        stop_loss=r.StopLossRequest(stop_price=90),
    )
    sent = client.submit_order(oco)
    simulator.price("AAPL", "89")
    found = client.get_order_by_id(sent.id, r.GetOrderByIdRequest(nested=True))
    assert (found.status.value, found.legs[0].status.value) == ("canceled", "filled")


def test_a_replacement_is_a_new_order(client: TradingClient) -> None:
    old = client.submit_order(r.LimitOrderRequest(**common(limit_price=95)))
    new = client.replace_order_by_id(old.id, r.ReplaceOrderRequest(qty=7, limit_price=96, client_order_id="new"))
    assert (new.client_order_id, new.qty, new.limit_price, new.replaces) == ("new", "7", "96", old.id)
    found = client.get_order_by_id(old.id)
    assert (found.status, found.replaced_by) == (OrderStatus.REPLACED, new.id)
    with pytest.raises(APIError, match="cannot be replaced"):
        client.replace_order_by_id(old.id, r.ReplaceOrderRequest(limit_price=97))


def test_a_client_id_is_taken_for_ever(client: TradingClient) -> None:
    order = client.submit_order(r.LimitOrderRequest(**common(limit_price=95, client_order_id="x")))
    client.cancel_order_by_id(order.id)
    with pytest.raises(APIError) as refused:
        client.submit_order(r.LimitOrderRequest(**common(limit_price=95, client_order_id="x")))
    assert (refused.value.status_code, refused.value.code) == (422, 40010001)
    assert refused.value.message == "client_order_id must be unique"


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        (r.MarketOrderRequest(**common(qty=100_000)), 403, 40310000),
        (r.MarketOrderRequest(**common(symbol="NOPE")), 422, 42210000),
        (r.LimitOrderRequest(**common(limit_price=95.123)), 422, 42210000),
        (r.MarketOrderRequest(**common(client_order_id="c" * 129)), 422, 40010001),
        (r.MarketOrderRequest(**common(qty=0.5)), 422, 42210000),
    ],
)
def test_refusals_carry_status_and_code(client: TradingClient, request_: Any, status: int, code: int) -> None:
    with pytest.raises(APIError) as refused:
        client.submit_order(request_)
    assert (refused.value.status_code, refused.value.code) == (status, code)
    assert client.get_orders(r.GetOrdersRequest(status=QueryOrderStatus.ALL)) == []


def test_wrong_keys_and_unknown_things(simulator: AlpacaSimulator, client: TradingClient) -> None:
    stranger = TradingClient("PKSIMULATED", "wrong", url_override=simulator.url)
    with pytest.raises(APIError) as refused:
        stranger.get_account()
    assert refused.value.status_code == 401
    stranger._session.close()
    for call in (lambda: client.get_asset("NOPE"), lambda: client.get_open_position("AAPL")):
        with pytest.raises(APIError) as refused:
            call()
        assert refused.value.status_code == 404


def test_clock_calendar_and_assets(client: TradingClient, simulator: AlpacaSimulator) -> None:
    clock = client.get_clock()
    assert clock.is_open
    assert clock.timestamp < clock.next_open
    assert (clock.next_close.hour, clock.next_close.minute) == (16, 0)
    simulator.session("closed")
    assert not client.get_clock().is_open
    days = client.get_calendar(r.GetCalendarRequest(start=date(2026, 11, 19), end=date(2026, 11, 24)))
    assert [d.date.day for d in days] == [19, 20, 23, 24]
    assert (days[0].open.hour, days[0].close.hour) == (9, 16)
    assert {a.symbol for a in client.get_all_assets()} == {"AAPL", "MSFT", "SPY"}


def test_activities_come_in_pages(client: TradingClient) -> None:
    for _ in range(5):
        client.submit_order(r.MarketOrderRequest(**common(qty=1)))
    query = {"page_size": 2, "direction": "asc"}
    seen: list[TradeActivity] = []
    while page := client.get("/account/activities/FILL", query):
        seen += [TradeActivity(**item) for item in page]
        query["page_token"] = page[-1]["id"]
    assert len({a.id for a in seen}) == len(seen) == 5
    assert {(a.type.value, a.qty, a.price, a.leaves_qty) for a in seen} == {("fill", 1.0, 100.0, 0.0)}
    assert [a.transaction_time for a in seen] == sorted(a.transaction_time for a in seen)


def test_market_data(simulator: AlpacaSimulator) -> None:
    data = StockHistoricalDataClient(*KEYS, url_override=simulator.url)
    simulator.price("AAPL", "101", bid="100.9", ask="101.1")
    quote = data.get_stock_latest_quote(StockLatestQuoteRequest(symbol_or_symbols="AAPL"))["AAPL"]
    assert (quote.bid_price, quote.ask_price) == (100.9, 101.1)
    bars = data.get_stock_bars(StockBarsRequest(symbol_or_symbols="AAPL", timeframe=TimeFrame.Minute))["AAPL"]
    assert (bars[-1].open, bars[-1].close) == (101.0, 101.0)
    data._session.close()


def test_the_stream_tells_each_event(client: TradingClient, simulator: AlpacaSimulator) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stream = TradingStream(*KEYS, url_override=f"ws://127.0.0.1:{simulator.port}/stream")
    heard: list[Any] = []

    async def handler(update: Any) -> None:
        heard.append(update)

    stream.subscribe_trade_updates(handler)
    thread = threading.Thread(target=lambda: asyncio.run(stream._run_forever()), daemon=True)
    thread.start()
    # When the client says that it runs, its subscription is still under way.
    until(lambda: any(listener.listens for listener in tuple(simulator._server._listeners._all)))
    order = client.submit_order(r.LimitOrderRequest(**common(limit_price=95)))
    simulator.price("AAPL", "95", size="4")
    simulator.price("AAPL", "95")
    until(lambda: len(heard) >= 4)
    stream.stop()
    # It looks for its end after each message.
    simulator.price("AAPL", "95")
    client.submit_order(r.MarketOrderRequest(**common()))
    thread.join(timeout=30)
    assert not thread.is_alive()
    assert [str(getattr(u.event, "value", u.event)) for u in heard[:4]] == [
        "pending_new",
        "new",
        "partial_fill",
        "fill",
    ]
    assert {u.order.id for u in heard[:4]} == {order.id}
    assert [(u.qty, u.price, u.position_qty) for u in heard[2:4]] == [(4.0, 95.0, 4.0), (6.0, 95.0, 10.0)]
    assert heard[2].execution_id != heard[3].execution_id


def until(condition: Any) -> None:
    for _ in range(3000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come to pass")
