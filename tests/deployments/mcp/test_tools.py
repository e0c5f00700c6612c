"""Each tool by its example, and answers against what they should be by hand."""

from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from deployments.gateway.mcp import call
from deployments.gateway.mcp.catalogue import TOOLS
from deployments.gateway.mcp.problems import StoppedError
from nt_ray.access.roles import Role, Scope
from nt_ray.config import Settings
from nt_ray.market.embedded import load_embedded
from nt_ray.neural.inference import predictor
from nt_ray.trader.connection import books_of

MARKET = {"symbol": "AAPL", "side": "buy", "qty": 1, "type": "market", "time_in_force": "day"}
LIMIT = {**MARKET, "type": "limit", "limit_price": "85"}
"""Below the market, and within the collar that live accounts have."""


def one(told: dict[str, Any]) -> dict[str, Any]:
    """What became of the one order."""
    [found] = told["results"]
    return dict(found)


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize("name", [name for name, tool in TOOLS.items() if not tool.area])
def test_every_tool_that_is_there_answers_its_example(desk: Any, name: str) -> None:
    if name not in (
        "neural_train", "run_backtest", "execute_swarm_strategy", "scale_swarm", "shutdown_swarm",
        "deploy_trading_agent", "init_e2b_swarm",
    ):  # fmt: skip
        assert desk.answer(name, TOOLS[name].example)


def test_every_tool_that_is_not_there_says_which_area_is_missing(desk: Any) -> None:
    missing = {name: tool for name, tool in TOOLS.items() if tool.area}
    assert len(missing) == 48
    found_all = desk.problems([(name, tool.example) for name, tool in missing.items()])
    for tool, found in zip(missing.values(), found_all, strict=True):
        assert (found["code"], found["status"]) == ("not_available", 501)
        assert tool.area in found["message"]


def test_a_backtest_is_the_one_of_the_run_that_it_names(desk: Any, made: dict[str, Any], settings: Settings) -> None:
    told = made["run_backtest"]
    assert (settings.runs / told["run"] / "tear-sheet.html").is_file()
    again = desk.answer("run_backtest", TOOLS["run_backtest"].example)
    assert again["digest"] == told["digest"]
    report = desk.answer("performance_report", {"run": told["run"]})
    assert report["performance"]["total_return"] == pytest.approx(told["final_equity"] / told["initial_cash"] - 1.0)
    compared = desk.answer(
        "get_strategy_comparison",
        {"strategies": ["momentum", "mean_reversion", "sentiment"], "symbols": ["KO", "PEP"]},
    )
    ratios = [row["performance"]["sharpe"] for row in compared["ranked"][:-1]]
    assert ratios == sorted(ratios, reverse=True)
    assert compared["ranked"][-1]["strategy"] == "sentiment"
    assert "sentiment reads score" in compared["ranked"][-1]["refused"]


def test_correlations_are_those_of_numpy(desk: Any) -> None:
    panel = load_embedded("sp500").select(["KO", "PEP", "XOM"])
    returns = (panel.closes[1:] / panel.closes[:-1] - 1.0)[-90:]
    told = desk.answer("correlation_analysis", {"symbols": ["KO", "PEP", "XOM"], "period_days": 90})
    np.testing.assert_allclose(told["matrix"], np.corrcoef(returns.T), rtol=0, atol=1e-12)
    crossed = desk.answer("cross_asset_correlation_matrix", {"assets": ["KO", "PEP"]})
    r = float(np.corrcoef(returns[:, :2].T)[0, 1])
    low, high = np.tanh(np.arctanh(r) + np.array([-1.0, 1.0]) * 1.959963984540054 / np.sqrt(87))
    assert crossed["low_95"][0][1] == pytest.approx(low)
    assert crossed["high_95"][0][1] == pytest.approx(high)


def test_an_analysis_is_that_of_the_last_bar(desk: Any) -> None:
    closes = load_embedded("sp500").select(["KO"]).closes[:, 0]
    told = desk.answer("quick_analysis", {"symbol": "KO"})
    assert told["close"] == closes[-1]
    assert told["change"] == pytest.approx(closes[-1] / closes[-2] - 1.0)
    assert told["indicators"]["sma"] == pytest.approx(closes[-20:].mean())
    assert told["indicators"]["obv"] is None, "these data have closes alone"


