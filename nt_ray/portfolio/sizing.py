"""Sizing: from decided exposures to target positions in whole lots.

The live session and the compiled backtest call the very same kernel, so both size to the same lot.

Weights: each decided exposure d in [-1, 1] becomes a risk-scaled weight w = d * target_volatility / sigma,
sigma being the instrument's own annualised volatility, capped at max_weight in size and at the weight of
max_position in money. If the weights sum to more
than max_gross in size, or to more than max_net in absolute net, all are scaled down by one factor.
NaN exposure means *hold*: the present position is kept and its present weight counts towards the caps.
"""

import math
from dataclasses import dataclass

import numpy as np
from numba import float64, int64, njit

from nt_ray.errors import RiskError
from nt_ray.types import QUANTA_PER_UNIT, FloatArray, IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class SizingParams:
    """Limits of the sizer. Volatilities are annualised; weights are fractions of equity."""

    target_volatility: float = 0.10
    """Annualised volatility each full-size position is scaled to."""
    max_weight: float = 0.10
    max_position: float = math.inf
    """Largest position in one instrument, in account currency; the gate's own limit, so that nothing is asked for
    that the gate would deny."""
    max_gross: float = 1.0
    max_net: float = 1.0
    rebalance_band: float = 0.01
    """A change of weight smaller than this is not traded, unless it closes or turns the position."""
    volatility_halflife: float = 60.0
    """Half-life, in bars, of the exponentially weighted volatility estimate."""

    def __post_init__(self) -> None:
        for name in (
            "target_volatility",
            "max_weight",
            "max_position",
            "max_gross",
            "max_net",
            "volatility_halflife",
        ):
            value = getattr(self, name)
            if not value > 0.0:
                raise RiskError(f"Sizing {name}={value} must be positive.")
        if not 0.0 <= self.rebalance_band < 1.0:
            raise RiskError(f"Sizing rebalance_band={self.rebalance_band} must lie in [0, 1).")

    def vector(self) -> FloatArray:
        """Parameters in the kernel's order."""
        return np.array(
            [
                self.target_volatility,
                self.max_weight,
                self.max_position,
                self.max_gross,
                self.max_net,
                self.rebalance_band,
            ]
        )


@njit(
    int64[::1](float64[::1], float64[::1], float64[::1], int64[::1], float64[::1], int64, float64[::1]),
    cache=True,
    nogil=True,
)
def target_lots(
    exposures: FloatArray,
    prices: FloatArray,
    volatilities: FloatArray,
    lots: IntArray,
    lot_sizes: FloatArray,
    equity_quanta: int,
    params: FloatArray,
) -> IntArray:
    """Target positions in lots, shape (N,).

    Parameters
    ----------
    exposures
        (N,) decided exposure in [-1, 1]; NaN holds.
    prices
        (N,) last close; NaN or non-positive holds.
    volatilities
        (N,) annualised volatility; NaN or zero holds.
    lots
        (N,) present position in lots, signed.
    lot_sizes
        (N,) quantity of one lot.
    equity_quanta
        Account equity in money quanta. Not positive: every target is zero.
    params
        `SizingParams.vector()`.
    """
    n = exposures.shape[0]
    target_volatility, max_weight, max_position, max_gross, max_net, band = params
    equity = equity_quanta / QUANTA_PER_UNIT
    result = np.zeros(n, dtype=np.int64)
    if equity <= 0.0:
        return result
    cap = min(max_weight, max_position / equity)
    weights = np.zeros(n)
    held = np.zeros(n)
    moves = np.zeros(n, dtype=np.bool_)
    gross = 0.0
    net = 0.0
    for i in range(n):
        priced = prices[i] > 0.0
        held[i] = lots[i] * lot_sizes[i] * prices[i] / equity if priced else 0.0
        if np.isnan(exposures[i]) or not priced or not volatilities[i] > 0.0:
            weights[i] = held[i]
        else:
            moves[i] = True
            weight = exposures[i] * target_volatility / volatilities[i]
            weights[i] = min(max(weight, -cap), cap)
        gross += abs(weights[i])
        net += weights[i]
    scale = 1.0
    if gross > max_gross:
        scale = max_gross / gross
    if abs(net) * scale > max_net:
        scale = max_net / abs(net)
    for i in range(n):
        result[i] = lots[i]
        if not moves[i]:
            continue
        weight = weights[i] * scale
        closes = weight == 0.0 or weight * held[i] < 0.0
        if abs(weight - held[i]) < band and not closes:
            continue
        result[i] = np.int64(weight * equity / (prices[i] * lot_sizes[i]))
    return result


@njit(float64(float64, float64, float64), cache=True, nogil=True)
def update_variance(variance: float, simple_return: float, decay: float) -> float:
    """One step of the exponentially weighted variance of returns; the first return starts it.

    `variance` is NaN before the first return; a NaN return changes nothing. RiskMetrics (1996), zero mean.
    """
    if np.isnan(simple_return):
        return variance
    squared = simple_return * simple_return
    if np.isnan(variance):
        return squared
    return decay * variance + (1.0 - decay) * squared


def volatility_path(closes: FloatArray, periods_per_year: float, halflife: float) -> FloatArray:
    """Annualised exponentially weighted volatility at each bar, from returns up to and with that bar.

    Parameters
    ----------
    closes
        (T, N); a NaN close gives no return at that bar; the next return spans the gap.
    periods_per_year
        Bars in a year.
    halflife
        Half-life in bars.

    Returns
    -------
    (T, N) volatility; NaN until the 20th return of an instrument, when the estimate is worth using.
    """
    return _volatility_path(np.ascontiguousarray(closes), periods_per_year, 0.5 ** (1.0 / halflife))


MIN_RETURNS = 20


@njit(float64[:, ::1](float64[:, ::1], float64, float64), cache=True, nogil=True)
def _volatility_path(closes: FloatArray, periods_per_year: float, decay: float) -> FloatArray:
    bars, n = closes.shape
    result = np.full((bars, n), np.nan)
    for i in range(n):
        variance = np.nan
        last = np.nan
        seen = 0
        for t in range(bars):
            price = closes[t, i]
            if not np.isnan(price):
                if not np.isnan(last):
                    variance = update_variance(variance, price / last - 1.0, decay)
                    seen += 1
                last = price
            if seen >= MIN_RETURNS:
                result[t, i] = np.sqrt(variance * periods_per_year)
    return result
