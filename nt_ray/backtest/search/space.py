"""The space a search walks: for each searched parameter, a range or a list of values.

A space is checked against the strategy's own ranges when it is made, so a search never starts on a parameter that
does not exist. Samples come from a Philox generator keyed by seed and number: candidate 17 is the same whatever
was drawn before it. It does not know what a candidate is worth.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nt_ray.backtest.assignment import Stretch, Term, assignments, counted
from nt_ray.errors import StrategyError
from nt_ray.strategies.base import Parameter, Strategy, no_parameter

Values = dict[str, float]
"""Parameters of one candidate by name; those left out have the strategy's default."""

ATTEMPTS = 1000
"""Draws for one candidate before a space counts as impossible."""


class SpaceError(StrategyError):
    """A search space that cannot be walked."""

    code = "search_space"


@dataclass(frozen=True, slots=True)
class Span:
    """All numbers from `low` to `high`, both included; whole ones, and evenly in logarithm, where asked for."""

    low: float
    high: float
    integer: bool = False
    log: bool = False

    def at(self, share: float) -> float:
        """Value at a share in [0, 1) of the range."""
        if self.integer:
            low, high = (math.log(self.low), math.log(self.high + 1)) if self.log else (self.low, self.high + 1)
            value = low + share * (high - low)
            return float(min(math.floor(math.exp(value) if self.log else value), self.high))
        if self.log:
            return self.nearest(math.exp(math.log(self.low) + share * (math.log(self.high) - math.log(self.low))))
        return self.nearest(self.low + share * (self.high - self.low))

    def nearest(self, value: float) -> float:
        """Value of this range nearest to `value`."""
        inside = min(max(value, self.low), self.high)
        return float(round(inside)) if self.integer else inside

    @property
    def ends(self) -> tuple[float, float]:
        """Smallest and largest value."""
        return self.low, self.high


@dataclass(frozen=True, slots=True)
class Choice:
    """A list of values."""

    values: tuple[float, ...]

    def at(self, share: float) -> float:
        """Value at a share in [0, 1) of the list."""
        return self.values[int(share * len(self.values))]

    def nearest(self, value: float) -> float:
        """Value of the list nearest to `value`; the first of two that are as near."""
        return min(self.values, key=lambda v: abs(v - value))

    @property
    def ends(self) -> tuple[float, float]:
        """Smallest and largest value."""
        return min(self.values), max(self.values)


Domain = Span | Choice


@dataclass(frozen=True, slots=True)
class SearchSpace:
    """Domains of the searched parameters of one strategy."""

    strategy: Strategy
    domains: Mapping[str, Domain]

    def __post_init__(self) -> None:
        known = {p.name: p for p in self.strategy.parameters}
        if not self.domains:
            raise SpaceError(
                f"{self.strategy.name}: no parameter to search is given. Name one of {', '.join(known)}, "
                "such as --param NAME=LOW:HIGH."
            )
        for name, domain in self.domains.items():
            if name not in known:
                raise SpaceError(
                    no_parameter(self.strategy.name, name, self.strategy.parameters, self.strategy.foreign)
                )
            for end in domain.values if isinstance(domain, Choice) else domain.ends:
                known[name].check(end)

    def sample(self, seed: int, number: int) -> Values:
        """Candidate of this number, evenly from the space; combinations that the strategy refuses are drawn anew."""
        generator = np.random.Generator(np.random.Philox(key=seed, counter=[0, 0, 0, number]))
        for _ in range(ATTEMPTS):
            values = {name: domain.at(float(generator.random())) for name, domain in self.domains.items()}
            if self.refusal(values) is None:
                return values
        raise SpaceError(
            f"{self.strategy.name}: none of {ATTEMPTS} draws is a combination it accepts. "
            f"The last: {self.refusal(values)} Change the ranges."
        )

    def nearest(self, values: Mapping[str, float]) -> Values:
        """Candidate of the space nearest to `values`, parameter by parameter."""
        return {name: domain.nearest(values[name]) for name, domain in self.domains.items()}

    def refusal(self, values: Mapping[str, float]) -> str | None:
        """Why the strategy refuses these values; None where it takes them."""
        try:
            self.strategy.vector(values)
        except StrategyError as error:
            return str(error)
        return None


def parse_space(strategy: Strategy, texts: Sequence[str]) -> SearchSpace:
    """Read a space from texts such as `lookback=10:200`, `lookback=10:200:log`, `lookback=10:200:5`, `entry=0.5,1`."""
    known = {name: p for p in strategy.parameters for name in (p.name, *p.aliases)}
    domains: dict[str, Domain] = {}
    for name, terms in assignments(texts).items():
        if name not in known:
            raise SpaceError(no_parameter(strategy.name, name, strategy.parameters, strategy.foreign))
        parameter = known[name]
        if parameter.name in domains:
            raise SpaceError(f"--param {name} is given twice, under two names. Give each parameter once.")
        domains[parameter.name] = domain_of(name, terms, parameter)
    return SearchSpace(strategy, domains)


def domain_of(name: str, terms: tuple[Term, ...], parameter: Parameter) -> Domain:
    """Read the terms of a parameter: a stretch without a step is searched as a whole; everything else is a list."""
    first = terms[0]
    if len(terms) > 1 or not isinstance(first, Stretch) or first.step is not None:
        return Choice(counted(name, terms))
    if first.low == first.high:
        raise SpaceError(f"--param {name}={first} is no range to search. Give LOW below HIGH, or one value.")
    return Span(float(first.low), float(first.high), parameter.integer, first.log)
