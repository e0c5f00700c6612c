"""Bars to try a strategy on where there are none of one's own: restless random walks, the same for the same seed."""

from collections.abc import Sequence

import numpy as np

from nt_ray.errors import BadInputError
from nt_ray.market.bars import BarPanel, Instrument
from nt_ray.types import FloatArray

DAY_NS = 86_400_000_000_000
_FIRST_DAY = 14_610
"""2010-01-01 in days since the epoch."""


def practice_panel(symbols: int, bars: int, fields: Sequence[str] = (), seed: int = 7) -> BarPanel:
    """Panel of daily bars without gaps; drift and volatility change every 50 bars, neighbours share a trend.

    Neighbouring symbols are cointegrated; each of the extra `fields` is noise in [-1, 1].
    """
    if symbols < 1 or bars < 2:
        raise BadInputError(f"{symbols} symbol(s) and {bars} bar(s) are no panel. Give at least 1 and 2.")
    generator = np.random.Generator(np.random.Philox(key=seed))
    regimes = -(-bars // 50)
    drift = np.repeat(generator.normal(0.0, 0.004, regimes), 50)[:bars]
    volatility = np.repeat(generator.uniform(0.005, 0.02, regimes), 50)[:bars]
    common = np.cumsum(drift + volatility * generator.normal(size=bars))
    noise = _stationary(generator.normal(0.0, 0.01, (bars, symbols)), 0.8)
    closes = 100.0 * np.exp(common[:, None] * np.linspace(0.8, 1.2, symbols) + noise)
    opens = closes * np.exp(generator.normal(0.0, 0.003, closes.shape))
    highs = np.maximum(opens, closes) * np.exp(np.abs(generator.normal(0.0, 0.003, closes.shape)))
    lows = np.minimum(opens, closes) * np.exp(-np.abs(generator.normal(0.0, 0.003, closes.shape)))
    volumes = np.rint(1e6 * np.exp(generator.normal(0.0, 0.5, closes.shape)))
    extra = [np.tanh(generator.normal(size=closes.shape)) for _ in fields]
    values = np.ascontiguousarray(np.stack([opens, highs, lows, closes, volumes, *extra], axis=2))
    times = (_FIRST_DAY + np.arange(bars, dtype=np.int64)) * DAY_NS
    names = tuple(Instrument(f"P{i + 1}") for i in range(symbols))
    return BarPanel(names, times, values, 252.0, "practice", tuple(fields))


def _stationary(shocks: FloatArray, memory: float) -> FloatArray:
    result = shocks.copy()
    for t in range(1, len(result)):
        result[t] += memory * result[t - 1]
    return result
