"""Switches of an account over Alpaca's routes: who may change them, what they stop, what stands fixed."""

from decimal import Decimal
from typing import Any

import pytest

from nt_ray.access.roles import Role

BUY = {"symbol": "AAPL", "qty": "2", "side": "buy", "type": "market", "time_in_force": "day"}
PATH = "/v2/account/configurations"


@pytest.fixture
def admin(desk: Any) -> Any:
    with desk.client(desk.new_key(Role.ADMIN, accounts=frozenset({"paper"}))) as http:
        yield http


def test_a_suspended_account_works_on_nothing_and_takes_nothing_until_it_is_resumed(desk: Any, admin: Any) -> None:
    with desk.client() as http:
        resting = http.post("/v2/orders", json=BUY | {"type": "limit", "limit_price": "60"}).json()
        told = http.patch(PATH, json={"suspend_trade": True})
        assert (told.status_code, told.json()["code"]) == (403, 40310000)
        assert http.get(PATH).json()["suspend_trade"] is False
        assert admin.patch(PATH, json={"suspend_trade": True}).json()["suspend_trade"] is True
        desk.backend.accounts.live["paper"].sync()
        assert http.get(f"/v2/orders/{resting['id']}").json()["status"] == "canceled"
        denied = http.post("/v2/orders", json=BUY)
        assert (denied.status_code, denied.json()["rule"]) == (403, "kill_switch")
        assert http.get("/v2/account").json()["trade_suspended_by_user"] is True
        assert admin.patch(PATH, json={"suspend_trade": False}).json()["suspend_trade"] is False
        assert http.post("/v2/orders", json=BUY).status_code == 200
    events = desk.backend.accounts.live["paper"]._account.events()
    signed = [(type(e).__name__, e.who) for e in events if type(e).__name__.startswith("KillSwitch")]
    assert signed == [("KillSwitchSet", "user-1"), ("KillSwitchCleared", "user-1")]


def test_the_gate_forbids_short_sales_and_fractions_where_they_are_switched_off(desk: Any, admin: Any) -> None:
    told = admin.patch(PATH, json={"no_shorting": True, "fractional_trading": False}).json()
    assert (told["no_shorting"], told["fractional_trading"]) == (True, False)
    with desk.client() as http:
        sale = BUY | {"side": "sell"}
        assert http.post("/v2/orders", json=sale).json()["rule"] == "no_shorting"
        for order in (BUY | {"qty": "1.5"}, {k: v for k, v in BUY.items() if k != "qty"} | {"notional": "150"}):
            assert http.post("/v2/orders", json=order).json()["rule"] == "no_fractions"
        assert http.get("/v2/account").json()["shorting_enabled"] is False
        assert http.post("/v2/orders", json=BUY | {"client_order_id": "in"}).status_code == 200
        live = desk.backend.accounts.live["paper"]
        while live.positions().get("AAPL") != Decimal(2):
            live.hear()
        assert http.post("/v2/orders", json=sale | {"qty": "3"}).json()["rule"] == "no_shorting"
        assert http.post("/v2/orders", json=sale).status_code == 200
    assert admin.patch(PATH, json={"no_shorting": False, "fractional_trading": True}).json()["no_shorting"] is False


@pytest.mark.parametrize(
    "change",
    [
        {"max_margin_multiplier": "4"}, {"trade_confirm_email": "all"}, {"ptp_no_exception_entry": True},
        {"max_options_trading_level": 1}, {"dtbp_check": "entry"}, {"pdt_check": "both"},
    ],
)  # fmt: skip
def test_what_is_fixed_is_refused_by_its_name_and_nothing_else_is_changed_with_it(
    shared_desk: Any, change: dict[str, Any]
) -> None:
    with shared_desk.client(shared_desk.new_key(Role.ADMIN, accounts=frozenset({"paper"}))) as http:
        told = http.patch(PATH, json=change | {"suspend_trade": True})
        assert (told.status_code, told.json()["code"]) == (422, 42210000)
        assert next(iter(change)) in told.json()["message"]
        now = http.get(PATH).json()
        assert now["suspend_trade"] is False
        assert http.patch(PATH, json=now | {"dtbp_check": None}).json() == now
        for wrong in ({"suspend_trade": "yes"}, {"unknown": 1}, {"max_options_trading_level": 9}):
            assert http.patch(PATH, json=wrong).json()["code"] == 40010001
