"""Prompts for common work: each says which tools to call and what to look out for."""

from collections.abc import Mapping
from dataclasses import dataclass

from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    GetPromptResult,
    Prompt,
    PromptArgument,
    PromptMessage,
    TextContent,
)

LONGEST = 200


@dataclass(frozen=True, slots=True)
class _Task:
    """One prompt; `{name}` in its text stands for an argument, which has a default or has to be given."""

    description: str
    arguments: Mapping[str, tuple[str, str | None]]
    text: str


_TASKS: Mapping[str, _Task] = {
    "review_run": _Task(
        "Review a finished run: performance, costs, what went wrong.",
        {"run": ("Name of the run.", "latest")},
        "Read the resource nt://runs/{run} and call performance_report for run {run}, whole and over its last 63 bars. "
        "Compare with the benchmark. Say what the return was earned with (exposure, turnover, costs), how deep and how "
        "long it fell, and whether denials, faults or failovers stand in the summary. Name what would have to hold for "
        "the result to repeat, and one test that could refute it. Give each figure with its unit; null is undefined.",
    ),
    "size_a_bet": _Task(
        "Size a bet by Kelly's criterion, and show what it may do to the bankroll.",
        {
            "probability": ("Probability of winning, between 0 and 1.", None),
            "odds": ("Decimal odds.", None),
            "bankroll": ("Money at hand.", None),
        },
        "Call calculate_kelly_criterion with probability {probability}, odds {odds}, bankroll {bankroll}, and "
        "confidence 1, 0.5 and 0.25. Then call simulate_betting_strategy for each fraction over 200 bets. Show stake, "
        "growth, chance of halving, and the 5th percentile side by side. Say how the answer changes if the probability "
        "is overestimated by 0.02. Without an edge, say so and recommend no stake.",
    ),
    "compare_strategies": _Task(
        "Compare strategies on the same bars, and say what the difference is worth.",
        {
            "strategies": ("Names, separated by commas.", "momentum, mean_reversion, pairs"),
            "symbols": ("Symbols, separated by commas; all of the data if left out.", "all of the data"),
        },
        "Call get_strategy_comparison for the strategies {strategies} on the symbols {symbols}, first over the whole "
        "data, then over their first and their last half. Say whether the ranking holds in both halves, how each "
        "compares with the benchmark, and what drawdown came along. Do not call the best of several proven.",
    ),
    "daily_risk_review": _Task(
        "Review the accounts: positions, risk, stops, executions.",
        {"account": ("Account; all if left out.", "every account")},
        "Call get_portfolio_status for {account}. For each account with positions call risk_analysis with them and its "
        "cash, at confidence 0.99. Call get_execution_analytics over 24h. Report equity, profit of the day, drawdown, "
        "largest weights, value at risk by method, the worst stress, then halts, tripped breakers, denials by rule. "
        "Trade nothing.",
    ),
    "plan_rebalancing": _Task(
        "Plan how to bring an account to target weights, without trading.",
        {"account": ("Account.", None), "targets": ("Weights by symbol, such as KO 0.5, PEP 0.4.", None)},
        "Call get_portfolio_status for {account}, then portfolio_rebalance with its positions and cash and the targets "
        "{targets}. Show each trade with its price and drift, the cost and the turnover, and risk_analysis before and "
        "after. Ask the person before any order; only then send the trades by execute_multi_asset_trade as limit "
        "orders with new client_order_ids.",
    ),
    "train_a_model": _Task(
        "Train a network, and find out whether it is better than a naive forecast.",
        {"network": ("Kind of network.", "dlinear"), "name": ("Name to register it under.", "candidate")},
        "Call neural_train with model {network} and register_as {name}, leaving the last year out by end. "
        "Then call neural_evaluate for the registered version on the whole data. If it is not better than the naive "
        "forecast, say so and stop. Otherwise call neural_backtest with the same network as model of its forecasts, "
        "and compare it with its benchmark.",
    ),
    "search_parameters": _Task(
        "Search the parameters of a strategy, and test the choice on data that it was not chosen on.",
        {
            "strategy": ("Name of the strategy.", "momentum"),
            "symbols": ("Symbols, separated by commas; all of the data if left out.", "all of the data"),
            "split": ("Last day of the data that may be searched, such as 2019-12-31.", None),
        },
        "Call optimize_strategy for {strategy} on the symbols {symbols} that end by {split}. Then call run_backtest "
        "with the best parameters, and with the defaults, both from the day after {split} on. Compare the two with "
        "each other and with the benchmark, and say how far the best of the search fell. Recommend the defaults "
        "unless the choice holds.",
    ),
    "paper_trade_swarm": _Task(
        "Let a swarm of strategies paper-trade, and say who earned what.",
        {
            "strategies": ("Names, separated by commas.", "momentum, mean_reversion"),
            "start": ("First day, such as 2021-01-04.", None),
        },
        "Call execute_swarm_strategy with the strategies {strategies} from {start} on. Its progress names the job: "
        "scale_swarm spreads it over more hosts, shutdown_swarm ends it. Then call get_swarm_status, "
        "get_swarm_metrics and monitor_swarm_health for it. Report the return beside the benchmark of nt://runs, the "
        "contribution and weight of each agent, the messages of each topology, and every alert.",
    ),
    "system_check": _Task(
        "Say whether the platform is well: machine, jobs, accounts, models.",
        {},
        "Call ping and get_system_metrics. Read nt://jobs and name those that failed or stand still, with their error "
        "from nt://jobs/ID. Call get_portfolio_status and name silent accounts, halts and tripped breakers. Call "
        "neural_model_status and name models without a champion. Say in one line what needs a person.",
    ),
}


def listed() -> list[Prompt]:
    """All prompts."""
    return [
        Prompt(
            name=name,
            title=name.replace("_", " "),
            description=task.description,
            arguments=[
                PromptArgument(name=argument, description=says, required=default is None)
                for argument, (says, default) in task.arguments.items()
            ],
        )
        for name, task in _TASKS.items()
    ]


def filled(name: str, arguments: Mapping[str, str]) -> GetPromptResult:
    """Fill a prompt with arguments."""
    task = _TASKS.get(name)
    if task is None:
        raise MCPError(code=INVALID_PARAMS, message=f"There is no prompt {name[:64]!r}. prompts/list names them.")
    unknown = [argument for argument in arguments if argument not in task.arguments]
    missing = [a for a, (_, default) in task.arguments.items() if default is None and not arguments.get(a)]
    long = [argument for argument, value in arguments.items() if len(value) > LONGEST]
    for wrong, says in ((unknown, "takes no argument"), (missing, "needs argument"), (long, "is given too long a")):
        if wrong:
            raise MCPError(code=INVALID_PARAMS, message=f"Prompt {name} {says} {wrong[0][:64]!r}. See prompts/list.")
    values = {a: arguments.get(a) or default or "" for a, (_, default) in task.arguments.items()}
    message = PromptMessage(role="user", content=TextContent(type="text", text=task.text.format(**values)))
    return GetPromptResult(description=task.description, messages=[message])
