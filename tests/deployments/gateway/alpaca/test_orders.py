"""Orders by their details: intents, times in force, legs, replacements of what is filled in part, many at once."""

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest

from deployments.gateway.alpaca.positions import settled
from deployments.gateway.alpaca.refusals import InvalidError, UnprocessableError
from deployments.gateway.alpaca.requests import orders_of, replacement_of
from deployments.gateway.alpaca.schemas import NewOrder, Replacement
from nt_ray.brokers.alpaca.simulator.simulator import AlpacaSimulator
from nt_ray.market.bars import AssetClass, Instrument
from nt_ray.trader.history import Changes, Family, OrderRecord
from nt_ray.trader.live_readings import OrderQuery
from nt_ray.trading.orders import Order, OrderStatus

BUY = {"symbol": "AAPL", "qty": "4", "side": "buy", "type": "market", "time_in_force": "day"}
REST = BUY | {"type": "limit", "limit_price": "60"}


def test_an_intent_stands_for_the_side_and_never_against_it() -> None:
    (order,) = orders_of(NewOrder.model_validate(BUY | {"side": None, "position_intent": "sell_to_open"}))
    assert (order.side, order.position_effect) == ("sell", "open")
    with pytest.raises(InvalidError, match="contradict"):
        orders_of(NewOrder.model_validate(BUY | {"position_intent": "sell_to_open"}))


def test_a_replacement_trades_what_is_left_unless_it_says_how_much() -> None:
    (request,) = orders_of(NewOrder.model_validate(REST | {"qty": "10", "client_order_id": "old"}))
    old = Order(request, OrderStatus.PARTIALLY_FILLED, filled_quantity=Decimal(4))
    assert replacement_of(Replacement(limit_price="61"), old).quantity == 6
    assert replacement_of(Replacement(qty="3"), old).quantity == 3
    again = replace(old, status=OrderStatus.REPLACED)
    assert replacement_of(Replacement(limit_price="61"), again).quantity == 6
    for same in ({}, {"limit_price": "60.0"}, {"qty": "6"}, {"client_order_id": "new"}, {"time_in_force": "day"}):
        with pytest.raises(UnprocessableError, match="not changed"):
            replacement_of(Replacement.model_validate(same), old)
    for wrong in ({"stop_price": "5"}, {"trail": "1"}):
        with pytest.raises(InvalidError):
            replacement_of(Replacement.model_validate(wrong), old)


def test_orders_live_as_long_as_their_time_in_force_says(desk: Any, simulator: AlpacaSimulator) -> None:
    live = desk.backend.accounts.live["paper"]
    with desk.client() as http:
        for tif in ("ioc", "fok", "day", "gtc", "opg", "cls"):
            assert http.post("/v2/orders", json=REST | {"time_in_force": tif}).status_code == 200

        def ends(*expected: str) -> None:
            while True:
                live.hear()
                orders = http.get("/v2/orders", params={"status": "all"}).json()
                if {o["time_in_force"] for o in orders if o["status"] in ("canceled", "expired")} == set(expected):
                    return

        ends("ioc", "fok")
        simulator.session("closed")
        ends("ioc", "fok", "cls", "day")
        simulator.session("open")
        ends("ioc", "fok", "cls", "day", "opg")
        refused = http.post("/v2/orders", json=BUY | {"type": "stop", "stop_price": "120", "time_in_force": "ioc"})
        assert (refused.status_code, refused.json()["code"]) == (422, 40010001)


