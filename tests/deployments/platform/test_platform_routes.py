"""Accounts, strategies, swarms, models, runs, journals, system and configuration over a real connection."""

import json
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from nt_ray.config import Settings
from nt_ray.risk.report.holdings import Position, holdings_of
from nt_ray.risk.report.plan import ReportPlan
from nt_ray.risk.report.report import risk_report
from nt_ray.strategies.registry import NAMES, ORDER_NAMES
from nt_ray.trader.data import load_bars

API = "/api/v1"


def refused(answer: httpx.Response, status: int, code: str) -> str:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    return str(answer.json()["detail"])


def test_a_portfolio_is_what_the_account_holds_in_exact_text(house: Any) -> None:
    with house.client() as client:
        assert client.get(f"{API}/accounts").json() == {"accounts": ["paper"]}
        told = client.get(f"{API}/accounts/paper/portfolio").json()
        state = house.account.state()
        assert Decimal(told["cash"]) == state.cash
        assert Decimal(told["equity"]) == state.equity
        (holding,) = told["holdings"]
        assert (holding["symbol"], Decimal(holding["quantity"])) == ("AAPL", 10)
        assert Decimal(holding["value"]) == Decimal(holding["quantity"]) * Decimal(holding["price"])
        refused(client.get(f"{API}/accounts/none/portfolio"), 404, "not_found")


def test_the_risk_of_a_portfolio_is_the_risk_report_of_its_holdings(house: Any) -> None:
    with house.client() as client:
        told = client.get(f"{API}/accounts/paper/risk", params={"confidence": 0.99}).json()["report"]
    found = house.account.overview()
    position = Position(symbol="AAPL", quantity=Decimal(10), price=found.holdings[0].mark)
    plan = ReportPlan(confidences=(0.99,), horizons=(1,))
    bars = load_bars(house.settings.data.model_copy(update={"symbols": ("AAPL",)}))
    direct = risk_report(holdings_of([position], found.equity), bars, plan)
    assert [row["method"] for row in told["tails"]] == [row.method for row in direct.tails]
    assert told["volatility"] == direct.volatility
    assert told["equity"] == str(direct.equity)


def test_a_key_for_one_account_sees_no_other(house: Any) -> None:
    house.gatekeeper.users.add("carol", house.gatekeeper.users.get("ann").role, accounts=["elsewhere"])
    house.keys["carol"] = house.gatekeeper.keys.add("carol").text
    with house.client("carol") as client:
        assert client.get(f"{API}/accounts").json() == {"accounts": []}
        refused(client.get(f"{API}/accounts/paper/portfolio"), 403, "forbidden")
        refused(client.get(f"{API}/accounts/paper/risk"), 403, "forbidden")
        refused(client.get(f"{API}/journals/paper/entries"), 403, "forbidden")
        body = {"account": "paper", "reason": "test"}
        refused(client.post(f"{API}/strategies/momentum/stop", json=body), 403, "forbidden")


def test_strategies_are_listed_and_shown_with_their_parameters(house: Any) -> None:
    with house.client("reader") as client:
        listed = client.get(f"{API}/strategies").json()["strategies"]
        assert [s["name"] for s in listed] == [*NAMES, *ORDER_NAMES]
        shown = client.get(f"{API}/strategies/momentum").json()
        assert shown in listed
        assert {"lookback"} <= {p["name"] for p in shown["parameters"]}
        refused(client.get(f"{API}/strategies/momentun"), 422, "strategy")


def test_a_strategy_is_stopped_started_and_switched_in_an_account(house: Any) -> None:
    body = {"account": "paper", "reason": "drawdown"}
    with house.client("ann") as client:
        health = client.get(f"{API}/strategies/momentum/health", params={"account": "paper"}).json()
        assert (health["stopped"], health["why"]) == (False, None)
        key = {"Idempotency-Key": f"k-{uuid.uuid4()}"}
        stopped = client.post(f"{API}/strategies/momentum/stop", json=body, headers=key)
        assert stopped.json()["stopped"] is True
        assert "ann" in stopped.json()["why"]
        assert client.post(f"{API}/strategies/momentum/stop", json=body, headers=key).content == stopped.content
        assert "strategy:momentum" in house.account.overview().halts
        # Whoever may stop a strategy may not lift the switch, be it his own, an admin's or the gate's.
        refused(client.post(f"{API}/strategies/momentum/start", json=body), 403, "forbidden")
        refused(client.post(f"{API}/strategies/pairs/switch", json={**body, "to": "momentum"}), 403, "forbidden")
        assert set(house.account.overview().halts) == {"strategy:momentum"}
    with house.client("admin") as client:
        taken = client.post(f"{API}/strategies/pairs/switch", json={**body, "to": "momentum"}).json()
        assert (taken["strategy"], taken["stopped"]) == ("momentum", False)
        assert set(house.account.overview().halts) == {"strategy:pairs"}
        assert client.post(f"{API}/strategies/pairs/start", json=body).json()["stopped"] is False
        refused(client.post(f"{API}/strategies/pairs/start", json={**body, "account": "none"}), 404, "not_found")
        refused(client.post(f"{API}/strategies/pairs/start", json={**body, "reason": " "}), 422, "invalid_request")
    with house.client("reader") as client:
        refused(client.post(f"{API}/strategies/momentum/stop", json=body), 403, "forbidden")


