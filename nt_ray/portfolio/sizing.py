"""Sizing: from decided exposures to target positions in whole lots.

The live session and the compiled backtest call the very same kernel, so both size to the same lot.

Weights: each decided exposure d in [-1, 1] becomes a risk-scaled weight w = d * target_volatility / sigma,
sigma being the instrument's own annualised volatility, capped at max_weight in size and at the weight of
max_position in money. With an infinite target_volatility the exposure is the weight as it stands, unscaled, and no
volatility need be known. If the weights sum to more
than max_gross in size, or to more than max_net in absolute net, all are scaled down by one factor.
NaN exposure means *hold*: the present position is kept and its present weight counts towards the caps.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from numba import float64, int64, njit, types, void

from nt_ray.errors import RiskError
from nt_ray.types import QUANTA_PER_UNIT, FloatArray, IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class SizingParams:
    """Limits of the sizer. Volatilities are annualised; weights are fractions of equity."""

    target_volatility: float = 0.10
    """Annualised volatility each full-size position is scaled to; infinite: an exposure is a weight as it stands."""
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


def as_weights(params: SizingParams) -> SizingParams:
    """Params under which an exposure is a weight as it stands, within the same caps."""
    return replace(params, target_volatility=math.inf)


@njit(float64(float64, float64, float64, float64, float64), cache=True, nogil=True)
def _wanted(exposure: float, price: float, volatility: float, target_volatility: float, cap: float) -> float:
    """Weight of one decided exposure; NaN holds."""
    if np.isnan(exposure) or not price > 0.0:
        return np.nan
    if target_volatility == np.inf:
        return min(max(exposure, -cap), cap)
    if not volatility > 0.0:
        return np.nan
    return min(max(exposure * target_volatility / volatility, -cap), cap)


@njit(float64(int64, float64, float64, float64), cache=True, nogil=True)
def _held(lots: int, lot_size: float, price: float, equity: float) -> float:
    """Weight of a present position; zero where it has no price."""
    return lots * lot_size * price / equity if price > 0.0 else 0.0


@njit(float64(float64, float64, float64, float64), cache=True, nogil=True)
def _scale(gross: float, net: float, max_gross: float, max_net: float) -> float:
    """Factor that brings weights under both caps."""
    scale = 1.0
    if gross > max_gross:
        scale = max_gross / gross
    if abs(net) * scale > max_net:
        scale = max_net / abs(net)
    return scale


@njit(int64(float64, float64, int64, float64, float64, float64), cache=True, nogil=True)
def _lots(weight: float, price: float, lots: int, lot_size: float, equity: float, band: float) -> int:
    """Lots of a weight; the present ones where it is NaN or within the band."""
    if np.isnan(weight):
        return lots
    if weight == 0.0:
        return 0
    held = _held(lots, lot_size, price, equity)
    if weight * held < 0.0 or not abs(weight - held) < band:
        return int(weight * equity / (price * lot_size))
    return lots


_PARAMS = types.UniTuple(float64, 6)  # type: ignore[no-untyped-call]


@njit(int64(float64, float64, float64, int64, float64, int64, _PARAMS), cache=True, nogil=True)
def size_one(
    exposure: float,
    price: float,
    volatility: float,
    lots: int,
    lot_size: float,
    equity_quanta: int,
    params: tuple[float, ...],
) -> int:
    """What `target_lots` returns for one instrument; `params` are those of `SizingParams.vector`."""
    target_volatility, max_weight, max_position, max_gross, max_net, band = params
    equity = equity_quanta / QUANTA_PER_UNIT
    if equity <= 0.0:
        return 0
    weight = _wanted(exposure, price, volatility, target_volatility, min(max_weight, max_position / equity))
    return int(_lots(weight * _scale(abs(weight), weight, max_gross, max_net), price, lots, lot_size, equity, band))


@njit(
    void(
        float64[::1], float64[::1], float64[::1], int64[::1], float64[::1], int64, float64[::1],
        float64[::1], int64[::1],
    ),
    cache=True,
    nogil=True,
)  # fmt: skip
def size_into(
    exposures: FloatArray,
    prices: FloatArray,
    volatilities: FloatArray,
    lots: IntArray,
    lot_sizes: FloatArray,
    equity_quanta: int,
    params: FloatArray,
    weights: FloatArray,
    targets: IntArray,
) -> None:
    """Write what `target_lots` returns to `targets` (N,); `weights` (N,) is room to work in."""
    target_volatility, max_weight, max_position, max_gross, max_net, band = params
    equity = equity_quanta / QUANTA_PER_UNIT
    if equity <= 0.0:
        targets[:] = 0
        return
    cap = min(max_weight, max_position / equity)
    gross = 0.0
    net = 0.0
    for i in range(exposures.shape[0]):
        weights[i] = _wanted(exposures[i], prices[i], volatilities[i], target_volatility, cap)
        counted = _held(lots[i], lot_sizes[i], prices[i], equity) if np.isnan(weights[i]) else weights[i]
        gross += abs(counted)
        net += counted
    scale = _scale(gross, net, max_gross, max_net)
    for i in range(exposures.shape[0]):
        targets[i] = _lots(weights[i] * scale, prices[i], lots[i], lot_sizes[i], equity, band)


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
        (N,) annualised volatility; NaN or zero holds, unless the target volatility is infinite.
    lots
        (N,) present position in lots, signed.
    lot_sizes
        (N,) quantity of one lot.
    equity_quanta
        Account equity in money quanta. Not positive: every target is zero.
    params
        `SizingParams.vector()`.
    """
    targets = np.zeros(exposures.shape[0], dtype=np.int64)
    weights = np.zeros(exposures.shape[0])
    size_into(exposures, prices, volatilities, lots, lot_sizes, equity_quanta, params, weights, targets)
    return targets


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