def test_historical_risk_is_the_tail_of_past_returns(desk: Any) -> None:
    panel = load_embedded("sp500").select(["KO"])
    returns = (panel.closes[1:, 0] / panel.closes[:-1, 0] - 1.0)[-1000:]
    asked = {"portfolio": [{"symbol": "KO", "quantity": 100, "entry_price": "50"}], "methods": ["historical"]}
    told = desk.answer("risk_analysis", asked)
    tail = np.sort(returns)[:50]
    assert told["tails"][0]["expected_shortfall"] == pytest.approx(-tail.mean(), rel=0.02)
    assert told["weights"] == {"KO": 1.0}
    close = Decimal(told["equity"]) / 100
    assert Decimal(told["profit"]) == (close - 50) * 100
    crash = next(row for row in told["stress"] if row["name"] == "2008_crisis")
    assert crash["loss"] == pytest.approx(0.55)


def test_a_bet_is_sized_by_kellys_formula(desk: Any) -> None:
    told = desk.answer("calculate_kelly_criterion", {"probability": 0.6, "odds": 2.5, "bankroll": 1000})
    fraction = (1.5 * 0.6 - 0.4) / 1.5
    assert told["kelly_fraction"] == pytest.approx(fraction)
    assert told["recommended_stake"] == "333.33"
    assert told["growth"] == pytest.approx(0.6 * np.log1p(1.5 * fraction) + 0.4 * np.log1p(-fraction))
    none = desk.answer("calculate_kelly_criterion", {"probability": 0.3, "odds": 2.0, "bankroll": 1000})
    assert (none["kelly_fraction"], none["recommended_stake"]) == (0.0, "0.00")


def test_simulated_bets_have_the_median_of_the_binomial(desk: Any) -> None:
    asked = {"probability": 0.5, "odds": 3.0, "fraction": 0.2, "bets": 100, "num_simulations": 50_001}
    told = desk.answer("simulate_betting_strategy", asked)
    assert told["median"] == pytest.approx(1.4**50 * 0.8**50)
    all_in = desk.answer("simulate_betting_strategy", {**asked, "fraction": 1.0})
    assert (all_in["share_ruined"], all_in["growth"]) == (1.0, None)


@pytest.mark.parametrize(
    ("odds", "form", "decimal"), [(-110, "american", 1 + 100 / 110), (250, "american", 3.5), (2.5, "decimal", 2.5)]
)
def test_odds_become_probabilities(desk: Any, odds: float, form: str, decimal: float) -> None:
    told = desk.answer("odds_api_calculate_probability", {"odds": [odds, odds], "odds_format": form})
    assert told["decimal_odds"] == [pytest.approx(decimal)] * 2
    assert told["fair"] == [0.5, 0.5]
    assert told["margin"] == pytest.approx(2 / decimal - 1)


def test_a_plan_of_rebalancing_ends_at_its_targets(desk: Any) -> None:
    asked = {"target_allocations": {"KO": 0.5, "PEP": 0.3}, "cash": 1_000_000, "rebalance_threshold": 0.01}
    told = desk.answer("portfolio_rebalance", asked)
    assert {t["symbol"]: t["action"] for t in told["trades"]} == {"KO": "buy", "PEP": "buy"}
    assert told["weights_after"]["KO"] == pytest.approx(0.5, abs=1e-3)
    spent = sum(Decimal(t["price"]) * t["quantity"] for t in told["trades"])
    assert Decimal(told["cash_after"]) == 1_000_000 - spent - Decimal(told["cost"])


@pytest.mark.usefixtures("made")
def test_an_order_goes_through_the_gate_to_the_venue_once(desk: Any, settings: Settings) -> None:
    order = {"account": "paper", "client_order_id": "once", **MARKET, "qty": 2}

    def denials() -> int:
        told = desk.answer("get_execution_analytics", {"account": "paper", "time_period": "all"})["accounts"][0]
        return int(told["by_status"].get("denied", 0))

    first, before = one(desk.answer("execute_trade", order)), denials()
    assert first["status"] in ("accepted", "filled")
    again = one(desk.answer("execute_trade", order))
    assert again["venue_order_id"] == first["venue_order_id"] != ""
    denied = one(desk.answer("execute_trade", {**order, "client_order_id": "large", "qty": 100_000}))
    assert denied["status"] == "denied"
    assert denied["rule"]
    assert {"once", "large"} <= set(books_of(settings, "paper").orders)
    assert denials() == before + 1


