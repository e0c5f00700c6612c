from decimal import Decimal

import numpy as np
import pytest

from nt_ray.backtest.simulator import backtest
from nt_ray.brokers.simulated.matching import Costs
from nt_ray.market.bars import BarPanel, Instrument
from nt_ray.portfolio.sizing import SizingParams
from nt_ray.strategies.inputs import MissingInputError, input_columns, input_values
from nt_ray.strategies.registry import find
from nt_ray.swarm.agents import AgentGroup
from nt_ray.swarm.messages import TARGET_ONE, AgentSpec

DAY = 86_400_000_000_000


@pytest.fixture
def panel() -> BarPanel:
    closes = 50.0 * np.exp(np.random.default_rng(1).normal(0.0, 0.01, (300, 2)).cumsum(axis=0))
    values = np.full((300, 2, 5), np.nan)
    values[:, :, 3] = closes
    names = tuple(Instrument(s, close_only=True) for s in ("A", "B"))
    return BarPanel(names, np.arange(1, 301, dtype=np.int64) * DAY, values)


@pytest.fixture
def rich(panel: BarPanel) -> BarPanel:
    """The panel with a score, a field nobody reads, and a forecast."""
    generator = np.random.default_rng(2)
    return (
        panel.with_field("score", generator.uniform(-1.0, 1.0, (300, 2)))
        .with_field("other", generator.normal(size=(300, 2)))
        .with_field("forecast", generator.normal(0.0, 0.01, (300, 2)))
    )


def test_a_missing_field_is_named_with_what_there_is(panel: BarPanel, rich: BarPanel) -> None:
    forecast = find("neural_forecast")
    with pytest.raises(MissingInputError, match=r"reads the field 'forecast'.*no extra fields"):
        input_columns(forecast, panel.fields)
    with pytest.raises(MissingInputError, match="Extra fields there are: score, other"):
        input_columns(forecast, ("score", "other"))
    with pytest.raises(MissingInputError):
        backtest(panel, forecast, forecast.vector(), sizing=SizingParams(), costs=Costs(), initial_cash=Decimal(1000))


def test_fields_are_found_by_name_wherever_they_stand(rich: BarPanel) -> None:
    assert input_columns(find("neural_forecast"), rich.fields).tolist() == [0, 1, 2, 3, 4, 7]
    assert input_columns(find("sentiment"), rich.fields).tolist() == [0, 1, 2, 3, 4, 5]
    np.testing.assert_array_equal(input_values(find("neural_forecast"), rich)[:, :, 5], rich.field("forecast"))


def test_a_panel_without_extra_fields_is_not_copied(panel: BarPanel) -> None:
    assert input_values(find("momentum"), panel) is panel.values


def test_extra_fields_change_nothing_for_a_strategy_that_reads_none(panel: BarPanel, rich: BarPanel) -> None:
    momentum = find("momentum")
    vector = momentum.vector({"lookback": 20, "short": 1})
    results = [
        backtest(p, momentum, vector, sizing=SizingParams(), costs=Costs(), initial_cash=Decimal(100_000))
        for p in (panel, rich)
    ]
    assert results[0].equity_quanta.tobytes() == results[1].equity_quanta.tobytes()
    assert len(results[0].executions) > 10


def test_swarm_and_backtest_read_the_same_fields(rich: BarPanel) -> None:
    for name in ("neural_forecast", "sentiment"):
        strategy = find(name)
        vector = strategy.vector()
        specs = (AgentSpec(0, name, name, (0, 1), tuple(vector.tolist())),)
        opinions, silent = AgentGroup(specs, rich.values, find, fields=rich.fields).opinions(0, 300)
        assert not silent
        seen = input_values(strategy, rich)
        for column in range(2):
            state, target = np.zeros(strategy.state_size(vector)), np.zeros(1)
            for t in range(300):
                strategy.step(state, seen[t, column : column + 1].copy(), vector, target)
                assert opinions.targets[t, column] == np.rint(target[0] * TARGET_ONE)
        assert len(set(opinions.targets[:, 0].tolist())) > 2
