"""Slippage that depends on size, and fees by tier: compiled.

Volume-share slippage grows with the square of an execution's share of the bar's volume, the square-root law with
its root (Torre, BARRA Market Impact Model Handbook, 1997; Almgren et al., Direct Estimation of Equity Market
Impact, 2005). Without a known volume neither moves the price. Each coefficient is what an execution of the whole
volume would cost, in parts per million of the price.
"""

import math

import numpy as np
from numba import float64, int64, njit

from nt_ray.brokers.simulated.matching import slipped
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
