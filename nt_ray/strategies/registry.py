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

STRATEGIES: tuple[Strategy, ...]
"""All strategies, in the order of `NAMES`."""


def find(name: str) -> Strategy:
    """Return the strategy of this name or alias, whatever its case, hyphens or blanks, or of `file.py:Object`."""
    if loader.is_reference(name):
        return loader.load(name)
    wanted = name.strip().lower().replace("-", "_").replace(" ", "_")
    if wanted in NAMES:
        return _load(wanted)
    known = {key: s for s in _all() for key in (s.name, *s.aliases)}
    if wanted in known:
        return known[wanted]
    near = get_close_matches(wanted, known, n=1, cutoff=0.0)
    raise StrategyError(f"Unknown strategy {name!r}; did you mean {near[0]!r}? There are: {', '.join(NAMES)}.")


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
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