def test_legs_are_told_where_they_are_asked_for_and_a_symbol_may_have_a_slash(shared_desk: Any) -> None:
    with shared_desk.client() as http:
        legs = {"take_profit": {"limit_price": "110"}, "stop_loss": {"stop_price": "55"}}
        sent = http.post("/v2/orders", json=REST | {"order_class": "bracket", "client_order_id": "head"} | legs).json()
        assert len(sent["legs"]) == 2
        named = {"client_order_id": "head"}
        for path, query in ((f"/v2/orders/{sent['id']}", {}), ("/v2/orders:by_client_order_id", named)):
            assert http.get(path, params=query).json()["legs"] is None
            assert len(http.get(path, params=query | {"nested": "true"}).json()["legs"]) == 2
        assert [a["status"] for a in http.delete("/v2/orders").json()] == [200, 200, 200]
        for path in ("assets", "positions"):
            for symbol in ("BTC%2FUSD", "BRK.B"):
                told = http.get(f"/v2/{path}/{symbol}")
                assert (told.status_code, told.json()["code"]) == (404, 40410000)
                assert "/openapi.json" not in told.json()["message"]


def test_fifty_clients_with_one_id_make_one_order_and_all_hear_of_it(desk: Any, simulator: AlpacaSimulator) -> None:
    simulator.fault("late", seconds=0.2, method="POST")

    async def send(http: httpx.AsyncClient, n: int) -> httpx.Response:
        return await http.post("/v2/orders", json=REST | {"client_order_id": "one", "qty": str(1 + (n == 49))})

    async def all_at_once() -> list[httpx.Response]:
        async with httpx.AsyncClient(base_url=desk.url, headers=desk.headers(), timeout=30) as http:
            first = asyncio.create_task(send(http, 0))
            # Without the lock that the first may hold while the venue is asked.
            while not desk.backend.accounts.live["paper"]._account.orders():
                await asyncio.sleep(0.005)
            return await asyncio.gather(first, *(send(http, n) for n in range(1, 50)))

    answers = asyncio.run(all_at_once())
    assert [a.status_code for a in answers] == [200] * 49 + [422]
    assert len({a.json()["id"] for a in answers[:49]}) == 1
    assert answers[49].json() == {"code": 40010001, "message": "client_order_id must be unique"}
    ends = time.monotonic() + 10
    while not simulator.orders() and time.monotonic() < ends:
        time.sleep(0.01)
    assert [o["client_order_id"] for o in simulator.orders()] == ["one"]


def test_a_fill_in_part_then_a_replacement_a_rest_and_a_cancel_that_comes_too_late(
    desk: Any, simulator: AlpacaSimulator
) -> None:
    simulator.price("AAPL", "100", size="3")
    live = desk.backend.accounts.live["paper"]
    with desk.client() as http:
        sent = http.post("/v2/orders", json=BUY | {"type": "limit", "limit_price": "100"}).json()

        def now() -> dict[str, Any]:
            live.hear()
            return http.get(f"/v2/orders/{sent['id']}").json()

        while (told := now())["status"] == "new":
            pass
        assert (told["status"], told["filled_qty"], told["qty"], told["filled_at"]) == (
            "partially_filled", "3", "4", None
        )  # fmt: skip
        # What takes its place trades what is left.
        sent = http.patch(f"/v2/orders/{sent['id']}", json={"limit_price": "99"}).json()
        assert (sent["qty"], sent["limit_price"], sent["replaces"]) == ("1", "99", told["id"])
        simulator.price("AAPL", "99")
        while now()["status"] != "filled":
            pass
        for told in (
            http.patch(f"/v2/orders/{sent['id']}", json={"qty": "9"}),
            http.delete(f"/v2/orders/{sent['id']}"),
        ):
            assert (told.status_code, told.json()["code"]) == (422, 42210000)
            assert '"filled" state' in told.json()["message"]


class Door:
    """An account whose one order is cancelled when it is asked for changes the second time."""

    def __init__(self) -> None:
        self.asked = [OrderStatus.PENDING_CANCEL, OrderStatus.PENDING_CANCEL, OrderStatus.ACCEPTED]
        self.waited: list[tuple[int, bool]] = []

    async def query(self, _: OrderQuery) -> list[Family]:
        (request,) = orders_of(NewOrder.model_validate(REST))
        now = datetime(2026, 1, 5, tzinfo=UTC)
        return [Family(OrderRecord("id", Order(request, self.asked.pop(0)), now, now), "simple")]

    async def changes(self, after: int, wait_s: float) -> Changes:
        self.waited.append((after, wait_s > 0))
        return Changes((), after + 8)


