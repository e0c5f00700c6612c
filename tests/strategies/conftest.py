from collections.abc import Callable, Mapping

import numpy as np
import pytest

from nt_ray.strategies.base import Strategy
from nt_ray.types import FloatArray

Votes = tuple[FloatArray, FloatArray]
Drive = Callable[..., Votes]


def run(strategy: Strategy, closes: FloatArray, values: Mapping[str, float] | None = None) -> Votes:
    params = strategy.vector(values)
    closes = closes.reshape(len(closes), -1)
    state = np.zeros(strategy.state_size(params))
    targets, confidences = np.zeros(closes.shape), np.zeros(len(closes))
    for t, row in enumerate(closes):
        bar = np.full((strategy.width, 5), np.nan)
        bar[:, 3] = row
        confidences[t] = strategy.step(state, bar, params, targets[t])
    return targets, confidences


@pytest.fixture(scope="session")
def drive() -> Drive:
    """Run a strategy over closes, (T,) or (T, width): targets (T, width) and confidences (T,)."""
    return run


@pytest.fixture(scope="session")
def pair() -> FloatArray:
    """Closes of a cointegrated pair, log a = 0.3 + 0.8 log b + AR(1), (1500, 2)."""
    generator = np.random.default_rng(31)
    b = 4.0 + np.cumsum(generator.normal(0.0, 0.01, 1500))
    spread = np.zeros(1500)
    for t in range(1, 1500):
        spread[t] = 0.8 * spread[t - 1] + generator.normal(0.0, 0.01)
    return np.exp(np.column_stack([0.3 + 0.8 * b + spread, b]))
