"""Tools about swarms: let one trade the past, then see how its agents stood and what its round cost.

A swarm lives as long as its run; afterwards it is known by the run's name.
"""

from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import polars as pl
from pydantic import Field

from deployments.gateway.mcp import runs
from deployments.gateway.mcp.call import Call
from deployments.gateway.mcp.categories import Category
from deployments.gateway.mcp.market_data import data_of
from deployments.gateway.mcp.schema import Figure, Input, OfData, Output, RunName, StrategyName, Symbols
from deployments.gateway.mcp.tool import tool
from nt_ray.access.roles import Scope
from nt_ray.errors import BadInputError
from nt_ray.strategies.registry import find
from nt_ray.trader import files
from nt_ray.trader.facade import NeuralTrader

ABOVE = 0.5
"""Share of rounds above which a silent agent is told of."""


class SwarmRun(OfData):
    """Which agents, how they decide, on what."""

    strategies: tuple[StrategyName, ...] = Field((), max_length=20, description="Those of the settings if left out.")
    symbols: Symbols = Field((), description="Symbols; all of the data if left out.")
    topology: Literal["star", "hierarchical", "ring", "mesh"] | None = None
    rule: Literal["mean", "median", "trimmed", "majority", "hedge"] | None = None


class SwarmTopology(Output):
    """What a topology cost; those the run did not use are measured over its last bars."""

    topology: str
    rule: str
    agents: int
    hosts: int
    bars: int
    messages: int
    rounds: int
    disagreement: Figure
    silent: int


class SwarmResult(Output):
    """What a swarm did."""

    swarm_id: str = Field(description="Name of its run.")
    start: datetime
    end: datetime
    agents: int
    orders: int
    fills: int
    denials: dict[str, int]
    total_return: Figure
    sharpe: Figure
    max_drawdown: Figure
    digest: str


@tool(
    Category.SWARM,
    Scope.SWARMS_WRITE,
    {"strategies": ["momentum", "mean_reversion"], "symbols": ["KO", "PEP"], "start_date": "2022-09-01"},
    changes=True,
    repeatable=False,
)
def execute_swarm_strategy(call: Call, asked: SwarmRun) -> SwarmResult:
    """Let a swarm of agents paper-trade past bars, one by one, through the whole order path, and keep the run."""
    own = call.backend.settings
    swarm = {name: getattr(asked, name) for name in ("topology", "rule") if getattr(asked, name) is not None}
    enabled = tuple(find(name).name for name in asked.strategies) or own.strategies.enabled
    variants = {name: told for name, told in own.strategies.variants.items() if name in enabled}
    settings = own.model_copy(
        update={
            "data": data_of(own, asked, asked.symbols),
            "swarm": own.swarm.model_copy(update=swarm),
            "strategies": own.strategies.model_copy(update={"enabled": enabled, "variants": variants}),
        }
    )
    with NeuralTrader(settings) as trader:
        made = trader.execute_strategy(on_bar=lambda row, rows, _: call.progress(row + 1, rows, "bars"))
    told = made.summary
    return SwarmResult(
        swarm_id=made.folder.name,
        start=told["start"],
        end=told["end"],
        agents=told["agents"],
        orders=told["orders"],
        fills=told["fills"],
        denials=told["denials"],
        total_return=told["strategy"]["total_return"],
        sharpe=told["strategy"]["sharpe"],
        max_drawdown=told["strategy"]["max_drawdown"],
        digest=told["digest"],
    )


class WhichSwarm(Input):
    """Which swarm."""

    swarm_id: RunName = "latest"


class AgentStatus(Output):
    """One agent over the whole run."""

    name: str
    strategy: str
    symbols: int
    contribution: Figure = Field(description="What its opinions would have earned by themselves.")
    mean_weight: Figure
    silent_rounds: int


class SwarmStatus(Output):
    """A swarm as its run left it."""

    swarm_id: str
    state: Literal["finished"] = "finished"
    topology: str
    rule: str
    agents: tuple[AgentStatus, ...]
    repairs: int = Field(description="Hosts that died and were replaced.")
    failovers: int


@tool(Category.SWARM, Scope.SWARMS_READ, {"swarm_id": "latest"})
def get_swarm_status(call: Call, asked: WhichSwarm) -> SwarmStatus:
    """Show a swarm: its topology and rule, and each agent with its contribution and weight."""
    place, told, agents = _swarm(call, asked.swarm_id)
    used = told["swarm"][0]
    return SwarmStatus(
        swarm_id=place.name,
        topology=used["topology"],
        rule=used["rule"],
        agents=tuple(AgentStatus(**{n: row[n] for n in AgentStatus.model_fields}) for row in agents.to_dicts()),
        repairs=told["repairs"],
        failovers=told["failovers"],
    )


class SwarmMetrics(Output):
    """What decisions cost, and who earned what."""

    swarm_id: str
    seconds: Figure
    bars_per_second: Figure
    order_latency_ms: dict[str, Figure]
    topologies: tuple[SwarmTopology, ...]
    by_strategy: tuple[dict[str, str | float | int | None], ...]


@tool(Category.SWARM, Scope.SWARMS_READ, {"swarm_id": "latest"})
def get_swarm_metrics(call: Call, asked: WhichSwarm) -> SwarmMetrics:
    """Show what a swarm's rounds cost in messages by topology, its latency, and contributions by strategy."""
    place, told, _ = _swarm(call, asked.swarm_id)
    return SwarmMetrics(
        swarm_id=place.name,
        seconds=told["seconds"],
        bars_per_second=told["bars_per_second"],
        order_latency_ms=told["latency_ms"],
        topologies=tuple(SwarmTopology(**row) for row in told["swarm"]),
        by_strategy=tuple(told["by_strategy"]),
    )


class SwarmHealth(Output):
    """Whether everything went well in a swarm."""

    swarm_id: str
    healthy: bool
    alerts: tuple[str, ...]


@tool(Category.SWARM, Scope.SWARMS_READ, {"swarm_id": "latest"})
def monitor_swarm_health(call: Call, asked: WhichSwarm) -> SwarmHealth:
    """Tell what went wrong in a swarm: agents at fault or silent, hosts replaced, failovers, denials."""
    place, told, agents = _swarm(call, asked.swarm_id)
    alerts = [f"{row['name']}: {row['sentence']}" for row in told["faults"]]
    rounds = told["swarm"][0]["rounds"]
    alerts += [
        f"{row['name']} was silent in {row['silent_rounds']} of {rounds} rounds"
        for row in agents.to_dicts()
        if rounds and row["silent_rounds"] > ABOVE * rounds
    ]
    for what, count in (("hosts were replaced", told["repairs"]), ("failovers of a broker", told["failovers"])):
        if count:
            alerts.append(f"{count} {what}")
    alerts += [f"{count} orders denied by {rule}" for rule, count in told["denials"].items()]
    return SwarmHealth(swarm_id=place.name, healthy=not alerts, alerts=tuple(alerts))


def _swarm(call: Call, name: str) -> tuple[Path, dict[str, Any], pl.DataFrame]:
    """Folder, summary and agents of a swarm's run."""
    place = runs.folder(call.backend.settings.runs, name, files.AGENTS)
    told = runs.summary(place)
    if not told.get("swarm") or not (place / files.AGENTS).is_file():
        raise BadInputError(f"Run {name} is not of a swarm. execute_swarm_strategy or `nt-ray run` makes one.")
    return place, told, pl.read_parquet(place / files.AGENTS)


TOOLS = (execute_swarm_strategy, get_swarm_status, get_swarm_metrics, monitor_swarm_health)
