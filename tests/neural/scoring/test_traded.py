from decimal import Decimal

import numpy as np
import pytest

from nt_ray.backtest.practice import practice_panel
from nt_ray.backtest.simulator import backtest
from nt_ray.brokers.simulated.matching import Costs
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.scoring.method import Forecasts
from nt_ray.neural.scoring.traded import FIELD, expected_returns, trade
from nt_ray.portfolio.sizing import SizingParams
from nt_ray.strategies.registry import find
from nt_ray.types import FloatArray

BARS = practice_panel(3, 600)
ORIGINS = np.arange(300, 590)
FREE = Costs(commission_bps=Decimal(0), slippage_bps=Decimal(0))


def next_move(noise: float) -> FloatArray:
    """Log return from the open after the origin to the one after, which a decision of the origin can earn."""
    moves = np.log(BARS.field("open")[ORIGINS + 2] / BARS.field("open")[ORIGINS + 1]).T[:, :, None]
    return moves + np.random.default_rng(0).normal(0.0, noise, moves.shape)


def test_units_become_simple_returns_over_the_horizon() -> None:
    origins = np.array([4, 7])
    last = BARS.closes.T[:, origins]
    up = np.full((3, 2, 2), 0.1)
    ahead = np.stack([last, last * 1.2], axis=2)
    for unit, mean, expected in (
        ("return", up, np.expm1(0.2)),
        ("simple", up, 0.21),
        ("close", ahead, 0.2),
        ("log", np.log(ahead), 0.2),
    ):
        found = expected_returns(BARS, Forecasts(origins, mean), unit)  # type: ignore[arg-type]
        np.testing.assert_allclose(found[origins], expected, rtol=1e-12)
        assert np.isnan(np.delete(found, origins, axis=0)).all()


def test_who_knows_earns_and_costs_take_from_it() -> None:
    made = Forecasts(ORIGINS, next_move(0.005))
    free, dear = (
        trade(BARS, made, unit="return", costs=costs)
        for costs in (FREE, Costs(commission_bps=Decimal(20), slippage_bps=Decimal(0)))
    )
    first, second = free.report(), dear.report()
    assert first["forecast"]["sharpe"] > 2.0
    assert second["forecast"]["total_return"] < first["forecast"]["total_return"]
    assert first["commissions"] == 0.0
    assert second["commissions"] > 0.0
    assert second["turnover"] > 1.0
    assert first["bars"] == 300


def test_the_account_is_the_simulators() -> None:
    made = Forecasts(ORIGINS, next_move(0.01))
    found = trade(BARS, made, unit="return")
    bars = BARS.with_field(FIELD, expected_returns(BARS, made, "return"))
    strategy = find("neural_forecast")
    result = backtest(
        bars, strategy, strategy.vector({"horizon": 1}), sizing=SizingParams(), costs=Costs(),
        initial_cash=Decimal(1_000_000),
    )  # fmt: skip
    # The strategy saw 252 bars before the first forecast instead of 300, which its 60-bar volatility does not notice.
    assert found.evidence.equity[-1] == pytest.approx(float(result.final_equity), rel=1e-3)
    assert found.evidence.equity[0] == 1_000_000.0


def test_forecasts_that_cannot_be_traded_are_refused() -> None:
    with pytest.raises(NeuralError, match="2 series do not fit 3 instruments"):
        trade(BARS, Forecasts(ORIGINS, np.zeros((2, 290, 1))), unit="return")
    with pytest.raises(NeuralError, match="no forecast that could be traded"):
        trade(BARS, Forecasts(np.array([599]), np.zeros((3, 1, 1))), unit="return")