@pytest.mark.usefixtures("made")
def test_an_id_that_stands_for_another_order_is_refused_and_sends_nothing(desk: Any, settings: Settings) -> None:
    order = {**LIMIT, "qty": 3}
    first = one(desk.answer("execute_trade", {"account": "paper", "client_order_id": "taken", **order}))
    for change in ({"qty": 4}, {"side": "sell"}, {"limit_price": "86"}, {"time_in_force": "gtc"}):
        other = {"account": "paper", "client_order_id": "taken", **order, **change}
        found = one(desk.answer("execute_trade", other))
        assert (found["status"], "different order" in found["reason"]) == ("denied", True)
    trades = [{**order, "client_order_id": "taken", "qty": 9}, {**order, "client_order_id": "free", "qty": 2}]
    told = desk.answer("execute_multi_asset_trade", {"account": "paper", "orders": trades})["results"]
    assert [row["status"] for row in told] == ["denied", "accepted"]
    known = books_of(settings, "paper").orders["taken"]
    assert (known.request.quantity, known.venue_order_id) == (Decimal(3), first["venue_order_id"])


@pytest.mark.usefixtures("made")
def test_an_account_that_is_open_trades_a_symbol_that_it_was_not_opened_for(desk: Any) -> None:
    order = {"account": "paper", "client_order_id": "second-symbol", **MARKET, "symbol": "MSFT"}
    told = one(desk.answer("execute_trade", order))
    assert (told["status"] in ("accepted", "filled"), told["rule"]) == (True, "")


@pytest.mark.usefixtures("made")
def test_a_strategy_that_is_switched_off_trades_no_more_and_the_other_one_does(desk: Any) -> None:
    order = {"account": "paper", **LIMIT}
    rests = one(desk.answer("execute_trade", {**order, "client_order_id": "rests", "strategy": "breakout"}))
    assert rests["status"] == "accepted"
    switch = {"account": "paper", "name": "breakout", "to": "pairs", "reason": "tired"}
    told = desk.answer("switch_active_strategy", switch)
    assert (told["strategy"], told["stopped"], told["sessions"]) == ("pairs", False, [])
    assert "tired" in desk.answer("get_portfolio_status")["portfolios"][0]["halts"]["strategy:breakout"]
    assert desk.answer("get_execution_analytics", {"time_period": "all"})["accounts"][0]["by_status"]["canceled"] == 1
    off = one(desk.answer("execute_trade", {**order, "client_order_id": "off", "strategy": "breakout"}))
    on = one(desk.answer("execute_trade", {**order, "client_order_id": "on", "strategy": "pairs"}))
    assert (off["status"], on["status"]) == ("denied", "accepted")
    # Who works with strategies stops them; what was stopped is let go again by whoever may lift a kill switch.
    back = {**switch, "name": "pairs", "to": "breakout"}
    assert desk.acting(Role.USER).problem("switch_active_strategy", back)["code"] == "forbidden"
    assert not desk.answer("switch_active_strategy", back)["stopped"]
    assert "strategy:breakout" not in desk.answer("get_portfolio_status")["portfolios"][0]["halts"]
    assert desk.problem("switch_active_strategy", {**switch, "to": "breakout"})["code"] == "same_strategy"
    narrow = desk.acting(Role.ADMIN, scopes=frozenset({Scope.KILL}))
    assert narrow.problem("switch_active_strategy", switch)["code"] == "forbidden"


def test_nothing_begins_to_trade_by_itself_where_no_session_lives(desk: Any) -> None:
    found = desk.problem("deploy_trading_agent", TOOLS["deploy_trading_agent"].example)
    assert (found["code"], found["status"]) == ("service", 503)
    assert "cluster" in found["message"]


@pytest.mark.usefixtures("made")
def test_a_bracket_is_an_order_and_its_legs_as_by_alpacas_route(desk: Any, settings: Settings) -> None:
    legs = {"take_profit": {"limit_price": "110"}, "stop_loss": {"stop_price": "81"}}
    order = {**LIMIT, "client_order_id": "walled", "order_class": "bracket", **legs}
    told = desk.answer("execute_trade", {"account": "paper", **order})["results"]
    assert [row["side"] for row in told] == ["buy", "sell", "sell"]
    known = books_of(settings, "paper").orders
    assert {known[row["client_order_id"]].request.strategy for row in told} == {"assistant"}
    assert [known[row["client_order_id"]].request.parent for row in told[1:]] == ["walled", "walled"]
    wrong = {**order, "client_order_id": "half", "stop_loss": None}
    assert desk.problem("execute_trade", {"account": "paper", **wrong})["status"] == 422
    assert "half" not in books_of(settings, "paper").orders


def test_a_batch_above_its_limit_sends_nothing(desk: Any, settings: Settings, made: dict[str, Any]) -> None:
    assert made
    order = {**LIMIT, "limit_price": "60"}
    trades = [{**order, "client_order_id": f"bounded-{n}"} for n in range(2)]
    found = desk.problem("execute_multi_asset_trade", {"account": "paper", "orders": trades, "risk_limit": 100})
    assert (found["code"], found["status"]) == ("bad_input", 422)
    assert not any(name.startswith("bounded") for name in books_of(settings, "paper").orders)