def test_positions_are_closed_once_no_cancel_is_under_way_or_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    door = Door()
    asyncio.run(settled(door))  # type: ignore[arg-type]
    assert (door.asked, door.waited) == ([], [(-1, False), (7, True), (15, True)])
    monkeypatch.setattr("deployments.gateway.alpaca.positions.SETTLE_S", 0.0)
    door = Door()
    asyncio.run(settled(door))  # type: ignore[arg-type]
    assert len(door.asked) == 3


def test_a_list_is_bounded_by_orders_themselves_left_out(desk: Any) -> None:
    with desk.client() as http:
        sent = [http.post("/v2/orders", json=REST | {"client_order_id": f"o{n}"}).json()["id"] for n in range(5)]

        def listed(**query: Any) -> list[int]:
            told = http.get("/v2/orders", params=query)
            assert told.status_code == 200, told.text
            return [sent.index(order["id"]) for order in told.json()]

        assert listed(after_order_id=sent[1]) == [4, 3, 2]
        assert listed(after_order_id=sent[1], direction="asc", limit=2) == [2, 3]
        assert listed(before_order_id=sent[3]) == [2, 1, 0]
        assert listed(before_order_id=sent[3], limit=1) == [2]
        assert listed(before_order_id=sent[0]) == listed(after_order_id=sent[4]) == []
        # Page by page, as a client goes through all of them.
        pages, last = [], None
        while page := listed(limit=2, **({} if last is None else {"before_order_id": sent[last]})):
            pages.append(page)
            last = page[-1]
        assert pages == [[4, 3], [2, 1], [0]]
        now = datetime.now(UTC).isoformat()
        for query in (
            {"before_order_id": sent[0], "after_order_id": sent[1]},
            {"before_order_id": sent[0], "after": now}, {"after_order_id": sent[0], "until": now},
        ):  # fmt: skip
            refused = http.get("/v2/orders", params=query)
            assert (refused.status_code, refused.json()["code"]) == (422, 40010001)
        nobody = http.get("/v2/orders", params={"after_order_id": "no-such-order"})
        assert (nobody.status_code, nobody.json()["code"]) == (404, 40410000)


def test_a_list_is_of_the_classes_asked_for_and_each_order_names_its_own(desk: Any) -> None:
    live = desk.backend.accounts.live["paper"]
    coin = Instrument("MSFT", asset_class=AssetClass.CRYPTO)
    live._account._controls.instruments = tuple(
        coin if instrument.symbol == "MSFT" else instrument for instrument in live._account.instruments
    )
    with desk.client() as http:
        for symbol in ("AAPL", "MSFT"):
            order = REST | {"symbol": symbol, "limit_price": "60" if symbol == "AAPL" else "161"}
            assert http.post("/v2/orders", json=order).status_code == 200

        def listed(*classes: str) -> list[tuple[str, str]]:
            told = http.get("/v2/orders", params={"asset_class": classes, "direction": "asc"})
            assert told.status_code == 200, told.text
            return [(order["symbol"], order["asset_class"]) for order in told.json()]

        both = [("AAPL", "us_equity"), ("MSFT", "crypto")]
        assert listed("us_equity") == both[:1]
        assert listed("crypto") == listed("us_option,crypto") == both[1:]
        assert listed() == listed("all") == listed("crypto", "us_equity") == listed("crypto,us_equity") == both
        assert listed("us_option") == []
        refused = http.get("/v2/orders", params={"asset_class": "futures"})
        assert (refused.status_code, refused.json()["code"]) == (422, 40010001)
