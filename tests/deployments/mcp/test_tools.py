"""Each tool by its example, and answers against what they should be by hand."""

from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from deployments.gateway.mcp.catalogue import TOOLS
from nt_ray.access.roles import Role
from nt_ray.config import Settings
from nt_ray.market.embedded import load_embedded
from nt_ray.trader.connection import books_of


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize("name", [name for name, tool in TOOLS.items() if not tool.area])
def test_every_tool_that_is_there_answers_its_example(desk: Any, name: str) -> None:
    if name not in ("neural_train", "run_backtest", "execute_swarm_strategy"):
        assert desk.answer(name, TOOLS[name].example)


def test_every_tool_that_is_not_there_says_which_area_is_missing(desk: Any) -> None:
    missing = {name: tool for name, tool in TOOLS.items() if tool.area}
    assert len(missing) == 60
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
    order = {"account": "paper", "client_order_id": "once", "symbol": "AAPL", "action": "buy", "quantity": 2}
    first = desk.answer("execute_trade", order)
    assert first["status"] in ("accepted", "filled")
    again = desk.answer("execute_trade", order)
    assert again["venue_order_id"] == first["venue_order_id"] != ""
    denied = desk.answer("execute_trade", {**order, "client_order_id": "large", "quantity": 100_000})
    assert denied["status"] == "denied"
    assert denied["rule"]
    assert {"once", "large"} <= set(books_of(settings, "paper").orders)
    told = desk.answer("get_execution_analytics", {"account": "paper", "time_period": "all"})["accounts"][0]
    assert told["by_status"]["denied"] == 1


def test_a_batch_above_its_limit_sends_nothing(desk: Any, settings: Settings, made: dict[str, Any]) -> None:
    assert made
    order = {"symbol": "AAPL", "action": "buy", "quantity": 1, "order_type": "limit", "limit_price": "60"}
    trades = [{**order, "client_order_id": f"bounded-{n}"} for n in range(2)]
    found = desk.problem("execute_multi_asset_trade", {"account": "paper", "trades": trades, "risk_limit": 100})
    assert (found["code"], found["status"]) == ("bad_input", 422)
    assert not any(name.startswith("bounded") for name in books_of(settings, "paper").orders)


def test_a_model_that_was_trained_is_listed_forecasts_and_is_scored(desk: Any, made: dict[str, Any]) -> None:
    version = made["neural_train"]["registered"]
    told = desk.answer("neural_model_status", {"model_id": version})
    assert told["version"]["lineage"]["config"]["target"] == "close"
    forecast = desk.answer("neural_forecast", {"model_id": version, "symbols": ["KO", "PEP"]})
    steps = {row["symbol"]: row["steps"] for row in forecast["forecasts"]}
    assert {name: len(rows) for name, rows in steps.items()} == {"KO": 2, "PEP": 2}
    assert all(step["lower"] < step["upper"] for rows in steps.values() for step in rows)
    scored = desk.answer("neural_evaluate", {"model_id": version, "symbols": ["KO", "PEP"]})
    assert scored["start"] > "2021-12-31"
    assert scored["better_than_naive"] is (scored["score"] < scored["naive"])


def test_a_swarm_is_found_again_by_its_run(desk: Any, made: dict[str, Any]) -> None:
    swarm = made["execute_swarm_strategy"]
    status = desk.answer("get_swarm_status", {"swarm_id": swarm["swarm_id"]})
    assert len(status["agents"]) == swarm["agents"]
    assert {agent["strategy"] for agent in status["agents"]} == {"momentum", "mean_reversion"}
    health = desk.answer("monitor_swarm_health", {"swarm_id": "latest"})
    assert (health["swarm_id"], health["healthy"]) == (swarm["swarm_id"], not health["alerts"])


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
