"""Tools whose area the platform does not have: named with what they would take, and refused when they are called."""

from collections.abc import Mapping

from deployments.gateway.mcp.categories import Category
from deployments.gateway.mcp.schema import Input, Nothing
from deployments.gateway.mcp.tool import Tool, not_available
from deployments.gateway.mcp.tools import unavailable_inputs as i
from nt_ray.access.roles import Scope

NEWS = "news collection and sentiment"
PREDICTION = "prediction markets"
SPORTS = "sports betting"
ODDS = "a source of bookmakers' odds"
SYNDICATE = "syndicates"
SANDBOX = "sandboxes for agents"

_READ, _WRITE = Scope.TRADING_READ, Scope.TRADING_WRITE
_SPORT = {"sport": "soccer"}
_MEMBER = {"syndicate_id": "s1", "member_id": "m1"}


def _news(name: str, says: str, takes: type[Input], example: Mapping[str, object], *, changes: bool = False) -> Tool:
    scope = Scope.STRATEGIES_WRITE if changes else Scope.RISK_READ
    return not_available(name, says, Category.NEWS, scope, NEWS, takes, example, changes=changes)


def _prediction(
    name: str, says: str, takes: type[Input], example: Mapping[str, object], *, trades: bool = False
) -> Tool:
    scope = _WRITE if trades else _READ
    return not_available(
        name, says, Category.PREDICTION, scope, PREDICTION, takes, example, changes=trades, destructive=trades
    )


def _sports(name: str, says: str, takes: type[Input], example: Mapping[str, object], *, trades: bool = False) -> Tool:
    scope = _WRITE if trades else _READ
    return not_available(name, says, Category.SPORTS, scope, SPORTS, takes, example, changes=trades, destructive=trades)


def _odds(name: str, says: str, takes: type[Input], example: Mapping[str, object]) -> Tool:
    return not_available(name, says, Category.ODDS, _READ, ODDS, takes, example)


def _syndicate(
    name: str, says: str, takes: type[Input], example: Mapping[str, object], *, changes: bool = False
) -> Tool:
    return not_available(
        name, says, Category.SYNDICATE, _WRITE if changes else _READ, SYNDICATE, takes, example,
        changes=changes, destructive=changes,
    )  # fmt: skip


def _sandbox(name: str, says: str, takes: type[Input], example: Mapping[str, object], *, changes: bool = False) -> Tool:
    scope = Scope.SWARMS_WRITE if changes else Scope.SWARMS_READ
    return not_available(
        name, says, Category.SANDBOX, scope, SANDBOX, takes, example, changes=changes, destructive=changes
    )


