from decimal import Decimal

import pytest

from nt_ray.backtest.research.study import Study
from nt_ray.brokers.simulated.matching import Costs
from nt_ray.market.bars import BarPanel
from nt_ray.market.embedded import load_embedded
from nt_ray.portfolio.sizing import SizingParams
from nt_ray.strategies.registry import find

CASH = Decimal(100_000)


@pytest.fixture(scope="session")
def panel() -> BarPanel:
    from dataclasses import replace

    whole = load_embedded("sp500").select(["AAPL", "KO", "XOM"])
    rows = slice(len(whole) - 1200, None)
    return replace(whole, timestamps=whole.timestamps[rows].copy(), values=whole.values[rows].copy())


@pytest.fixture(scope="session")
def study(panel: BarPanel) -> Study:
    return Study.of(
        panel,
        find("momentum"),
        {"lookback": (20, 60, 120), "entry": (0.0, 1.0)},
        sizing=SizingParams(max_weight=0.4),
        costs=Costs(),
        cash=CASH,
        warm=150,
    )
