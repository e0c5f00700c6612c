from typing import Any

import numpy as np
import pytest

from nt_ray.errors import StrategyError
from nt_ray.strategies.conviction import conviction
from nt_ray.strategies.neural_forecast import STRATEGY
from nt_ray.types import FloatArray


def run(closes: Any, forecasts: Any, **values: float) -> tuple[FloatArray, FloatArray]:
    params = STRATEGY.vector(values)
    state, said = np.zeros(STRATEGY.state_size(params)), np.zeros(1)
    targets, confidences = np.zeros(len(closes)), np.zeros(len(closes))
    for t in range(len(closes)):
        bar = np.full((1, 6), np.nan)
        bar[0, 3], bar[0, 5] = closes[t], forecasts[t]
        confidences[t] = STRATEGY.step(state, bar, params, said)
        targets[t] = said[0]
    return targets, confidences


@pytest.mark.parametrize("short", [0, 1])
@pytest.mark.parametrize("scale", [0.0, 2.0])
def test_it_trades_the_forecast_in_units_of_volatility(short: int, scale: float) -> None:
    generator = np.random.default_rng(3)
    returns = generator.normal(0.0, 0.01, 400)
    closes = 50.0 * np.exp(np.concatenate([[0.0], returns]).cumsum())
    forecasts = generator.normal(0.0, 0.02, 401)
    values = {"window": 20, "horizon": 4, "threshold": 0.5, "exit": 0.1, "short": short, "scale": scale}
    targets, confidences = run(closes, forecasts, **values)
    position = 0.0
    for t in range(401):
        if t < 20:
            assert targets[t] == confidences[t] == 0.0
            continue
        ratio = forecasts[t] / (returns[t - 20 : t].std() * 2.0)
        if position * ratio < 0.1:
            position = 0.0
        if position == 0.0 and (ratio > 0.5 or (ratio < -0.5 and short)):
            position = float(np.sign(ratio))
        size = min(1.0, abs(ratio) / scale) if scale else 1.0
        assert targets[t] == pytest.approx(position * size, rel=1e-9)
        assert confidences[t] == pytest.approx(conviction(position, ratio), rel=1e-6)
    assert set(np.sign(targets)) == ({-1.0, 0.0, 1.0} if short else {0.0, 1.0})


def test_a_forecast_counts_for_its_time_and_then_the_position_is_closed() -> None:
    closes = 50.0 * np.exp(np.tile([0.0, 0.01], 10))
    forecasts = np.full(20, np.nan)
    forecasts[10] = 0.05
    targets, confidences = run(closes, forecasts, window=5, patience=3, scale=0.0)
    assert targets.tolist() == [0.0] * 10 + [1.0] * 3 + [0.0] * 7
    assert confidences[:10].tolist() == [0.0] * 10
    assert (confidences[10:13] > 0.5).all()
    assert confidences[13:].tolist() == [1.0] * 7


def test_without_a_forecast_it_abstains() -> None:
    closes = 50.0 * np.exp(np.tile([0.0, 0.01], 20))
    targets, confidences = run(closes, np.full(40, np.nan), window=5)
    assert not targets.any()
    assert not confidences.any()


def test_an_exit_above_the_threshold_is_refused() -> None:
    with pytest.raises(StrategyError, match="exit=2 is above threshold=1"):
        STRATEGY.vector({"threshold": 1.0, "exit": 2.0})
