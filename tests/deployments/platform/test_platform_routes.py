"""Accounts, strategies, swarms, models, runs, journals, system and configuration over a real connection."""

import json
import uuid
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from deployments.gateway.security import PUBLIC
from nt_ray.config import Settings
from nt_ray.errors import ServiceError
from nt_ray.risk.report.holdings import Position, holdings_of
from nt_ray.risk.report.plan import ReportPlan
from nt_ray.risk.report.report import risk_report
from nt_ray.strategies.registry import NAMES, ORDER_NAMES
from nt_ray.trader.data import load_bars
from nt_ray.trader.live_account import LiveAccount
from nt_ray.trader.session_keeper import SessionKeeper
from nt_ray.trading.orders import OrderRequest, OrderType, Side, TimeInForce

API = "/api/v1"


def refused(answer: httpx.Response, status: int, code: str) -> str:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    return str(answer.json()["detail"])


def test_a_portfolio_is_what_the_account_holds_in_exact_text(house: Any) -> None:
    with house.client() as client:
        assert client.get(f"{API}/accounts").json() == {"accounts": ["paper"], "next": None}
        told = client.get(f"{API}/accounts/paper/portfolio").json()
        state = house.account.state()
        assert Decimal(told["cash"]) == state.cash
        assert Decimal(told["equity"]) == state.equity
        (holding,) = told["holdings"]
        assert (holding["symbol"], Decimal(holding["quantity"])) == ("AAPL", 10)
        assert Decimal(holding["value"]) == Decimal(holding["quantity"]) * Decimal(holding["price"])
        refused(client.get(f"{API}/accounts/none/portfolio"), 404, "not_found")


def test_a_name_in_the_query_that_nobody_knows_is_refused_unless_it_is_alpacas_to_read(house: Any) -> None:
    with house.client() as client:
        told = refused(client.get(f"{API}/runs", params={"limmit": 5}), 422, "unknown_parameter")
        assert "'limmit'" in told
        assert "limit" in told.partition("takes")[2]
        mistyped = client.delete("/v2/positions", params={"cancel_order": "true"}, headers={"NT-Account": "paper"})
        assert (mistyped.status_code, "cancel_orders" in mistyped.text) == (422, True)
        read = client.get("/v2/positions", params={"side": "long"}, headers={"NT-Account": "paper"})
        assert read.status_code == 200


def test_the_risk_of_a_portfolio_is_the_risk_report_of_its_holdings(house: Any) -> None:
    with house.client() as client:
        whole = client.get(f"{API}/accounts/paper/risk", params={"confidence": 0.99}).json()
    told, found = whole["report"], house.account.overview()
    assert (whole["confidence"], whole["refused"]) == (0.99, None)
    # Of ten shares at 100 a tenth is lost one day in twenty, by the venue's past.
    assert whole["value_at_risk_money"] == "100.00"
    assert whole["value_at_risk"] == pytest.approx(100 / float(found.equity))
    position = Position(symbol="AAPL", quantity=Decimal(10), price=found.holdings[0].mark)
    plan = ReportPlan(confidences=(0.99,), horizons=(1,))
    bars = load_bars(house.settings.data.model_copy(update={"symbols": ("AAPL",)}))
    direct = risk_report(holdings_of([position], found.equity), bars, plan)
    assert [row["method"] for row in told["tails"]] == [row.method for row in direct.tails]
    assert told["volatility"] == direct.volatility
    assert told["equity"] == str(direct.equity)
    with house.client() as client:
        assert client.get(f"{API}/accounts/paper/risk", params={"confidence": 0.9}).json()["value_at_risk"] == 0.0
        # Two hundred days have no tail of one in ten thousand.
        assert client.get(f"{API}/accounts/paper/risk", params={"confidence": 0.9999}).json()["value_at_risk"] is None


def test_a_key_for_one_account_sees_no_other(house: Any) -> None:
    house.gatekeeper.users.add("carol", house.gatekeeper.users.get("ann").role, accounts=["elsewhere"])
    house.keys["carol"] = house.gatekeeper.keys.add("carol").text
    with house.client("carol") as client:
        assert client.get(f"{API}/accounts").json() == {"accounts": [], "next": None}
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


@pytest.fixture
def own_house(new_house: Any, tmp_path: Path) -> Iterator[Any]:
    """For strategies that begin to trade: they may sell what others find in the shared house."""
    with new_house(tmp_path) as built:
        yield built


