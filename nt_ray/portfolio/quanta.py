"""Money of plans as whole quanta, so that sums of lots and cash are exact."""

from collections.abc import Sequence
from decimal import Decimal

import numpy as np

from nt_ray.errors import RiskError
from nt_ray.types import QUANTA_PER_UNIT, FloatArray, IntArray

_LARGEST = 2**58
"""Quanta of one amount above which sums could leave int64."""


def to_quanta(amount: Decimal, what: str) -> int:
    """Return an amount in quanta; refuse one that is no whole number of them."""
    quanta = amount * QUANTA_PER_UNIT
    if not amount.is_finite() or quanta != quanta.to_integral_value():
        raise RiskError(f"{what} is worth {amount}, which is not a whole number of 1e-8. Round prices and lot sizes.")
    if abs(quanta) >= _LARGEST:
        raise RiskError(f"{what} is worth {amount}, more than can be counted in 1e-8. Count in a larger unit.")
    return int(quanta)


def from_quanta(quanta: int) -> Decimal:
    """Return quanta as an amount."""
    return Decimal(quanta) / QUANTA_PER_UNIT


def lot_values(prices: Sequence[Decimal], lot_sizes: Sequence[Decimal] | None) -> IntArray:
    """Return the value (N,) of one lot of each asset in quanta; without lot sizes a lot is one unit."""
    sizes = [Decimal(1)] * len(prices) if lot_sizes is None else list(lot_sizes)
    if len(sizes) != len(prices):
        raise RiskError(f"{len(sizes)} lot sizes for {len(prices)} assets. Give one an asset.")
    values = []
    for at, (price, size) in enumerate(zip(prices, sizes, strict=True)):
        if not (price.is_finite() and size.is_finite() and price > 0 and size > 0):
            raise RiskError(f"Asset {at} has price {price} and lot size {size}. Give positive ones.")
        values.append(to_quanta(price * size, f"A lot of asset {at}"))
    return np.array(values, dtype=np.int64)


def check_countable(values: FloatArray) -> None:
    """Refuse values (N,) in quanta, as floats, of which the sum of the sizes could leave int64."""
    total = float(np.abs(values).sum())
    if not total < _LARGEST:
        raise RiskError(
            f"Positions are worth {total / QUANTA_PER_UNIT:.6g} in all, more than can be counted in 1e-8. Count in a "
            "larger unit."
        )
