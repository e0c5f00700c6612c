"""What Alpaca's routes refuse: each with its number, none with what was sent, and no order is made of it."""

from decimal import Decimal
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from deployments.gateway.alpaca.requests import orders_of
from deployments.gateway.alpaca.schemas import NewOrder
from nt_ray.errors import NeuralTraderError

GOOD = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
LEGS = {"take_profit": {"limit_price": "110"}, "stop_loss": {"stop_price": "90"}}

BAD: list[tuple[dict[str, Any], int]] = [
    ({"qty": None}, 422), ({"qty": "0"}, 422), ({"qty": "-1"}, 422), ({"qty": "1e9"}, 422), ({"qty": "nan"}, 422),
    ({"qty": True}, 422), ({"qty": [1]}, 422), ({"qty": "9" * 30}, 422), ({"notional": "5"}, 422),
    ({"side": "hold"}, 422), ({"side": 1}, 422), ({"type": "magic"}, 422), ({"type": "limit"}, 422),
    ({"limit_price": "5"}, 422), ({"time_in_force": "gtd"}, 422), ({"symbol": ""}, 422), ({"symbol": "A" * 99}, 422),
    ({"symbol": "NONE"}, 403), ({"extended_hours": "yes"}, 422), ({"extended_hours": True}, 422),
    ({"client_order_id": "a b"}, 422), ({"client_order_id": "a" * 65}, 422), ({"order_class": "mleg"}, 422),
    ({"order_class": "bracket"}, 422), ({"order_class": "bracket", **LEGS, "client_order_id": "x.tp"}, 422),
    ({"order_class": "oto", **LEGS}, 422), ({"order_class": "oco", **LEGS}, 422), (LEGS, 422),
    ({"unknown": 1}, 422), ({"position_intent": "buy_to_close"}, 422), ({"position_intent": "sell_to_open"}, 422),
    ({"position_intent": "hold"}, 422), ({"side": None}, 422), ({"legs": []}, 422), ({"take_profit": {"x": 1}}, 422),
    ({"type": "trailing_stop"}, 422), ({"type": "trailing_stop", "trail_price": 1, "trail_percent": 1}, 422),
]  # fmt: skip


def test_each_fault_of_an_order_has_its_number_and_makes_no_order(shared_desk: Any) -> None:
    with shared_desk.client() as http:
        for change, status in BAD:
            told = http.post("/v2/orders", json={k: v for k, v in (GOOD | change).items() if v is not None})
            assert told.status_code == status, (change, told.text)
            assert set(told.json()) >= {"code", "message"}
            assert str(told.json()["code"]).startswith(str(status)) or told.json()["code"] == 40010001
        assert http.get("/v2/orders", params={"status": "all"}).json() == []


@pytest.mark.parametrize("content", [b"{", b"", b"\xff", b"[" * 5000, b'{"a": NaN', b"null", b"[]", b'"x"'])
def test_what_is_no_object_is_refused_in_alpacas_form(shared_desk: Any, content: bytes) -> None:
    told = httpx.post(
        shared_desk.url + "/v2/orders",
        content=content,
        headers=shared_desk.headers() | {"Content-Type": "application/json"},
    )
    assert told.status_code in (400, 422)
    assert told.json()["code"] in (40010000, 40010001)


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("orders", {"limit": "0"}), ("orders", {"limit": "501"}), ("orders", {"status": "new"}),
        ("orders", {"after": "yesterday"}), ("calendar", {"start": "2026-02-30"}),
        ("orders", {"after": "0001-01-01T00:00:00+05:00"}), ("orders", {"until": "9999-12-31T23:59:59-05:00"}),
        ("account/portfolio/history", {"date_end": "9999-12-31"}), ("account/activities", {"date": "9999-12-31"}),
        ("account/portfolio/history", {"end": "9999-12-31T12:00:00Z"}),
        ("calendar", {"start": "1900-01-01"}), ("calendar", {"start": "2026-02-02", "end": "2026-02-01"}),
        ("account/activities", {"page_size": "101"}), ("account/activities", {"page_token": "x"}),
        ("account/activities", {"date": "2026-01-01", "after": "2026-01-01"}),
        ("account/portfolio/history", {"period": "1X"}), ("account/portfolio/history", {"timeframe": "2Min"}),
        ("account/portfolio/history", {"cashflow_types": "FILL"}),
        ("account/portfolio/history", {"period": "1M", "start": "2026-01-01"}),
        ("account/portfolio/history", {"start": "2026-02-01", "end": "2026-01-01"}),
    ],
)  # fmt: skip
def test_a_query_out_of_range_is_refused(shared_desk: Any, path: str, query: dict[str, str]) -> None:
    told = httpx.get(f"{shared_desk.url}/v2/{path}", params=query, headers=shared_desk.headers())
    assert (told.status_code, told.json()["code"]) == (422, 40010001), told.text


def test_a_secret_in_the_wrong_place_is_not_repeated(shared_desk: Any) -> None:
    told = httpx.post(shared_desk.url + "/v2/orders", json=GOOD | {"qty": "hunter2"}, headers=shared_desk.headers())
    assert told.status_code == 422
    assert "hunter2" not in told.text


plain = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20))


@settings(max_examples=150)
@given(
    st.dictionaries(st.sampled_from(sorted(NewOrder.model_fields)), plain | st.dictionaries(st.text(max_size=5), plain))
)
def test_whatever_is_sent_is_an_order_or_a_typed_refusal(body: dict[str, Any]) -> None:
    try:
        requests = orders_of(NewOrder.model_validate(GOOD | body))
    except (ValidationError, NeuralTraderError):
        return
    assert all(request.quantity > 0 or request.notional for request in requests)


@given(st.decimals("0.000001", "999999999", places=6))
def test_a_float_means_the_number_that_it_is_written_as(amount: Decimal) -> None:
    body = NewOrder.model_validate(GOOD | {"qty": float(amount)})
    assert body.qty == Decimal(repr(float(amount)))
    assert NewOrder.model_validate(GOOD | {"qty": str(amount)}).qty == amount
