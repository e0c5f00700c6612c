from pathlib import Path
from typing import Any, get_args

import anyio
import pytest
from mcp import Client

from deployments.gateway.mcp.catalogue import TOOLS
from deployments.gateway.mcp.categories import PER_MINUTE, Category
from deployments.gateway.mcp.page import page
from deployments.gateway.mcp.schema import EmbeddedData
from deployments.gateway.mcp.tools.risk import Method
from nt_ray.access.roles import GRANTS, Role
from nt_ray.market.embedded import EMBEDDED
from nt_ray.risk.measures.catalogue import MEASURES

REPOSITORY = Path(__file__).parents[3]

NAMES = [
    "ping",
    "list_strategies",
    "get_strategy_info",
    "quick_analysis",
    "simulate_trade",
    "run_backtest",
    "optimize_strategy",
    "risk_analysis",
    "execute_trade",
    "get_portfolio_status",
    "performance_report",
    "correlation_analysis",
    "run_benchmark",
    "recommend_strategy",
    "switch_active_strategy",
    "get_strategy_comparison",
    "adaptive_strategy_selection",
    "get_system_metrics",
    "monitor_strategy_health",
    "get_execution_analytics",
    "execute_multi_asset_trade",
    "portfolio_rebalance",
    "cross_asset_correlation_matrix",
    "neural_forecast",
    "neural_train",
    "neural_evaluate",
    "neural_backtest",
    "neural_model_status",
    "neural_optimize",
    "analyze_news",
    "get_news_sentiment",
    "control_news_collection",
    "get_news_provider_status",
    "fetch_filtered_news",
    "get_news_trends",
    "get_prediction_markets_tool",
    "analyze_market_sentiment_tool",
    "get_market_orderbook_tool",
    "place_prediction_order_tool",
    "get_prediction_positions_tool",
    "calculate_expected_value_tool",
    "get_sports_events",
    "get_sports_odds",
    "find_sports_arbitrage",
    "analyze_betting_market_depth",
    "calculate_kelly_criterion",
    "simulate_betting_strategy",
    "get_betting_portfolio_status",
    "execute_sports_bet",
    "get_sports_betting_performance",
    "compare_betting_providers",
    "odds_api_get_sports",
    "odds_api_get_live_odds",
    "odds_api_get_event_odds",
    "odds_api_find_arbitrage",
    "odds_api_get_bookmaker_odds",
    "odds_api_analyze_movement",
    "odds_api_calculate_probability",
    "odds_api_compare_margins",
    "odds_api_get_upcoming",
    "create_syndicate_tool",
    "add_syndicate_member",
    "get_syndicate_status_tool",
    "allocate_syndicate_funds",
    "distribute_syndicate_profits",
    "process_syndicate_withdrawal",
    "get_syndicate_member_performance",
    "create_syndicate_vote",
    "cast_syndicate_vote",
    "get_syndicate_allocation_limits",
    "update_syndicate_member_contribution",
    "get_syndicate_profit_history",
    "simulate_syndicate_allocation",
    "get_syndicate_withdrawal_history",
    "update_syndicate_allocation_strategy",
    "get_syndicate_member_list",
    "calculate_syndicate_tax_liability",
    "create_e2b_sandbox",
    "run_e2b_agent",
    "execute_e2b_process",
    "list_e2b_sandboxes",
    "terminate_e2b_sandbox",
    "get_e2b_sandbox_status",
    "deploy_e2b_template",
    "scale_e2b_deployment",
    "monitor_e2b_health",
    "export_e2b_template",
    "init_e2b_swarm",
    "deploy_trading_agent",
    "get_swarm_status",
    "scale_swarm",
    "execute_swarm_strategy",
    "monitor_swarm_health",
    "get_swarm_metrics",
    "shutdown_swarm",
    "list_broker_types",
    "validate_broker_config",
]


def test_there_are_the_97_tools_and_no_other() -> None:
    assert len(NAMES) == 97
    assert set(TOOLS) == set(NAMES)


def test_the_page_says_what_the_catalogue_holds() -> None:
    assert (REPOSITORY / "docs" / "mcp.md").read_text(encoding="utf-8") == page()


def test_a_client_sees_every_tool_with_bounded_strict_schemas(desk: Any) -> None:
    async def listed() -> list[Any]:
        async with Client(desk.server()) as client:
            return (await client.list_tools()).tools

    tools = anyio.run(listed)
    assert {tool.name for tool in tools} == set(NAMES)
    for tool in tools:
        assert tool.description
        assert tool.input_schema["additionalProperties"] is False
        assert (tool.output_schema is None) is bool(TOOLS[tool.name].area)
        assert tool.annotations.read_only_hint is not TOOLS[tool.name].changes
        if tool.annotations.destructive_hint:
            assert not tool.annotations.read_only_hint


@pytest.mark.parametrize("role", [Role.READ_ONLY, Role.USER, Role.SERVICE])
def test_a_role_is_shown_the_tools_that_it_may_call_and_no_other(desk: Any, role: Role) -> None:
    async def listed() -> set[str]:
        async with Client(desk.acting(role).server()) as client:
            return {tool.name for tool in (await client.list_tools()).tools}

    assert anyio.run(listed) == {name for name, tool in TOOLS.items() if tool.scope in GRANTS[role]}


def test_what_trades_or_changes_is_within_no_reading_scope() -> None:
    for tool in TOOLS.values():
        if tool.changes or tool.destructive:
            assert tool.scope not in GRANTS[Role.READ_ONLY], tool.name


def test_every_example_fits_its_schema_and_every_category_has_a_limit() -> None:
    for tool in TOOLS.values():
        tool.read(tool.example)
    assert set(PER_MINUTE) == set(Category)


def test_names_that_schemas_list_are_those_of_the_rooms() -> None:
    assert set(get_args(EmbeddedData)) == set(EMBEDDED)
    assert set(get_args(Method)) == set(MEASURES)
