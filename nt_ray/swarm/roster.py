"""The default roster: strategies times symbol groups times parameter variants, as agents with numbers.

The same parameters give the same roster on every machine. Pairs are neighbours in column order within a
group: no data are looked at, so nothing is fitted by the choice.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from nt_ray.strategies.base import Strategy
from nt_ray.swarm.failures import SwarmSetupError
from nt_ray.swarm.messages import MAX_AGENTS, AgentSpec

Variants = Mapping[str, Mapping[str, float]]
"""Parameter values by name of the variant; what is not named keeps its default."""

DEFAULT_VARIANTS: Mapping[str, Variants] = {
    "momentum": {
        "month": {"lookback": 21.0},
        "quarter": {"lookback": 63.0},
        "half": {"lookback": 126.0},
        "year": {"lookback": 252.0},
        "half-both-sides": {"lookback": 126.0, "short": 1.0},
    },
    "mean_reversion": {
        "week": {"window": 5.0},
        "fortnight": {"window": 10.0},
        "month": {"window": 20.0},
        "two-months": {"window": 40.0},
        "month-with-trend": {"window": 20.0, "trend": 200.0},
    },
    "pairs": {
        "quarter": {"lookback": 63.0},
        "half": {"lookback": 126.0},
        "year": {"lookback": 252.0},
        "half-wide": {"lookback": 126.0, "entry": 2.5},
        "year-wide": {"lookback": 252.0, "entry": 2.5},
    },
}


@dataclass(frozen=True, slots=True)
class RosterParams:
    """What the roster is made of.

    `group_size` symbols next to each other in the panel form a group; a last group of one symbol joins the
    group before it. `copies` repeats the whole roster, for measuring. `defer` makes every agent defer in a
    ring.
    """

    group_size: int = 5
    variants: Mapping[str, Variants] = field(default_factory=lambda: DEFAULT_VARIANTS)
    copies: int = 1
    defer: bool = False

    def __post_init__(self) -> None:
        if self.group_size < 1 or self.copies < 1:
            raise SwarmSetupError(f"group_size={self.group_size} and copies={self.copies} must be at least 1.")
        if not any(self.variants.values()):
            raise SwarmSetupError("The roster names no strategy variant. Give at least one.")


def roster(symbols: Sequence[str], params: RosterParams, find: Callable[[str], Strategy]) -> tuple[AgentSpec, ...]:
    """Agents over these panel columns, numbered from 0; `find` gives a strategy by its name."""
    groups = symbol_groups(len(symbols), params.group_size)
    specs: list[AgentSpec] = []
    for copy in range(params.copies):
        for name, variants in params.variants.items():
            strategy = find(name)
            for variant, values in variants.items():
                vector = tuple(float(v) for v in strategy.vector(values))
                for group in groups:
                    columns = lanes(group, strategy.width)
                    if not columns:
                        continue
                    label = f"{name}/{variant}/{symbols[columns[0]]}-{symbols[columns[-1]]}"
                    label += f"#{copy}" if copy else ""
                    specs.append(AgentSpec(len(specs), label, name, columns, vector, params.defer))
    check_specs(specs)
    return tuple(specs)


def symbol_groups(symbols: int, size: int) -> tuple[tuple[int, ...], ...]:
    """Columns in groups of neighbours; a last group of one joins the group before it."""
    groups = [tuple(range(first, min(first + size, symbols))) for first in range(0, symbols, size)]
    if len(groups) > 1 and len(groups[-1]) == 1 and size > 1:
        groups[-2:] = [groups[-2] + groups[-1]]
    return tuple(groups)


def lanes(group: Sequence[int], width: int) -> tuple[int, ...]:
    """Columns of a group in whole lanes of `width`; what is left over at the end is not covered."""
    return tuple(group[: len(group) - len(group) % width])


def check_specs(specs: Sequence[AgentSpec]) -> None:
    """Raise unless agents are numbered 0 to A - 1 in order and few enough for exact sums."""
    if not 1 <= len(specs) <= MAX_AGENTS:
        raise SwarmSetupError(f"A swarm of {len(specs)} agents is impossible. Use 1 to {MAX_AGENTS}.")
    for number, spec in enumerate(specs):
        if spec.agent != number:
            raise SwarmSetupError(f"Agent {spec.agent} stands at place {number}. Number agents from 0 in order.")


def partition(specs: Sequence[AgentSpec], hosts: int) -> tuple[tuple[AgentSpec, ...], ...]:
    """Agents in contiguous ranges, one a host, sizes differing by at most one; never an empty host."""
    check_specs(specs)
    if hosts < 1:
        raise SwarmSetupError(f"hosts={hosts} is impossible. Use at least 1.")
    count = min(hosts, len(specs))
    bounds = [len(specs) * h // count for h in range(count + 1)]
    return tuple(tuple(specs[a:b]) for a, b in pairwise(bounds))
