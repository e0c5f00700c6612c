from pathlib import Path

import numpy as np
import polars as pl
import pytest
import skfolio

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
