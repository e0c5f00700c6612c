"""All 97 tools by name: those that are there, and those that are named only."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from deployments.gateway.mcp.tool import Tool
from deployments.gateway.mcp.tools import (
    accounts,
    backtests,
    betting,
    brokers,
    controls,
    depth,
    market,
    neural,
    odds,
    risk,
    strategies,
    swarm_looks,
    swarms,
    system,
    unavailable,
)

_ROOMS = (
    system,
    strategies,
    market,
    backtests,
    risk,
    accounts,
    controls,
    betting,
    odds,
    depth,
    neural,
    swarms,
    swarm_looks,
    brokers,
    unavailable,
)


def _by_name() -> dict[str, Tool]:
    found: dict[str, Tool] = {}
    for room in _ROOMS:
        tools: tuple[Tool, ...] = room.TOOLS
        found |= {tool.name: tool for tool in tools}
    return found


TOOLS: Final[Mapping[str, Tool]] = MappingProxyType(_by_name())
