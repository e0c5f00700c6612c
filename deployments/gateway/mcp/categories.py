"""Kinds of tools, and how many calls of each kind somebody may make in a minute."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Category(StrEnum):
    """Kind of a tool."""

    SYSTEM = "system"
    MARKET = "market"
    BACKTEST = "backtest"
    RISK = "risk"
    TRADING = "trading"
    NEURAL = "neural"
    NEWS = "news"
    PREDICTION = "prediction"
    SPORTS = "sports"
    ODDS = "odds"
    SYNDICATE = "syndicate"
    SANDBOX = "sandbox"
    SWARM = "swarm"
    BROKER = "broker"


DEFAULT_PER_MINUTE: Final = 100

PER_MINUTE: Final[Mapping[Category, int]] = MappingProxyType(
    dict.fromkeys(Category, DEFAULT_PER_MINUTE)
    | {
        Category.BACKTEST: 60,
        Category.NEURAL: 20,
        Category.PREDICTION: 60,
        Category.SPORTS: 60,
        Category.ODDS: 50,
        Category.SANDBOX: 30,
        Category.SWARM: 20,
    }
)
"""Calls a minute by category, for each caller."""
