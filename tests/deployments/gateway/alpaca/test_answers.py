"""Every answer of Alpaca's routes fits the schema that the document gives for it, with no field beside."""

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from nt_ray.access.roles import Role

ORDER = {"symbol": "AAPL", "qty": "10", "side": "buy", "type": "market", "time_in_force": "day"}
REST = ORDER | {"type": "limit", "limit_price": "60"}
BRACKET = REST | {
    "order_class": "bracket", "take_profit": {"limit_price": "110"}, "stop_loss": {"stop_price": "55"}
}  # fmt: skip


class Checked(httpx.Client):
    """Asks, and holds every answer against the document."""

    def __init__(self, document: dict[str, Any], **given: Any) -> None:
        super().__init__(**given)
        self._document = document
        self._schemas: Registry[Any] = Registry().with_resource(
            "urn:document", Resource(contents=document, specification=DRAFT202012)
        )
        self.seen: set[str] = set()

    def request(self, method: str, url: Any, **given: Any) -> httpx.Response:
        answer = super().request(method, url, **given)
        path = self._template(str(answer.request.url.path), method)
        told = self._document["paths"][path][method.lower()]["responses"]
        content = told.get(str(answer.status_code), told["default"]).get("content")
        if content is None:
            assert answer.content == b"", (method, path)
        else:
            schema = json.loads(json.dumps(content["application/json"]["schema"]).replace('"#/', '"urn:document#/'))
            faults = Draft202012Validator(schema, registry=self._schemas).iter_errors(answer.json())
            assert not [fault.message for fault in faults], (method, path, answer.text)
        self.seen |= {f"{method} {path}"} if answer.is_success else set()
        return answer

    def _template(self, path: str, method: str) -> str:
        known = [one for one, found in self._document["paths"].items() if method.lower() in found]
        fitting = [one for one in known if re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", one), path)]
        return min(fitting, key=lambda one: one.count("{"))


@pytest.fixture
def http(open_desk: Any, plan: Any) -> Iterator[Checked]:
    documents: list[dict[str, Any]] = []

    def complete(app: FastAPI, *_: Any) -> None:
        documents.append(app.openapi())

    desk = open_desk(plan, complete=complete)
    headers = desk.headers(desk.new_key(Role.ADMIN, accounts=frozenset({"paper"})))
    with Checked(documents[0], base_url=desk.url, headers=headers, timeout=30) as client:
        yield client


def orders(http: Checked) -> None:
    bought = http.post("/v2/orders", json=ORDER).json()["id"]
    while http.get(f"/v2/orders/{bought}").json()["status"] != "filled":
        pass
    resting = http.post("/v2/orders", json=REST | {"client_order_id": "mine", "position_intent": "buy_to_open"}).json()
    assert (resting["position_intent"], resting["legs"]) == ("buy_to_open", None)
    assert http.get("/v2/orders:by_client_order_id", params={"client_order_id": "mine"}).is_success
    replaced = http.patch(f"/v2/orders/{resting['id']}", json={"limit_price": "61"}).json()
    assert http.delete(f"/v2/orders/{replaced['id']}").status_code == 204
    assert len(http.post("/v2/orders", json=BRACKET).json()["legs"]) == 2
    assert http.get("/v2/orders", params={"status": "all"}).json()
    assert http.post("/v2/orders", json=ORDER | {"qty": "100000"}).status_code == 403
    assert http.post("/v2/orders", json=ORDER | {"qty": None}).status_code == 422
    assert http.delete("/v2/orders").status_code == 207


def money(http: Checked) -> None:
    assert http.get("/v2/account").is_success
    found = http.get("/v2/account/configurations").json()
    assert http.patch("/v2/account/configurations", json=found).json() == found
    assert http.get("/v2/account/portfolio/history", params={"timeframe": "1Min", "cashflow_types": "ALL"}).is_success
    assert {one["activity_type"] for one in http.get("/v2/account/activities").json()} == {"FILL", "CSD"}
    assert http.get("/v2/account/activities/FILL").json()


def positions(http: Checked) -> None:
    assert http.get("/v2/positions").json()
    assert http.get("/v2/positions/AAPL").is_success
    assert http.get("/v2/positions/NONE").status_code == 404
    assert http.delete("/v2/positions/AAPL", params={"qty": "11"}).status_code == 403
    assert http.delete("/v2/positions/AAPL", params={"qty": "1"}).is_success
    assert http.delete("/v2/positions").status_code == 207


def market(http: Checked) -> None:
    (first, _) = http.get("/v2/assets").json()
    assert http.get(f"/v2/assets/{first['symbol']}").is_success
    assert http.get("/v2/clock").is_success
    assert http.get("/v2/calendar", params={"start": "2026-11-23", "end": "2026-11-27"}).json()


def watchlists(http: Checked) -> None:
    one = http.post("/v2/watchlists", json={"name": "One", "symbols": ["AAPL"]}).json()
    assert http.get("/v2/watchlists").json()
    for path, params in (f"/v2/watchlists/{one['id']}", {}), ("/v2/watchlists:by_name", {"name": "One"}):
        assert http.get(path, params=params).is_success
        assert http.put(path, params=params, json={"symbols": ["AAPL"]}).is_success
        assert http.post(path, params=params, json={"symbol": "MSFT"}).is_success
    assert http.delete(f"/v2/watchlists/{one['id']}/MSFT").is_success
    assert http.delete("/v2/watchlists:by_name", params={"name": "One"}).status_code == 204
    two = http.post("/v2/watchlists", json={"name": "Two"}).json()
    assert http.delete(f"/v2/watchlists/{two['id']}").status_code == 204


def test_answers_of_every_route_fit_their_schemas(http: Checked) -> None:
    for part in (orders, money, positions, market, watchlists):
        part(http)
    every = {
        f"{method.upper()} {path}"
        for path, found in http._document["paths"].items() if path.startswith("/v2/")
        for method, operation in found.items() if operation["tags"] != ["not available"]
    }  # fmt: skip
    assert http.seen == every


def test_no_schema_of_an_answer_lets_anything_pass(http: Checked) -> None:
    for path, found in http._document["paths"].items():
        for method, operation in found.items():
            if path.startswith("/v2/") and operation["tags"] != ["not available"]:
                told = {code: told for code, told in operation["responses"].items() if code.startswith("2")}
                for answer in told.values():
                    for content in answer.get("content", {}).values():
                        schema = content["schema"].get("items", content["schema"])
                        assert "$ref" in json.dumps(schema), (method, path)
                        assert content["example"], (method, path)
    parts = http._document["components"]["schemas"]
    answers = {name: schema for name, schema in parts.items() if name.endswith("Answer") and name != "RefusalAnswer"}
    assert len(answers) > 12
    for name, schema in answers.items():
        assert schema["additionalProperties"] is False, name
        assert all(field != {} for field in schema["properties"].values()), name
