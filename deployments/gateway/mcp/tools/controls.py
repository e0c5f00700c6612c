"""Tools about which strategies trade an account: one begins, or takes the place of another.

In an account a strategy is whoever signs its orders by name. Without a cluster nothing trades by itself: then a switch
is an end and a kill switch for one, and leave to trade for the other.
"""

from deployments.gateway.mcp.call import Call
from deployments.gateway.mcp.categories import Category
from deployments.gateway.mcp.tool import tool
from deployments.gateway.mcp.twin import Twin
from deployments.gateway.platform import strategies
from nt_ray.access.roles import Scope


class Begin(strategies.Trading):
    """Which strategy is to trade which account, and why."""

    name: strategies.StrategyName


class Switch(strategies.Exchange):
    """Which strategy takes the place of which, where, and why."""

    name: strategies.StrategyName


@tool(
    Category.SWARM,
    Scope.STRATEGIES_WRITE,
    {"name": "momentum", "account": "paper", "reason": "a look at its signals"},
    Twin("POST /api/v1/strategies/{name}/start", answers=True),
    changes=True,
    destructive=True,
)
def deploy_trading_agent(call: Call, asked: Begin) -> strategies.StrategyHealth:
    """Let an agent of one strategy trade an account by itself, on each finished bar, until it is switched or stopped.

    It lives on the cluster, in no sandbox, and it trades: ask the person first.
    """
    return call.ask(strategies.started, call.backend, call.principal, asked.name, asked)


@tool(
    Category.TRADING,
    Scope.STRATEGIES_WRITE,
    {"name": "momentum", "account": "paper", "to": "pairs", "reason": "drawdown of the month"},
    Twin("POST /api/v1/strategies/{name}/switch", answers=True),
    changes=True,
    destructive=True,
)
def switch_active_strategy(call: Call, asked: Switch) -> strategies.StrategyHealth:
    """Stop a strategy in an account, cancelling its open orders, and let another one trade it. Ask the person first."""
    return call.ask(strategies.switched, call.backend, call.principal, asked.name, asked)


TOOLS = (deploy_trading_agent, switch_active_strategy)