TOOLS = (
    _news("analyze_news", "Analyse the sentiment of news about a symbol.", i.News, {"symbol": "KO"}),
    _news("get_news_sentiment", "Show the sentiment of a symbol by source.", i.News, {"symbol": "KO"}),
    _news("control_news_collection", "Start, stop or set up the collection of news.", i.NewsControl,
          {"action": "start"}, changes=True),
    _news("get_news_provider_status", "Show how the providers of news are.", Nothing, {}),
    _news("fetch_filtered_news", "Fetch news about symbols by relevance.", i.NewsFilter, {"symbols": ["KO"]}),
    _news("get_news_trends", "Show trends of news about symbols.", i.NewsTrends, {"symbols": ["KO"]}),
    _prediction("get_prediction_markets_tool", "List markets.", i.MarketList, {}),
    _prediction("analyze_market_sentiment_tool", "Analyse the sentiment of a market.", i.Market, {"market_id": "m1"}),
    _prediction("get_market_orderbook_tool", "Show the order book of a market.", i.Market, {"market_id": "m1"}),
    _prediction("place_prediction_order_tool", "Place an order in a market.", i.MarketOrder,
                {"market_id": "m1", "outcome": "yes", "side": "buy", "quantity": 1}, trades=True),
    _prediction("get_prediction_positions_tool", "Show positions in markets.", Nothing, {}),
    _sports("get_sports_events", "List coming events of a sport.", i.Sport, _SPORT),
    _sports("get_sports_odds", "Show odds of a sport.", i.Sport, _SPORT),
    _sports("get_betting_portfolio_status", "Show open bets.", Nothing, {}),
    _sports("execute_sports_bet", "Place a bet.", i.SportBet,
            {"market_id": "m1", "selection": "home", "stake": 10, "odds": 2.0}, trades=True),
    _sports("get_sports_betting_performance", "Show what bets have brought.", i.Period, {}),
    _odds("odds_api_get_sports", "List sports with odds.", Nothing, {}),
    _odds("odds_api_get_live_odds", "Show odds as they are now.", i.Sport, _SPORT),
    _odds("odds_api_get_event_odds", "Show odds of an event.", i.SportEvent, {**_SPORT, "event_id": "e1"}),
    _odds("odds_api_get_bookmaker_odds", "Show odds of a bookmaker.", i.Bookmaker, {**_SPORT, "bookmaker": "b1"}),
    _odds("odds_api_analyze_movement", "Show how odds of an event have moved.", i.SportEvent,
          {**_SPORT, "event_id": "e1"}),
    _odds("odds_api_get_upcoming", "List coming events with odds.", i.Sport, _SPORT),
    _syndicate("create_syndicate_tool", "Found a syndicate.", i.NewSyndicate, {"syndicate_id": "s1", "name": "One"},
               changes=True),
    _syndicate("add_syndicate_member", "Take in a member.", i.NewMember,
               {"syndicate_id": "s1", "name": "Ann", "email": "ann@example.org", "role": "member",
                "initial_contribution": 100}, changes=True),
    _syndicate("get_syndicate_status_tool", "Show a syndicate.", i.Syndicate, {"syndicate_id": "s1"}),
    _syndicate("allocate_syndicate_funds", "Spread funds over bets.", i.Opportunities,
               {"syndicate_id": "s1", "opportunities": ["o1"]}, changes=True),
    _syndicate("distribute_syndicate_profits", "Share out profit.", i.Profit,
               {"syndicate_id": "s1", "total_profit": 100}, changes=True),
    _syndicate("process_syndicate_withdrawal", "Pay out a member.", i.MemberMoney, {**_MEMBER, "amount": 10},
               changes=True),
    _syndicate("get_syndicate_member_performance", "Show what a member has brought.", i.Member, _MEMBER),
    _syndicate("create_syndicate_vote", "Call a vote.", i.NewVote,
               {"syndicate_id": "s1", "vote_type": "other", "proposal": "Move", "options": ["yes", "no"]},
               changes=True),
    _syndicate("cast_syndicate_vote", "Cast a vote.", i.Ballot, {**_MEMBER, "vote_id": "v1", "option": "yes"},
               changes=True),
    _syndicate("get_syndicate_allocation_limits", "Show limits of allocation.", i.Syndicate, {"syndicate_id": "s1"}),
    _syndicate("update_syndicate_member_contribution", "Add to a member's contribution.", i.MemberMoney,
               {**_MEMBER, "amount": 10}, changes=True),
    _syndicate("get_syndicate_profit_history", "Show profits by time.", i.Syndicate, {"syndicate_id": "s1"}),
    _syndicate("get_syndicate_withdrawal_history", "Show withdrawals.", i.Syndicate, {"syndicate_id": "s1"}),
    _syndicate("update_syndicate_allocation_strategy", "Change how funds are spread.", i.Opportunities,
               {"syndicate_id": "s1", "opportunities": []}, changes=True),
    _syndicate("get_syndicate_member_list", "List members.", i.Syndicate, {"syndicate_id": "s1"}),
    _syndicate("calculate_syndicate_tax_liability", "Compute a member's tax.", i.Member, _MEMBER),
    _sandbox("create_e2b_sandbox", "Make a sandbox.", i.NewSandbox, {"name": "one"}, changes=True),
    _sandbox("run_e2b_agent", "Run an agent in a sandbox.", i.SandboxAgent,
             {"sandbox_id": "b1", "agent_type": "trader"}, changes=True),
    _sandbox("execute_e2b_process", "Run a process in a sandbox.", i.SandboxProcess,
             {"sandbox_id": "b1", "command": "ls"}, changes=True),
    _sandbox("list_e2b_sandboxes", "List sandboxes.", Nothing, {}),
    _sandbox("terminate_e2b_sandbox", "End a sandbox.", i.Sandbox, {"sandbox_id": "b1"}, changes=True),
    _sandbox("get_e2b_sandbox_status", "Show a sandbox.", i.Sandbox, {"sandbox_id": "b1"}),
    _sandbox("deploy_e2b_template", "Deploy a template.", i.SandboxTemplate, {"template_name": "t1"}, changes=True),
    _sandbox("scale_e2b_deployment", "Change the number of instances.", i.Deployment, {"deployment_id": "d1"},
             changes=True),
    _sandbox("monitor_e2b_health", "Show how sandboxes are.", Nothing, {}),
    _sandbox("export_e2b_template", "Make a template of a sandbox.", i.Sandbox, {"sandbox_id": "b1"}, changes=True),
)  # fmt: skip
