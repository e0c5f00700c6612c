from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from nt_ray.backtest.research.problems import ResearchError
from nt_ray.backtest.research.schedule import Stage, Stretch
from nt_ray.backtest.simulator import ROW, backtest
from nt_ray.brokers.simulated.matching import Costs
from nt_ray.market.bars import BarPanel
from nt_ray.portfolio.sizing import SizingParams
from nt_ray.strategies.registry import STRATEGIES, find

CASH = Decimal(100_000)
SIZING = SizingParams(max_weight=0.4)
COSTS = Costs()


def stage(panel: BarPanel, name: str = "momentum") -> Stage:
    return Stage(panel, find(name), sizing=SIZING, costs=COSTS, cash=CASH)


@pytest.mark.parametrize("name", [s.name for s in STRATEGIES if not s.inputs and s.width <= 3])
def test_one_stretch_over_everything_is_the_backtest_to_the_last_quantum(panel: BarPanel, name: str) -> None:
    strategy = find(name)
    columns = range(3 - 3 % strategy.width)
    params = strategy.vector()
    plain = backtest(panel, strategy, params, symbols=columns, sizing=SIZING, costs=COSTS, initial_cash=CASH)
    course = stage(panel, name).run([Stretch(params, 1, len(panel))], warm=0)
    assert course.equity_quanta.tolist() == plain.equity_quanta.tolist()
    assert course.executions.tolist() == plain.executions.tolist()
    assert course.positions.tolist() == plain.positions.tolist()


def test_stretches_of_the_same_parameters_are_one_where_the_memory_is_full(panel: BarPanel) -> None:
    params = find("momentum").vector({"lookback": 40, "entry": 0.0, "exit": 0.0})
    one = stage(panel).run([Stretch(params, 300, 900)], warm=1000)
    many = stage(panel).run(
        [Stretch(params, 300, 500), Stretch(params, 500, 650), Stretch(params, 650, 900)], warm=1000
    )
    assert one.equity_quanta.tolist() == many.equity_quanta.tolist()
    assert one.executions.tolist() == many.executions.tolist()


def test_the_account_opens_flat_and_trades_only_in_its_rows(panel: BarPanel) -> None:
    params = find("momentum").vector({"lookback": 40, "entry": 0.0})
    course = stage(panel).run([Stretch(params, 300, 500)], warm=100)
    assert len(course.equity_quanta) == 201
    assert course.equity[0] == 100_000
    assert not course.positions[0].any()
    assert course.executions[:, ROW].min() >= 300
    assert course.executions[:, ROW].max() < 500
    assert np.any(course.executions[:, ROW] == 300)


def test_warm_rows_fill_the_memory_without_a_trade(panel: BarPanel) -> None:
    params = find("momentum").vector({"lookback": 100, "entry": 0.0})
    cold = stage(panel).run([Stretch(params, 300, 700)], warm=0)
    warm = stage(panel).run([Stretch(params, 300, 700)], warm=150)
    assert cold.executions[0, ROW] > 390
    assert warm.executions[0, ROW] == 300


def test_a_turn_of_parameters_pays_its_costs(panel: BarPanel) -> None:
    # Long what has risen against holding nothing at all: the turn has to sell.
    momentum = find("momentum")
    long, never = momentum.vector({"entry": 0.0}), momentum.vector({"entry": 10.0})
    course = stage(panel).run([Stretch(long, 300, 600), Stretch(never, 600, 700)], warm=250)
    assert course.positions[600 - 300].any()
    assert not course.positions[601 - 300].any()
    sells = course.executions[course.executions[:, ROW] == 600]
    assert len(sells)
    assert np.all(sells[:, 2] == -1)
    assert np.all(sells[:, 5] > 0)


def test_later_bars_change_nothing_before_them(panel: BarPanel) -> None:
    params = find("momentum").vector({"lookback": 40})
    values = panel.values.copy()
    values[800:] *= 1.7
    changed = replace(panel, timestamps=panel.timestamps.copy(), values=values)
    one, other = (stage(p).run([Stretch(params, 300, 1000)], warm=200) for p in (panel, changed))
    assert one.equity_quanta[: 800 - 299].tolist() == other.equity_quanta[: 800 - 299].tolist()
    assert one.equity_quanta.tolist() != other.equity_quanta.tolist()


@pytest.mark.parametrize("bounds", [[], [(0, 5)], [(5, 5)], [(5, 1300)], [(5, 9), (10, 12)], [(5, 9), (8, 12)]])
def test_stretches_that_do_not_fit_are_refused(panel: BarPanel, bounds: list[tuple[int, int]]) -> None:
    params = find("momentum").vector()
    with pytest.raises(ResearchError):
        stage(panel).run([Stretch(params, a, b) for a, b in bounds], warm=0)
