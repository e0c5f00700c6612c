"""Matching rules of the simulated exchange: compiled, in whole ticks, lots and money quanta.

The exchange and the backtest kernels call these same functions, so a replayed swarm and a plain backtest agree
to the last quantum.

Rules
-----
* An order entered after bar t is first matched on bar t+1.
* Market: at the open of the bar; a close-only instrument trades at its close, the only price known.
* Limit: at the open if the open is already at the limit or better, else at the limit if the bar's range reaches
  it; a close-only instrument at its close if that is at the limit or better. Never worse than the limit.
* Slippage moves a market fill against the trader by parts per million of the price, rounded to the next tick.
* Where the bar has a volume, the orders of an instrument fill at most a share of it, the first met first; without
  a volume there is no such cap.
* Commission on each execution: parts per million of the notional plus an amount a lot, at least a minimum,
  rounded half up to the cent.
"""

from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numba import boolean, float64, int64, njit

from nt_ray.errors import ConfigError
from nt_ray.types import QUANTA_PER_UNIT, IntArray

UNKNOWN_PRICE = -1
"""What `BarPanel.ticks` holds where a price is not known."""

NO_LIMIT = 0
"""Limit price of a market order."""

QUANTA_PER_CENT = QUANTA_PER_UNIT // 100
MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Costs:
    """What trading at a venue costs, in the field's units.

    commission_bps      basis points of the notional of each execution.
    commission_per_unit currency units for each unit of quantity (a share).
    commission_minimum  currency units, the least that one execution costs.
    slippage_bps        basis points of the price, against the trader, on market orders.
    volume_share        largest share of a bar's volume that the orders of an instrument may take, in (0, 1].
    """

    commission_bps: Decimal = Decimal("1")
    commission_per_unit: Decimal = Decimal("0")
    commission_minimum: Decimal = Decimal("0")
    slippage_bps: Decimal = Decimal("1")
    volume_share: Decimal = Decimal("0.1")

    def __post_init__(self) -> None:
        for name in ("commission_bps", "commission_per_unit", "commission_minimum", "slippage_bps"):
            value = getattr(self, name)
            if value < 0 or (value * 100 != (value * 100).to_integral_value() and name.endswith("bps")):
                raise ConfigError(f"{name}={value} must be zero or more, in steps of 0.01.")
        if not 0 < self.volume_share <= 1:
            raise ConfigError(f"volume_share={self.volume_share} must lie in (0, 1].")

    def vector(self, quantity_increment: Decimal) -> IntArray:
        """Costs in the kernels' order: ppm, quanta a lot, least quanta, slippage ppm, volume share ppm."""
        per_lot = self.commission_per_unit * quantity_increment * QUANTA_PER_UNIT
        return np.array(
            [
                int(self.commission_bps * 100),
                int(per_lot),
                int(self.commission_minimum * QUANTA_PER_UNIT),
                int(self.slippage_bps * 100),
                int(self.volume_share * MILLION),
            ],
            dtype=np.int64,
        )


@njit(int64(int64, int64), cache=True, nogil=True)
def _ppm(amount: int, ppm: int) -> int:
    """`amount` times ppm / 1,000,000, rounded down, without leaving int64."""
    whole: int = amount // MILLION * ppm + amount % MILLION * ppm // MILLION
    return whole


@njit(int64(int64, int64, int64, int64, int64), cache=True, nogil=True)
def commission_at(notional_quanta: int, lots: int, ppm: int, per_lot: int, minimum: int) -> int:
    """Commission in quanta of one execution at these rates, to the cent."""
    fee: int = max(_ppm(notional_quanta, ppm) + lots * per_lot, minimum)
    return (fee + QUANTA_PER_CENT // 2) // QUANTA_PER_CENT * QUANTA_PER_CENT


@njit(int64(int64, int64, int64[::1]), cache=True, nogil=True)
def commission(notional_quanta: int, lots: int, costs: IntArray) -> int:
    """Commission in quanta of one execution of `lots` (> 0) with this notional, to the cent."""
    return int(commission_at(notional_quanta, lots, costs[0], costs[1], costs[2]))


@njit(int64(int64, int64, int64), cache=True, nogil=True)
def slipped(ticks: int, side: int, slippage_ppm: int) -> int:
    """Price in ticks after slippage: up for a buy (side +1), down for a sell (side -1), at least one tick."""
    moved = _ppm(ticks, slippage_ppm)
    if moved * MILLION < ticks * slippage_ppm:
        moved += 1
    return max(ticks + side * moved, 1)


@njit(int64(int64[::1], boolean, int64, int64, int64[::1]), cache=True, nogil=True)
def fill_price(bar: IntArray, close_only: bool, side: int, limit: int, costs: IntArray) -> int:
    """Fill price in ticks of an order on this bar, or `UNKNOWN_PRICE` where it does not trade.

    Parameters
    ----------
    bar
        (4,) open, high, low, close in ticks.
    close_only
        The instrument has closes only.
    side
        +1 buys, -1 sells.
    limit
        Limit price in ticks, or `NO_LIMIT` for a market order.
    costs
        `Costs.vector()`.
    """
    first: int = bar[3] if close_only else bar[0]
    if first == UNKNOWN_PRICE:
        return UNKNOWN_PRICE
    if limit == NO_LIMIT:
        return slipped(first, side, costs[3])
    if side * first <= side * limit:
        return first
    if close_only:
        return UNKNOWN_PRICE
    reached = bar[2] if side > 0 else bar[1]
    if reached != UNKNOWN_PRICE and side * reached <= side * limit:
        return limit
    return UNKNOWN_PRICE


@njit(int64(int64, float64, float64, int64), cache=True, nogil=True)
def fill_lots(lots: int, volume: float, lot_size: float, volume_share_ppm: int) -> int:
    """Lots that fill out of `lots` (> 0) on a bar with this volume (NaN: no volume known, no cap)."""
    if np.isnan(volume):
        return lots
    available = int(volume * volume_share_ppm / (MILLION * lot_size))
    return min(lots, max(available, 0))
