"""Slippage that depends on size, fees by tier, and rebates: compiled.

Volume-share slippage grows with the square of an execution's share of the bar's volume, the square-root law with
its root (Torre, BARRA Market Impact Model Handbook, 1997; Almgren et al., Direct Estimation of Equity Market
Impact, 2005). Without a known volume neither moves the price. Each coefficient is what an execution of the whole
volume would cost, in parts per million of the price.
"""

import math

import numpy as np
from numba import float64, int64, njit

from nt_ray.brokers.simulated.matching import MILLION, QUANTA_PER_CENT, slipped
from nt_ray.types import IntArray


@njit(int64(int64, float64, float64, int64, int64), cache=True, nogil=True)
def impact_ppm(lots: int, lot_size: float, volume: float, quadratic: int, root: int) -> int:
    """Parts per million that an execution of `lots` moves its own price; NaN or zero volume: none."""
    if not volume > 0.0 or (quadratic == 0 and root == 0):
        return 0
    share = lots * lot_size / volume
    return int(np.rint(quadratic * share * share + root * math.sqrt(share)))


@njit(int64(int64, int64, int64, int64), cache=True, nogil=True)
def slipped_by(ticks: int, side: int, ppm: int, fixed: int) -> int:
    """Price after slippage of `ppm` parts per million and `fixed` ticks against the trader, at least one tick."""
    return max(int(slipped(ticks, side, ppm)) + side * fixed, 1)


@njit(int64(int64[:, ::1], int64, int64, int64), cache=True, nogil=True)
def tier_ppm(tiers: IntArray, traded: int, maker: int, otherwise: int) -> int:
    """Fee rate for an account that has traded this much; `otherwise` where no tier is reached.

    `tiers` (K, 3): least notional traded in quanta, rising; rate of a taker; rate of a maker.
    """
    rate = otherwise
    for k in range(tiers.shape[0]):
        if traded >= tiers[k, 0]:
            rate = tiers[k, 1 + maker]
    return rate


@njit(int64(int64, int64, int64, int64), cache=True, nogil=True)
def rebated(notional_quanta: int, lots: int, ppm: int, per_lot: int) -> int:
    """Commission in quanta of an execution for which the venue pays `ppm` (> 0), to the cent, half away from zero.

    What a lot costs is charged all the same; negative where the rebate is more. No least commission applies.
    """
    paid = notional_quanta // MILLION * ppm + notional_quanta % MILLION * ppm // MILLION
    fee = lots * per_lot - paid
    if fee > 0 and notional_quanta % MILLION * ppm % MILLION > 0:
        fee -= 1  # A part of a quantum that was paid would otherwise tip a half cent over.
    cents = (abs(fee) + QUANTA_PER_CENT // 2) // QUANTA_PER_CENT * QUANTA_PER_CENT
    return cents if fee > 0 else -cents
