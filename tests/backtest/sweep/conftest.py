from decimal import Decimal

import numpy as np
import pytest

from nt_ray.brokers.simulated.matching import Costs
from nt_ray.market.bars import BarPanel, Instrument

COSTS = Costs(Decimal("1.5"), Decimal("0.005"), Decimal("1"), Decimal("2.5"), Decimal("0.1"))
BARS, SYMBOLS = 320, 16


def make_panel(bars: int = BARS, symbols: int = SYMBOLS, seed: int = 11, size: float = 0.02) -> BarPanel:
    random = np.random.default_rng(seed)
    common = np.cumsum(random.normal(0.0, size, (bars, 1)), axis=0)
    own = np.cumsum(random.normal(0.0, size / 3, (bars, symbols)), axis=0) * 0.3
    closes = 40.0 * np.exp(common + own)
    opens = closes * np.exp(random.normal(0.0, size / 4, closes.shape))
    high, low = np.maximum(opens, closes) * 1.01, np.minimum(opens, closes) * 0.99
    volume = random.uniform(1e4, 1e7, closes.shape)
    values = np.stack([opens, high, low, closes, volume], axis=2)
    values[:5, 1] = np.nan
    values[random.integers(20, bars, bars // 20), random.integers(0, symbols, bars // 20)] = np.nan
    values[:, 2, [0, 1, 2, 4]] = np.nan
    instruments = tuple(Instrument(f"S{i:02d}", close_only=i == 2) for i in range(symbols))
    times = np.arange(bars, dtype=np.int64) * 86_400 * 10**9
    panel = BarPanel(instruments, times, np.ascontiguousarray(values))
    forecast = random.normal(0.0, 0.02, closes.shape)
    return panel.with_field("forecast", forecast).with_field("score", np.tanh(forecast * 50))


@pytest.fixture(scope="session")
def panel() -> BarPanel:
    """Bars with late listings, holes, one close-only symbol, volumes that cap fills, and two extra fields."""
    return make_panel()


@pytest.fixture(scope="session")
def costs() -> Costs:
    return COSTS
