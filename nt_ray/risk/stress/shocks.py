"""Shocks: sudden returns by class or asset, with the volatility and correlation that follow them.

The named ones are rounded figures of the first instants of a crisis by class, not replays: `windows` replays history.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from nt_ray.errors import RiskError
from nt_ray.risk.stress.book import Book
from nt_ray.types import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Shock:
    """Returns that come at once, as fractions: -0.55 loses 55 %. A shock by asset goes before one by class."""

    name: str
    by_class: Mapping[str, float] = field(default_factory=dict)
    by_asset: Mapping[str, float] = field(default_factory=dict)
    volatility: float = 1.0
    """Factor on every volatility after the shock."""
    correlation: float = 0.0
    """Added to every correlation after the shock, at most up to one."""
    assumptions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for table in (self.by_class, self.by_asset):
            for key, value in table.items():
                if not -1.0 <= value < np.inf:
                    raise RiskError(
                        f"Shock {self.name!r} moves {key} by {value}. Give a finite return of -1 (everything) or more."
                    )
        if not 0.0 < self.volatility < np.inf:
            raise RiskError(f"Shock {self.name!r} has a volatility factor of {self.volatility}. Give a positive one.")
        if not 0.0 <= self.correlation <= 1.0:
            raise RiskError(f"Shock {self.name!r} adds {self.correlation} to correlations. Give between 0 and 1.")

    def returns(self, book: Book) -> FloatArray:
        """(N,) return of each asset of a book; an asset that the shock does not name is an error, never left still."""
        strange = [name for name in self.by_asset if name not in book.names]
        if strange:
            raise RiskError(f"Shock {self.name!r} moves {strange[0]!r}, which the book does not hold. Remove it.")
        found = np.empty(len(book.names))
        for place, (name, kind) in enumerate(zip(book.names, book.classes, strict=True)):
            value = self.by_asset.get(name, self.by_class.get(kind))
            if value is None:
                raise RiskError(
                    f"Shock {self.name!r} says nothing of {name} (class {kind}). Give it a return by asset or by class."
                )
            found[place] = value
        return found


def crisis_2008() -> Shock:
    """Return the financial crisis of 2008 by class."""
    return _named("2008_crisis", -0.55, -0.15, -0.40, 0.10, volatility=3.0, correlation=0.30)


def covid_2020() -> Shock:
    """Return the first weeks of the pandemic in 2020 by class."""
    return _named("covid_2020", -0.34, 0.05, -0.60, 0.15, volatility=2.5, correlation=0.25)


def severe_market_crash(magnitude: float = 0.60) -> Shock:
    """Equities fall by a magnitude in (0, 1]; bonds by 0.3 and commodities by 0.5 of it, currencies rise by 0.2."""
    if not 0.0 < magnitude <= 1.0:
        raise RiskError(f"Crash magnitude {magnitude} does not lie in (0, 1]. Give the fall of equities, such as 0.4.")
    m = magnitude
    return _named(f"severe_market_crash_{m:g}", -m, -0.3 * m, -0.5 * m, 0.2 * m, volatility=4.0, correlation=0.40)


def interest_rate_shock(bps: float = 200.0) -> Shock:
    """Rates rise by basis points: each 100 cost equities 5 %, bonds 10 %, and lift commodities 2 %, currencies 3 %."""
    x = bps / 100.0
    return _named(
        f"interest_rate_shock_{bps:g}bps", -0.05 * x, -0.10 * x, 0.02 * x, 0.03 * x, volatility=1.5, correlation=0.10
    )


def liquidity_crisis() -> Shock:
    """Return a crisis of liquidity by class: everything but currencies is sold."""
    return _named("liquidity_crisis", -0.25, -0.20, -0.30, 0.25, volatility=3.5, correlation=0.50)


NAMED: Mapping[str, Callable[[], Shock]] = MappingProxyType(
    {
        "2008_crisis": crisis_2008,
        "covid_2020": covid_2020,
        "severe_market_crash": severe_market_crash,
        "interest_rate_shock": interest_rate_shock,
        "liquidity_crisis": liquidity_crisis,
    }
)
"""The named shocks at their usual size."""


def scaled(shock: Shock, factor: float) -> Shock:
    """Return a shock with all its returns multiplied; volatility and correlation stay."""
    return Shock(
        name=f"{shock.name} x {factor:g}",
        by_class={key: factor * value for key, value in shock.by_class.items()},
        by_asset={key: factor * value for key, value in shock.by_asset.items()},
        volatility=shock.volatility,
        correlation=shock.correlation,
        assumptions=(*shock.assumptions, f"returns of {shock.name!r} times {factor:g}"),
    )


def _named(
    name: str, equity: float, income: float, commodity: float, fx: float, *, volatility: float, correlation: float
) -> Shock:
    return Shock(
        name=name,
        by_class={"equity": equity, "fixed_income": income, "commodity": commodity, "fx": fx},
        volatility=volatility,
        correlation=correlation,
        assumptions=("one return for a whole class", "all of it at once, before anyone can trade"),
    )