def test_a_swarm_is_a_job_of_its_own_kind_and_what_is_not_built_says_so(house: Any) -> None:
    spec = {"kind": "run", "strategies": ["momentum"], "hosts": 1}
    with house.client("ann") as client:
        swarm = client.post(f"{API}/swarms", json=spec).json()
        assert client.get(f"{API}/swarms").json()["swarms"][0] == swarm
        assert client.get(f"{API}/swarms/{swarm['id']}").json() == swarm
        topology = client.get(f"{API}/swarms/{swarm['id']}/topology").json()
        assert (topology["topology"], topology["hosts"], topology["agents"]) == ("hierarchical", 1, None)
        told = refused(client.post(f"{API}/swarms/{swarm['id']}/scale", json={"hosts": 4}), 501, "not_available")
        assert "hosts = 4" in told
        assert client.post(f"{API}/swarms/{swarm['id']}/stop").json()["state"] == "cancelled"
        backtest = client.post(f"{API}/jobs", json={"kind": "backtest", "strategy": "momentum"}).json()["id"]
        refused(client.get(f"{API}/swarms/{backtest}"), 404, "not_found")


@pytest.fixture
def run(house: Any) -> str:
    name = f"20260101-000000-{uuid.uuid4().hex[:8]}-7"
    folder = Path(house.settings.runs) / name
    folder.mkdir(parents=True)
    (folder / "summary.json").write_text('{"sharpe": 1.5, "sortino": NaN}')
    (folder / "trades.csv").write_text("time,symbol\n")
    (folder / "secret.sqlite").write_bytes(b"x")
    (folder / "link.csv").symlink_to("/etc/passwd")
    return name


def test_runs_are_listed_shown_and_their_files_fetched(house: Any, run: str) -> None:
    with house.client("reader") as client:
        assert run in client.get(f"{API}/runs").json()["runs"]
        assert client.get(f"{API}/runs/{run}").json() == {"run": run, "summary": {"sharpe": 1.5, "sortino": None}}
        files = client.get(f"{API}/runs/{run}/files").json()["files"]
        assert [f["name"] for f in files] == ["summary.json", "trades.csv"]
        fetched = client.get(f"{API}/runs/{run}/files/trades.csv")
        assert (fetched.text, fetched.headers["content-security-policy"]) == ("time,symbol\n", "sandbox")
        for name in ("secret.sqlite", "link.csv", "none.csv"):
            refused(client.get(f"{API}/runs/{run}/files/{name}"), 404, "not_found")
        assert client.get(f"{API}/runs/..%2F..%2Fetc/files/passwd").status_code in (404, 422)
        refused(client.get(f"{API}/runs/latest"), 404, "not_found")


def test_runs_go_page_by_page(house: Any, run: str) -> None:
    with house.client("reader") as client:
        seen: list[str] = []
        params: dict[str, Any] = {"limit": 1}
        while params.get("cursor", "") is not None:
            page = client.get(f"{API}/runs", params=params).json()
            seen += page["runs"]
            params["cursor"] = page["next"]
        assert seen == sorted(seen, reverse=True)
        assert run in seen
        assert len(seen) == len(set(seen))


def test_a_journal_is_read_page_by_page_and_proven(house: Any) -> None:
    with house.client("admin") as client:
        entries: list[dict[str, Any]] = []
        params: dict[str, Any] = {"limit": 2}
        while params.get("cursor", "") is not None:
            page = client.get(f"{API}/journals/paper/entries", params=params).json()
            entries += page["entries"]
            params["cursor"] = page["next"]
        assert [entry["seq"] for entry in entries] == list(range(1, len(entries) + 1))
        kinds = [entry["kind"] for entry in entries]
        assert "OrderFilled" in kinds
        verdict = client.get(f"{API}/journals/paper/verification").json()
        assert (verdict["whole"], verdict["events"], verdict["head"]) == (True, len(entries), entries[-1]["hash"])
        noted = client.get(f"{API}/journals/paper/verification", params={"head": "0" * 63 + "1"}).json()
        assert noted["whole"] is False
        refused(client.get(f"{API}/journals/none/entries"), 404, "not_found")
    with house.client("reader") as client:
        refused(client.get(f"{API}/journals/paper/entries"), 403, "forbidden")


def test_no_model_is_an_empty_list_and_an_unknown_one_is_not_there(house: Any) -> None:
    with house.client("reader") as client:
        assert client.get(f"{API}/models").json() == {"models": []}
        for path in ("", "/versions/1", "/changes"):
            assert client.get(f"{API}/models/none{path}").status_code == 404
        assert client.post(f"{API}/models/none/forecasts", json={}).status_code == 404


def test_the_system_says_how_it_is(house: Any) -> None:
    with house.client("reader") as client:
        told = client.get(f"{API}/system").json()
        assert told["condition"] == "up", told
        assert set(told["components"]) == {"cluster", "jobs", "account/paper"}
        assert told["cluster"]["cpus"] == 4.0
        assert sum(told["jobs"].values()) == len(house.jobs.book.page())


def test_the_configuration_is_shown_to_admins_without_its_secrets(house: Any) -> None:
    with house.client("admin") as client:
        told = client.get(f"{API}/configuration")
        assert told.json()["settings"] == house.settings.resolved()
        assert "simulated-secret" not in told.text
        assert Settings(**json.loads(json.dumps({"seed": told.json()["settings"]["seed"]}))).seed == house.settings.seed
    with house.client("ann") as client:
        refused(client.get(f"{API}/configuration"), 403, "forbidden")


def test_nothing_is_shown_to_nobody(house: Any) -> None:
    paths = house.app.openapi()["paths"]
    mine = [(method, path) for path, methods in paths.items() if path.startswith(API) for method in methods]
    assert len(mine) == 33
    with house.client(None) as client:
        for method, path in mine:
            for name, value in {"{job}": "run-0123456789abcdef", "{account}": "paper", "{version}": "1"}.items():
                path = path.replace(name, value)
            answer = client.request(method, path.replace("{run}", "r").replace("{name}", "x"), json={})
            assert answer.status_code == 401, (method, path, answer.text)
            assert answer.headers["www-authenticate"]