def test_a_strategy_is_stopped_started_and_switched_in_an_account(own_house: Any) -> None:
    body = {"account": "paper", "reason": "drawdown"}
    with own_house.client("ann") as client:
        health = client.get(f"{API}/strategies/momentum/health", params={"account": "paper"}).json()
        assert (health["stopped"], health["why"]) == (False, None)
        key = {"Idempotency-Key": f"k-{uuid.uuid4()}"}
        stopped = client.post(f"{API}/strategies/momentum/stop", json=body, headers=key)
        assert stopped.json()["stopped"] is True
        assert "ann" in stopped.json()["why"]
        assert client.post(f"{API}/strategies/momentum/stop", json=body, headers=key).content == stopped.content
        assert "strategy:momentum" in own_house.account.overview().halts
        # Whoever may stop a strategy may not lift the switch, be it his own, an admin's or the gate's.
        refused(client.post(f"{API}/strategies/momentum/start", json=body), 403, "forbidden")
        refused(client.post(f"{API}/strategies/pairs/switch", json={**body, "to": "momentum"}), 403, "forbidden")
        assert set(own_house.account.overview().halts) == {"strategy:momentum"}
    with own_house.client("admin") as client:
        slow = {"to": "momentum", "parameters": {"lookback": 199}}
        taken = client.post(f"{API}/strategies/pairs/switch", json={**body, **slow}).json()
        assert (taken["strategy"], taken["stopped"]) == ("momentum", False)
        assert set(own_house.account.overview().halts) == {"strategy:pairs"}
        assert [session["phase"] for session in taken["sessions"]] == ["running"]
        refused(client.post(f"{API}/strategies/breakout/start", json=body), 409, "session_overlap")
        stopped = client.post(f"{API}/strategies/momentum/stop", json=body).json()
        assert (stopped["stopped"], stopped["sessions"]) == (True, [])
        own_house.account.resume(["strategy:pairs", "strategy:momentum"], "admin", "test is over")
    with own_house.client("reader") as client:
        refused(client.post(f"{API}/strategies/momentum/stop", json=body), 403, "forbidden")
        refused(client.post(f"{API}/strategies/momentum/start", json=body), 403, "forbidden")


def test_a_strategy_trades_an_account_until_it_is_stopped_or_another_takes_over(own_house: Any) -> None:
    body = {"account": "paper", "reason": "trial"}
    whole = {**body, "symbols": ["AAPL"], "parameters": {"fast": 5, "slow": 20}}
    with own_house.client("ann") as client:
        begun = client.post(f"{API}/strategies/sma-cross/start", json=whole).json()
        (session,) = begun["sessions"]
        told = {key: session[key] for key in ("strategy", "account", "symbols", "parameters", "phase", "who", "reason")}
        assert told == {
            "strategy": "sma_cross", "account": "paper", "symbols": ["AAPL"], "parameters": {"fast": 5, "slow": 20},
            "phase": "running", "who": "ann", "reason": "trial",
        }  # fmt: skip
        assert (session["condition"], session["missing"]) == ("traded", [])
        assert client.get(f"{API}/strategies/sma_cross/health", params={"account": "paper"}).json() == begun
        taken = client.post(f"{API}/strategies/sma_cross/switch", json={**body, "to": "trend_following"}).json()
        assert [one["strategy"] for one in taken["sessions"]] == ["trend_following"]
        assert set(own_house.account.overview().halts) == {"strategy:sma_cross"}
        closed = client.post(f"{API}/strategies/trend_following/stop", json={**body, "flatten": True}).json()
        assert (closed["stopped"], closed["sessions"]) == (True, [])
        own_house.account.sync()
        assert own_house.account.positions() == {}


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"account": "none"}, 404, "not_found"),
        ({"reason": " "}, 422, "invalid_request"),
        ({"symbols": ["TSLA"]}, 422, "untraded_symbols"),
        ({"parameters": {"nonsense": 1}}, 422, "strategy"),
        ({"parameters": {"lookback": "long"}}, 422, "invalid_request"),
        ({"strategy": "pairs"}, 422, "swarm_setup"),
        ({"strategy": ORDER_NAMES[0]}, 422, "strategy"),
        ({"strategy": "neural_forecast"}, 422, "missing_input"),
    ],
)
def test_what_cannot_trade_is_refused_and_lifts_no_switch(
    house: Any, change: dict[str, Any], status: int, code: str
) -> None:
    body = {"account": "paper", "reason": "trial", **change}
    name = body.pop("strategy", "momentum")
    house.account.halt(f"strategy:{name}", "admin", "closed")
    with house.client() as client:
        refused(client.post(f"{API}/strategies/{name}/start", json=body), status, code)
    assert set(house.account.overview().halts) == {f"strategy:{name}"}
    house.account.resume(f"strategy:{name}", "admin", "test is over")


def fails(*_: object, **__: object) -> Any:
    raise ServiceError("It has failed. Ask again.")