def test_a_model_that_was_trained_is_listed_forecasts_and_is_scored(desk: Any, made: dict[str, Any]) -> None:
    version = made["neural_train"]["registered"]
    name, _, number = version.partition("/")
    told = desk.answer("neural_model_status", {"name": name, "version": int(number)})
    assert told["version"]["lineage"]["config"]["target"] == "close"
    assert desk.answer("neural_model_status", {"name": name})["version"] == told["version"]
    assert desk.problem("neural_model_status", {"version": 1})["code"] == "bad_input"
    forecast = desk.answer("neural_forecast", {"name": name, "version": int(number), "symbols": ["KO", "PEP"]})
    assert {row["symbol"]: len(row["mean"]) for row in forecast["series"]} == {"KO": 2, "PEP": 2}
    parts = [part for row in forecast["series"] for part in row["intervals"]]
    assert [part["share"] for part in parts] == [0.8, 0.9, 0.8, 0.9]
    assert all(low < high for part in parts for low, high in zip(part["low"], part["high"], strict=True))
    scored = desk.answer("neural_evaluate", {"model_id": version, "symbols": ["KO", "PEP"]})
    assert scored["start"] > "2021-12-31"
    assert scored["better_than_naive"] is (scored["score"] < scored["naive"])


def test_an_evaluation_tells_how_far_it_is_and_ends_once_nobody_waits(
    desk: Any, made: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predictor, "BATCH", 16)
    monkeypatch.setattr(call, "PAUSE_S", 0.0)
    asked = {"model_id": made["neural_train"]["registered"], "symbols": ["KO", "PEP"]}
    heard: list[tuple[int, int]] = []
    tool = TOOLS["neural_evaluate"]

    def evaluate(*, patience: int) -> Any:
        heard.clear()

        def tell(done: int, total: int, _: str) -> None:
            heard.append((done, total))
            if len(heard) == patience:
                at_work.stop()

        at_work = call.Call(desk.backend, desk.who, tell)
        return tool.run(at_work, tool.read(asked))

    found = evaluate(patience=0)
    assert found.model_dump(mode="json") == desk.answer("neural_evaluate", asked)
    windows = heard[-1][1]
    assert [done for done, _ in heard] == [*range(16, windows, 16), windows]
    assert {total for _, total in heard} == {windows}
    with pytest.raises(StoppedError):
        evaluate(patience=2)
    assert heard == [(16, windows), (32, windows)]


def test_a_swarm_is_found_again_by_its_run(desk: Any, made: dict[str, Any]) -> None:
    swarm = made["execute_swarm_strategy"]
    status = desk.answer("get_swarm_status", {"swarm_id": swarm["swarm_id"]})
    assert len(status["agents"]) == swarm["agents"]
    assert {agent["strategy"] for agent in status["agents"]} == {"momentum", "mean_reversion"}
    health = desk.answer("monitor_swarm_health", {"swarm_id": "latest"})
    assert (health["swarm_id"], health["healthy"]) == (swarm["swarm_id"], not health["alerts"])
    for tool in ("get_swarm_status", "get_swarm_metrics", "monitor_swarm_health"):
        by_job = desk.answer(tool, {"swarm_id": swarm["job"]})
        assert by_job == desk.answer(tool, {"swarm_id": swarm["swarm_id"]})
        assert by_job["state"] == "finished"


def test_a_brokers_table_is_checked_and_no_secret_is_taken(desk: Any) -> None:
    good = desk.answer("validate_broker_config", {"config": {"kind": "alpaca"}})
    assert good == {"valid": True, "problems": [], "money": "paper"}
    bad = desk.answer("validate_broker_config", {"config": {"kind": "alpaca", "secret": "hush", "colour": "red"}})
    assert not bad["valid"]
    assert "hush" not in str(bad)
    assert any("colour" in said for said in bad["problems"])


def test_somebody_sees_the_accounts_that_are_his(desk: Any, made: dict[str, Any]) -> None:
    assert made
    own = desk.acting(Role.USER, accounts=frozenset({"paper"}))
    other = desk.acting(Role.USER, accounts=frozenset({"elsewhere"}))
    assert [p["account"] for p in own.answer("get_portfolio_status")["portfolios"]] == ["paper"]
    assert other.answer("get_portfolio_status")["portfolios"] == []
    assert other.problem("get_portfolio_status", {"account": "paper"})["code"] == "forbidden"
    order = {**TOOLS["execute_trade"].example, "client_order_id": "not-mine"}
    assert other.problem("execute_trade", order)["code"] == "forbidden"
