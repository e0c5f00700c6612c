"""Holdings: what a portfolio holds at which prices, and the equity that carries it.

Money and quantities are exact; weights are floats, as fractions of equity. It knows nothing of where the positions
come from.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from nt_ray.errors import RiskError
from nt_ray.risk.heat import Stop
from nt_ray.types import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A signed quantity of one symbol at one price."""

    symbol: str
    quantity: Decimal
    price: Decimal
    stops: tuple[Stop, ...] = ()
    """Stop orders that protect it, as far as any are known."""
    asset_class: str = ""
    """Class by which shocks name it; empty: guessed from the symbol, and told."""
    sector: str = ""

    def __post_init__(self) -> None:
        if not self.quantity.is_finite() or not (self.price.is_finite() and self.price > 0):
            raise RiskError(
                f"{self.symbol}: {self.quantity} at a price of {self.price} is no position. "
                "Give a quantity and a positive price."
            )
        for stop in self.stops:
            if not (stop.price.is_finite() and stop.price > 0):
                raise RiskError(
                    f"{self.symbol}: a stop at {stop.price} is no price. Give a positive one, or leave it out."
                )

    @property
    def value(self) -> Decimal:
        """Signed value."""
        return self.quantity * self.price


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """Positions other than zero, each symbol once, and the equity that they are fractions of."""

    positions: tuple[Position, ...]
    equity: Decimal
    source: str = ""
    """Where they come from, in words."""

    def __post_init__(self) -> None:
        symbols = self.symbols
        twice = sorted({symbol for symbol in symbols if symbols.count(symbol) > 1})
        if twice:
            raise RiskError(f"{twice[0]} stands twice among the positions. Put its quantities together.")
        if not self.positions:
            raise RiskError("The portfolio holds no position, so nothing of it is at risk. Give one with positions.")
        if not (self.equity.is_finite() and self.equity > 0):
            raise RiskError(f"Equity is {self.equity}. Risk is measured against a positive one; give it.")

    @property
    def symbols(self) -> tuple[str, ...]:
        """Symbols in the order of the positions."""
        return tuple(position.symbol for position in self.positions)

    @property
    def weights(self) -> FloatArray:
        """(N,) values over equity, shorts negative; what is missing to one is cash."""
        return np.array([float(position.value / self.equity) for position in self.positions])


def holdings_of(positions: Sequence[Position], equity: Decimal | None = None, source: str = "") -> Holdings:
    """Return holdings without the positions of zero; equity is the sum of their values where it is not given."""
    held = tuple(position for position in positions if position.quantity)
    total = sum((position.value for position in held), Decimal(0)) if equity is None else equity
    return Holdings(positions=held, equity=total, source=source)


def whole_stop(quantity: Decimal, price: Decimal) -> Stop:
    """Return the stop order that closes the whole of a signed quantity."""
    return Stop(-1 if quantity > 0 else 1, price, abs(quantity))
