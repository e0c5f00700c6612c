"""The strategies there are, and how they are found by name.

A strategy is imported when it is asked for: each compiles its step on the first import of a machine, and a process
that runs three of them need not wait for the others. An alias or a wrong name imports them all.
"""

from difflib import get_close_matches
from functools import cache
from importlib import import_module
from typing import Any, Final

from nt_ray.errors import StrategyError
from nt_ray.strategies import loader
from nt_ray.strategies.base import Strategy
from nt_ray.strategies.order_step import OrderStrategy

NAMES: Final = (
    "momentum",
    "mean_reversion",
    "pairs",
    "trend_following",
    "breakout",
    "mirror",
    "adaptive",
    "multi_indicator",
    "arbitrage",
    "statistical_arbitrage",
    "neural_forecast",
    "sentiment",
    "multi_factor",
    "risk_parity",
    "ensemble",
    "market_making",
    "sma_cross",
)
"""Each names a module of this package that holds `STRATEGY`."""

ORDER_NAMES: Final = ("market_making_quotes",)
"""Each names a module that holds `ORDER_STRATEGY`, which the event simulator alone runs."""

NO_DATA: Final = {
    "options_delta_neutral": "options, whose chains and volatilities no data of the platform hold. Trade the spread of "
    "two instruments with `pairs`, or hedge by a ratio of your own with a strategy that reads it from a field",
}
"""Strategies that are known by name and cannot be run, and why."""

STRATEGIES: tuple[Strategy, ...]
"""All strategies of targets, in the order of `NAMES`."""

ORDER_STRATEGIES: tuple[OrderStrategy, ...]
"""All strategies of orders, in the order of `ORDER_NAMES`."""


def find(name: str) -> Strategy:
    """Return the strategy of this name or alias, whatever its case, hyphens or blanks, or of `file.py:Object`."""
    if loader.is_reference(name):
        return loader.load(name)
    wanted = plain(name)
    if wanted in NAMES:
        return _load(wanted)
    if wanted in ORDER_NAMES:
        raise StrategyError(f"{wanted} gives orders, which `nt-ray backtest` and `nt-ray check` alone run. Use those.")
    if wanted in NO_DATA:
        raise StrategyError(f"{wanted} trades {NO_DATA[wanted]}.")
    known = {key: s for s in _all() for key in (s.name, *s.aliases)}
    if wanted in known:
        return known[wanted]
    near = get_close_matches(wanted, known, n=1, cutoff=0.0)
    raise StrategyError(f"Unknown strategy {name!r}; did you mean {near[0]!r}? There are: {', '.join(NAMES)}.")


def find_orders(name: str) -> OrderStrategy | None:
    """Return the platform's order strategy of this name; None where there is none."""
    wanted = plain(name)
    return _load_orders(wanted) if wanted in ORDER_NAMES else None


def plain(name: str) -> str:
    """Name as the platform writes it."""
    return name.strip().lower().replace("-", "_").replace(" ", "_")


@cache
def _load_orders(name: str) -> OrderStrategy:
    strategy: OrderStrategy = import_module(f"nt_ray.strategies.{name}").ORDER_STRATEGY
    return strategy


@cache
def _load(name: str) -> Strategy:
    strategy: Strategy = import_module(f"nt_ray.strategies.{name}").STRATEGY
    return strategy


@cache
def _all() -> tuple[Strategy, ...]:
    return tuple(_load(name) for name in NAMES)


def __getattr__(name: str) -> Any:
    if name == "STRATEGIES":
        return _all()
    if name == "ORDER_STRATEGIES":
        return tuple(_load_orders(known) for known in ORDER_NAMES)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
