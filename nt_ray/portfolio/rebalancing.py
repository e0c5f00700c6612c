"""Rebalancing: which drifted positions to trade, by how many lots, and what that costs.

A position is traded only where its weight has left the band around its target, then either back to the target or just
to the edge of the band. Orders are whole lots; one smaller than the least trade is left out. Where cash after costs
would fall below what is to be kept, purchases are cut by one factor, and the result says so. Money is exact.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from nt_ray.errors import RiskError
from nt_ray.portfolio.inputs import check_weights
from nt_ray.portfolio.quanta import check_countable, from_quanta, lot_values, to_quanta
from nt_ray.types import MONEY_DECIMALS, QUANTA_PER_UNIT, BoolArray, FloatArray, IntArray

Destination: TypeAlias = Literal["target", "edge"]
_SHARE = 1e-9
"""Width to which the share of affordable purchases is searched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bands:
    """How far a weight may drift from its target before it is traded; the narrower of the two widths counts.

    Both infinite means that nothing ever drifts too far, so at least one is given. Five points or a quarter of the
    target, whichever is less, is a widely used rule.
    """

    absolute: float | FloatArray = np.inf
    """Width in weight, one for all or (N,)."""
    relative: float | FloatArray = np.inf
    """Width as a share of the target, one for all or (N,)."""
    to: Destination = "target"

    def __post_init__(self) -> None:
        if self.to not in get_args(Destination):
            raise RiskError(f"Bands trade to {self.to!r}. Use 'target' or 'edge'.")
        for name in ("absolute", "relative"):
            width = np.asarray(getattr(self, name), dtype=np.float64)
            if not (width >= 0.0).all():
                raise RiskError(f"{name} band {getattr(self, name)} is not zero or more. Give a width such as 0.05.")
        if np.isinf(np.minimum(self.absolute, self.relative)).any():
            raise RiskError("Some band is infinite both ways, so it never trades. Give an absolute or relative width.")

    def widths(self, targets: FloatArray) -> FloatArray:
        """Return the width (N,) around each target."""
        absolute = np.broadcast_to(np.asarray(self.absolute, dtype=np.float64), targets.shape)
        relative = np.broadcast_to(np.asarray(self.relative, dtype=np.float64), targets.shape)
        sized = np.where(np.isinf(relative), np.inf, np.where(np.isinf(relative), 0.0, relative) * np.abs(targets))
        return np.minimum(absolute, sized)


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What a trade costs: a share of its value, and an amount for each order."""

    rate: Decimal = Decimal(0)
    fixed: Decimal = Decimal(0)

    def __post_init__(self) -> None:
        if not (self.rate.is_finite() and self.fixed.is_finite() and self.rate >= 0 and self.fixed >= 0):
            raise RiskError(f"Costs of rate {self.rate} and {self.fixed} an order are negative. Give zero or more.")

    def of(self, values: IntArray) -> int:
        """Return the cost in quanta of orders worth `values` (N,) in quanta, each rounded up."""
        quanta = Decimal(1).scaleb(-MONEY_DECIMALS)
        paid = (
            (self.rate * abs(int(v)) / QUANTA_PER_UNIT + self.fixed).quantize(quanta, ROUND_CEILING)
            for v in values
            if v
        )
        return int(sum(paid, Decimal(0)) * QUANTA_PER_UNIT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebalance:
    """Orders that bring drifted positions back."""

    orders: IntArray
    """(N,) signed lots to trade."""
    cost: Decimal
    cash: Decimal
    """Cash after the orders and their costs."""
    turnover: float
    """Sum of the traded values over equity (two-way)."""
    drifts: FloatArray
    """(N,) weights before, less targets."""
    breached: BoolArray
    """(N,) which weights had left their band."""
    weights: FloatArray
    """(N,) weights after, of equity after costs."""
    cut: float
    """Share of the purchases that cash allowed; 1 where all of them."""


def rebalance(
    targets: npt.ArrayLike,
    lots: npt.ArrayLike,
    prices: Sequence[Decimal],
    cash: Decimal,
    bands: Bands,
    *,
    lot_sizes: Sequence[Decimal] | None = None,
    costs: Costs | None = None,
    least_trade: Decimal = Decimal(0),
    keep_cash: Decimal = Decimal(0),
) -> Rebalance:
    """Plan the orders of one rebalancing.

    Parameters
    ----------
    targets
        (N,) target weights; what they leave of 1 is cash.
    lots
        (N,) signed lots held.
    prices
        (N,) positive prices of one unit.
    cash
        Cash held; with the positions it must make a positive equity.
    lot_sizes
        (N,) units in a lot; one unit where none are given.
    least_trade
        An order worth less is left out.
    keep_cash
        Purchases leave at least this much cash, unless sales alone already fall short of it.
    """
    units = lot_values(prices, lot_sizes)
    wanted = check_weights(targets, units.size)
    held = _whole(lots, units.size)
    check_countable(held.astype(np.float64) * units)
    values = held * units
    money = to_quanta(cash, "Cash")
    equity = money + int(values.sum())
    if equity <= 0:
        raise RiskError(f"Equity is {from_quanta(equity)}. Only a positive one can be rebalanced.")
    weights = values / equity
    breached, aims = _aims(weights, wanted, bands)
    exact = np.where(breached, (aims - weights) * equity / units, 0.0)
    floor = to_quanta(least_trade, "The least trade")
    costs = costs or Costs()
    spendable = money - to_quanta(keep_cash, "The cash to keep")
    orders, cut = _affordable(_rounded(exact, units, floor), units, floor, spendable, costs)
    traded = orders * units
    cost = costs.of(traded)
    if cost >= equity:
        raise RiskError(f"The orders would cost {from_quanta(cost)}, all of the equity. Widen the bands.")
    return Rebalance(
        orders=orders, cost=from_quanta(cost), cash=from_quanta(money - int(traded.sum()) - cost),
        turnover=float(np.abs(traded).sum() / equity), drifts=weights - wanted, breached=breached,
        weights=(values + traded) / (equity - cost), cut=cut,
    )  # fmt: skip


def _aims(weights: FloatArray, targets: FloatArray, bands: Bands) -> tuple[BoolArray, FloatArray]:
    """Which weights have left their band, and where each is to go."""
    widths = bands.widths(targets)
    drifts = weights - targets
    breached = np.abs(drifts) > widths
    edge = targets + np.sign(drifts) * widths
    return breached, targets if bands.to == "target" else edge


def _rounded(exact: FloatArray, units: IntArray, least: int) -> IntArray:
    """Whole lots nearest to the exact ones, without orders that are too small."""
    orders = np.rint(exact).astype(np.int64)
    return np.where(np.abs(orders) * units >= least, orders, 0)


def _affordable(orders: IntArray, units: IntArray, least: int, spendable: int, costs: Costs) -> tuple[IntArray, float]:
    """Cut purchases by the largest factor that cash allows; sales are left alone."""

    def short(candidate: IntArray) -> bool:
        traded = candidate * units
        return int(traded.sum()) + costs.of(traded) > spendable

    def scaled(share: float) -> IntArray:
        bought = np.floor(np.maximum(orders, 0) * share).astype(np.int64)
        return np.where(orders > 0, np.where(bought * units >= least, bought, 0), orders)

    if not (orders > 0).any() or not short(orders):
        return orders, 1.0
    low, high = 0.0, 1.0
    while high - low > _SHARE:
        middle = (low + high) / 2.0
        low, high = (low, middle) if short(scaled(middle)) else (middle, high)
    return scaled(low), low


def _whole(lots: npt.ArrayLike, assets: int) -> IntArray:
    values = np.asarray(lots)
    if values.shape != (assets,):
        raise RiskError(f"Lots have shape {values.shape} for {assets} assets. Give one number an asset.")
    if not np.issubdtype(values.dtype, np.integer):
        raise RiskError(f"Lots are of type {values.dtype}. Give whole numbers.")
    return np.asarray(values, dtype=np.int64)
