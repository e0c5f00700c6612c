import numpy as np
import pytest

from nt_ray.features.kalman import (
    COVARIANCE,
    INNOVATION,
    INNOVATION_VARIANCE,
    KALMAN_HEDGE_RATIO,
    PRIOR_VARIANCE,
    SLOPE,
    SLOPE_VARIANCE,
    STATE_SIZE,
    learn,
)
from nt_ray.types import FloatArray


def textbook(y: FloatArray, x: FloatArray, drift: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Slopes, innovations and their variances by the filter's matrix form."""
    mean, variance = np.zeros(2), np.eye(2) * PRIOR_VARIANCE
    slopes, errors, spreads = [], [], []
    for t in range(len(y)):
        if t:
            variance = variance + drift * np.eye(2)
        row = np.array([x[t], 1.0])
        error, spread = y[t] - row @ mean, row @ variance @ row + 1.0
        gain = variance @ row / spread
        mean = mean + gain * error
        variance = (np.eye(2) - np.outer(gain, row)) @ variance
        slopes.append(mean[0])
        errors.append(error)
        spreads.append(spread)
    return np.array(slopes), np.array(errors), np.array(spreads)


def test_it_is_the_matrix_filter_on_real_prices(prices: FloatArray) -> None:
    y, x = np.log(prices[:600, 0]), np.log(prices[:600, 1])
    state = np.zeros(STATE_SIZE)
    slopes, errors, spreads = textbook(y, x, 1.0 / 60**2)
    for t in range(600):
        learn(state, y[t], x[t], 1.0 / 60**2)
        if t > 20:
            assert state[SLOPE] == pytest.approx(slopes[t], rel=1e-4)
            assert state[INNOVATION] == pytest.approx(errors[t], rel=1e-3, abs=1e-6)
            assert state[INNOVATION_VARIANCE] == pytest.approx(spreads[t], rel=1e-4)
    values = KALMAN_HEDGE_RATIO(y, x, length=60)
    assert np.isnan(values[:59]).all()
    np.testing.assert_allclose(values[59:], slopes[59:], rtol=1e-4)


def test_without_drift_it_is_least_squares() -> None:
    generator = np.random.default_rng(5)
    x = generator.normal(size=400)
    y = 1.7 * x - 0.4 + generator.normal(size=400)
    state = np.zeros(STATE_SIZE)
    for t in range(400):
        learn(state, y[t], x[t], 0.0)
    assert state[SLOPE] == pytest.approx(np.polyfit(x, y, 1)[0], rel=1e-6)
    assert state[SLOPE_VARIANCE] == pytest.approx(1.0 / ((x - x.mean()) ** 2).sum(), rel=1e-6)


def test_it_follows_a_ratio_that_moves_sooner_with_a_shorter_memory() -> None:
    generator = np.random.default_rng(6)
    x = generator.normal(size=800)
    slope = np.where(np.arange(800) < 400, 1.0, 2.0)
    y = slope * x + 0.1 * generator.normal(size=800)
    short, long = (KALMAN_HEDGE_RATIO(y, x, length=n) for n in (20, 200))
    assert abs(short[450] - 2.0) < 0.2 < abs(long[450] - 2.0)
    assert short[399] == pytest.approx(1.0, abs=0.1)


def test_variances_stay_positive_on_a_series_that_hardly_moves() -> None:
    state = np.zeros(STATE_SIZE)
    for t in range(20_000):
        learn(state, 4.0, 4.0 + 1e-9 * (t % 2), 1e-6)
    assert state[SLOPE_VARIANCE] > 0.0
    assert state[COVARIANCE] ** 2 < state[SLOPE_VARIANCE] * state[5]