def test_a_start_that_fails_leaves_the_kill_switch_set(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SessionKeeper, "start", fails)
    monkeypatch.setattr(SessionKeeper, "switch", fails)
    body = {"account": "paper", "reason": "trial"}
    house.account.halt("strategy:momentum", "admin", "closed")
    with house.client() as client:
        refused(client.post(f"{API}/strategies/momentum/start", json=body), 503, "service")
        assert set(house.account.overview().halts) == {"strategy:momentum"}
        refused(client.post(f"{API}/strategies/pairs/switch", json={**body, "to": "momentum"}), 503, "service")
    assert set(house.account.overview().halts) == {"strategy:momentum", "strategy:pairs"}
    house.account.resume(list(house.account.overview().halts), "admin", "test is over")


@pytest.mark.parametrize("way", ["sma_cross/start", "pairs/switch"])
def test_a_kill_switch_that_is_set_while_a_strategy_begins_stays_set(
    own_house: Any, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    check = SessionKeeper.check

    def checked(keeper: SessionKeeper, *asked: Any) -> None:
        check(keeper, *asked)
        own_house.account.halt("strategy:sma_cross", "admin", "at this moment")

    monkeypatch.setattr(SessionKeeper, "check", checked)
    body = {"account": "paper", "reason": "trial", **({"to": "sma_cross"} if way.endswith("switch") else {})}
    with own_house.client("ann") as client:
        told = client.post(f"{API}/strategies/{way}", json=body).json()
        assert (told["stopped"], "at this moment" in told["why"]) == (True, True)
        assert "strategy:sma_cross" in own_house.account.overview().halts


def test_a_strategy_is_stopped_before_anything_is_asked_and_its_health_loads_no_order(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LiveAccount, "query", fails)
    body = {"account": "paper", "reason": "now"}
    with house.client() as client, monkeypatch.context() as broken:
        assert client.get(f"{API}/strategies/momentum/health", params={"account": "paper"}).json()["orders"] == 1
        broken.setattr(LiveAccount, "of_strategy", fails)
        refused(client.post(f"{API}/strategies/momentum/stop", json=body), 503, "service")
    assert set(house.account.overview().halts) == {"strategy:momentum"}
    house.account.resume(list(house.account.overview().halts), "admin", "test is over")


def test_a_strategy_is_stopped_by_every_name_that_its_orders_bear(own_house: Any) -> None:
    limit = {"type": OrderType.LIMIT, "limit_price": Decimal(85), "time_in_force": TimeInForce.GTC}
    name = f"n-{uuid.uuid4().hex[:8]}"
    sent = OrderRequest(name, "AAPL", Side.BUY, Decimal(1), "Mean Reversion", **limit)
    assert own_house.account.submit([sent])[0].status.is_open
    body = {"account": "paper", "reason": "test"}
    with own_house.client() as client:
        health = client.get(f"{API}/strategies/mean-reversion/health", params={"account": "paper"}).json()
        assert (health["open_orders"], health["orders"], health["executions"]) == (1, 1, 0)
        assert health["last_order"] is not None
        assert client.post(f"{API}/strategies/mean_reversion/stop", json=body).json()["stopped"] is True
        # The venue says in its own time that an order is cancelled.
        own_house.account.sync()
        again = replace(sent, client_order_id=f"{name}-2")
        assert own_house.account.submit([again])[0].rule == "kill_switch"
        health = client.get(f"{API}/strategies/mean-reversion/health", params={"account": "paper"}).json()
        assert (health["open_orders"], health["orders"], health["denied"]) == (0, 2, 1)
        assert client.post(f"{API}/strategies/mean_reversion/start", json=body).json()["stopped"] is False
        assert not own_house.account.overview().halts
        client.post(f"{API}/strategies/mean_reversion/stop", json=body)
        own_house.account.resume(list(own_house.account.overview().halts), "admin", "test is over")


def test_the_health_of_a_strategy_tells_what_else_holds_it_up_and_what_it_has_done(house: Any) -> None:
    house.account.halt("account", "ann", "lunch")
    with house.client() as client:
        health = client.get(f"{API}/strategies/momentum/health", params={"account": "paper"}).json()
        house.account.resume("account", "ann", "back")
        assert (health["stopped"], health["why"]) == (False, None)
        (held_up,) = health["held_up_by"]
        assert held_up.startswith("account: ")
        assert "lunch" in held_up
        assert (health["orders"], health["executions"], Decimal(health["realised"])) == (1, 1, 0)
        body = {"account": "paper", "reason": "test", "to": "Momentum"}
        refused(client.post(f"{API}/strategies/momentum/switch", json=body), 422, "same_strategy")


def test_a_swarm_is_a_job_of_its_own_kind_that_is_changed_until_it_has_ended(house: Any) -> None:
    spec = {"kind": "run", "strategies": ["momentum"], "hosts": 1}
    with house.client("ann") as client, house.client("bob") as bob:
        swarm = client.post(f"{API}/swarms", json=spec).json()
        assert client.get(f"{API}/swarms").json()["swarms"][0] == swarm
        assert client.get(f"{API}/swarms/{swarm['id']}").json() == swarm
        topology = client.get(f"{API}/swarms/{swarm['id']}/topology").json()
        assert (topology["topology"], topology["hosts"], topology["agents"]) == ("hierarchical", 1, None)
        place = f"{API}/swarms/{swarm['id']}"
        refused(bob.post(f"{place}/scale", json={"hosts": 4}), 404, "no_job")
        refused(client.post(f"{place}/scale", json={"hosts": 0}), 422, "invalid_request")
        assert client.post(f"{place}/scale", json={"hosts": 4}).json()["wanted"] == {"hosts": 4}
        turned = client.post(f"{place}/topology", json={"topology": "ring"}).json()
        assert turned["wanted"] == {"hosts": 4, "topology": "ring"}
        assert turned["spec"] == swarm["spec"]
        topology = client.get(f"{place}/topology").json()
        assert (topology["topology"], topology["hosts"]) == ("ring", 4)
        assert client.post(f"{place}/stop").json()["state"] == "cancelled"
        refused(client.post(f"{place}/scale", json={"hosts": 4}), 409, "job_ended")
        backtest = client.post(f"{API}/jobs", json={"kind": "backtest", "strategy": "momentum"}).json()["id"]
        refused(client.get(f"{API}/swarms/{backtest}"), 404, "not_found")
        refused(client.post(f"{API}/swarms/{backtest}/scale", json={"hosts": 4}), 404, "not_found")


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
        assert fetched.headers["content-type"].startswith("text/csv")
        assert fetched.headers["content-disposition"].startswith("attachment")
        for name in ("secret.sqlite", "link.csv", "none.csv"):
            refused(client.get(f"{API}/runs/{run}/files/{name}"), 404, "not_found")
        assert client.get(f"{API}/runs/..%2F..%2Fetc/files/passwd").status_code in (404, 422)
        refused(client.get(f"{API}/runs/latest"), 404, "not_found")


def paged(client: httpx.Client, path: str, rows: str, limit: int) -> list[Any]:
    """Every row of a listing, by its pages."""
    seen: list[Any] = []
    params: dict[str, Any] = {"limit": limit}
    while params.get("cursor", "") is not None:
        page = client.get(path, params=params).json()
        assert 0 < len(page[rows]) <= limit
        seen += page[rows]
        params["cursor"] = page["next"]
    return seen


def test_runs_go_page_by_page(house: Any, run: str) -> None:
    with house.client("reader") as client:
        seen = paged(client, f"{API}/runs", "runs", 1)
        assert seen == sorted(seen, reverse=True)
        assert run in seen
        assert len(seen) == len(set(seen))


def test_every_listing_goes_page_by_page(house: Any, run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def names(_: object) -> list[str]:
        return ["west", "east", "north"]

    with house.client("reader") as client:
        whole = client.get(f"{API}/strategies", params={"limit": 500}).json()["strategies"]
        assert paged(client, f"{API}/strategies", "strategies", 7) == whole
        files = paged(client, f"{API}/runs/{run}/files", "files", 1)
        assert [file["name"] for file in files] == ["summary.json", "trades.csv"]
        monkeypatch.setattr(type(house.accounts), "names", names)
        assert paged(client, f"{API}/accounts", "accounts", 2) == ["east", "north", "west"]
        refused(client.get(f"{API}/accounts", params={"cursor": "x"}), 422, "cursor")


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
        assert client.get(f"{API}/models").json() == {"models": [], "next": None}
        for path in ("", "/versions/1", "/changes"):
            assert client.get(f"{API}/models/none{path}").status_code == 404
        assert client.post(f"{API}/models/none/forecasts", json={}).status_code == 404


def test_the_system_says_how_it_is(house: Any) -> None:
    with house.client("reader") as client:
        told = client.get(f"{API}/system").json()
        assert told["condition"] == "up", told
        own = {"audit", "access", "limits", "models"}
        assert {"cluster", "jobs", "account/paper", *own} <= set(told["components"])
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
    closed = {path: methods for path, methods in paths.items() if path not in PUBLIC or path == "/api/v1/me"}
    mine = [(method, path) for path, methods in closed.items() for method in methods]
    assert len(mine) > 50
    assert {path for path in paths if path.startswith(API)} > {path for _, path in mine if "jobs" in path}
    with house.client(None) as client:
        for method, path in mine:
            for name, value in {"{job}": "run-0123456789abcdef", "{account}": "paper", "{version}": "1"}.items():
                path = path.replace(name, value)
            answer = client.request(method, path.replace("{run}", "r").replace("{name}", "x"), json={})
            assert answer.status_code == 401, (method, path, answer.text)
            assert answer.headers["www-authenticate"]
