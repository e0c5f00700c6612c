from pathlib import Path

import numpy as np
import polars as pl
import pytest
import skfolio
from arch.data import sp500

from nt_ray.types import FloatArray


@pytest.fixture(scope="session")
def prices() -> FloatArray:
    """Daily closes of 20 large US companies since 1990, (8313, 20)."""
    path = Path(skfolio.__file__).parent / "datasets" / "data" / "sp500_dataset.csv.gz"
    return np.ascontiguousarray(pl.read_csv(path).drop("Date").to_numpy())


@pytest.fixture(scope="session")
def walk() -> FloatArray:
    """A million prices of a random walk, (1000000,)."""
    steps = np.random.default_rng(11).normal(0.0, 0.01, 1_000_000)
    return 100.0 * np.exp(np.cumsum(steps) % 2.0)


@pytest.fixture(scope="session")
def bars() -> FloatArray:
    """Daily open, high, low, close and volume of the S&P 500 since 1999, (5031, 5)."""
    return np.ascontiguousarray(sp500.load()[["Open", "High", "Low", "Close", "Volume"]].to_numpy(np.float64))


@pytest.fixture(scope="session")
def quoted(bars: FloatArray) -> FloatArray:
    """The same bars with best bid, its size, best ask and its size around the close, (5031, 9)."""
    generator = np.random.default_rng(9)
    sizes = generator.integers(1, 500, (2, len(bars))).astype(np.float64)
    bids = np.floor(bars[:, 3] / 20.0) * 20.0
    return np.ascontiguousarray(
        np.column_stack([bars, bids, sizes[0], bids + generator.integers(1, 3, len(bars)), sizes[1]])
    )
