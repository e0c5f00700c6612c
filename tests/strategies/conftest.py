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
        bar = np.full((strategy.width, 5 + len(strategy.inputs)), np.nan)
        bar[:, 3] = row
        if strategy.inputs:
            # An extra field is a function of its own row, so a change of the future stays in the future.
            bar[:, 5:] = np.sin(1e3 * np.nan_to_num(row, posinf=0.0))[:, None]
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


@pytest.fixture(scope="session")
def group(pair: FloatArray) -> FloatArray:
    """Closes of five symbols: the pair and three walks of different drift and volatility, (1500, 5)."""
    generator = np.random.default_rng(32)
    steps = generator.normal([0.0008, 0.0, -0.0008], [0.005, 0.01, 0.02], (1500, 3))
    return np.column_stack([pair, 50.0 * np.exp(np.cumsum(steps, axis=0))])


def run_bars(strategy: Strategy, bars: FloatArray, values: Mapping[str, float] | None = None) -> Votes:
    params = strategy.vector(values)
    state = np.zeros(strategy.state_size(params))
    targets, confidences = np.zeros((len(bars), 1)), np.zeros(len(bars))
    for t, row in enumerate(bars):
        confidences[t] = strategy.step(state, row.reshape(1, -1).copy(), params, targets[t])
    return targets, confidences


@pytest.fixture(scope="session")
def drive_bars() -> Drive:
    """Run a strategy of one symbol over whole bars, (T, 5): targets (T, 1) and confidences (T,)."""
    return run_bars


@pytest.fixture(scope="session")
def bars() -> FloatArray:
    """Open, high, low, close and volume of a restless walk, (1500, 5)."""
    generator = np.random.default_rng(77)
    drift = np.repeat(generator.normal(0.0, 0.006, 30), 50)
    closes = 80.0 * np.exp(np.cumsum(drift + generator.normal(0.0, 0.012, 1500)))
    opens = closes * np.exp(generator.normal(0.0, 0.004, 1500))
    highs = np.maximum(opens, closes) * np.exp(np.abs(generator.normal(0.0, 0.004, 1500)))
    lows = np.minimum(opens, closes) * np.exp(-np.abs(generator.normal(0.0, 0.004, 1500)))
    volumes = np.rint(1e6 * np.exp(generator.normal(0.0, 0.5, 1500)))
    return np.ascontiguousarray(np.column_stack([opens, highs, lows, closes, volumes]))
