from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pytest

from nt_ray.backtest.metrics import measure
from nt_ray.backtest.search.objective import (
    GOALS,
    UNDEFINED_SCORE,
    Objective,
    SearchError,
    check_goal,
    head,
    score,
    training_rows,
)
from nt_ray.backtest.simulator import backtest
from nt_ray.brokers.simulated.matching import Costs
from nt_ray.market.source import load_panel
from nt_ray.portfolio.sizing import SizingParams
from nt_ray.strategies.registry import find

VALUES = {"lookback": 40.0}


@pytest.fixture(scope="module")
def objective() -> Objective:
    panel = load_panel("sp500", symbols=["AAPL", "KO", "PEP"], start=datetime(2016, 1, 1, tzinfo=UTC))
    return Objective(panel, find("momentum"), SizingParams(), Costs(), Decimal(100_000))


def test_equity_is_that_of_the_plain_backtest(objective: Objective) -> None:
    result = backtest(
        objective.panel,
        objective.strategy,
        objective.strategy.vector(VALUES),
        sizing=objective.sizing,
        costs=objective.costs,
        initial_cash=objective.initial_cash,
    )
    curve = objective.equity(VALUES, len(objective.panel))
    assert curve[0] == 100_000
    assert curve[-1] == float(result.final_equity)
    assert len(curve) == len(objective.panel) + 1


def test_the_rows_that_follow_change_nothing_before_them(objective: Objective) -> None:
    whole = objective.equity(VALUES, len(objective.panel))
    assert np.array_equal(objective.equity(VALUES, 500), whole[:501])


def test_training_and_held_out_rows_make_up_the_whole_account(objective: Objective) -> None:
    rows, bars = 800, len(objective.panel)
    train, test = objective.measured(VALUES, 0, rows), objective.measured(VALUES, rows, bars)
    whole = objective.measured(VALUES, 0, bars)
    assert train["total_return"] is not None
    assert test["total_return"] is not None
    grown = (1 + train["total_return"]) * (1 + test["total_return"]) - 1
    assert grown == pytest.approx(whole["total_return"], rel=1e-12)
    curve = objective.equity(VALUES, bars)[rows:]
    assert test["sharpe"] == measure(curve, objective.panel.periods_per_year).sharpe


def test_a_pair_strategy_leaves_out_the_symbol_without_a_partner(objective: Objective) -> None:
    pairs = Objective(objective.panel, find("pairs"), objective.sizing, objective.costs, objective.initial_cash)
    two = Objective(
        objective.panel.select(["AAPL", "KO"]), find("pairs"), objective.sizing, objective.costs, objective.initial_cash
    )
    assert np.array_equal(pairs.equity({}, 700), two.equity({}, 700))


def test_a_head_shares_the_memory_of_its_panel(objective: Objective) -> None:
    short = head(objective.panel, 100)
    assert len(short) == 100
    assert np.shares_memory(short.values, objective.panel.values)


def test_an_undefined_metric_scores_worst() -> None:
    assert score({"sharpe": 1.5}, "sharpe") == 1.5
    assert score({"sharpe": None}, "sharpe") == score({}, "sharpe") == UNDEFINED_SCORE
    assert [check_goal(g) for g in GOALS] == list(GOALS)
    with pytest.raises(SearchError, match="'sharp' cannot be searched for"):
        check_goal("sharp")


def test_training_ends_with_the_named_day_or_after_seven_tenths(objective: Objective) -> None:
    panel = objective.panel
    assert training_rows(panel, None) == round(0.7 * len(panel))
    last = datetime(2018, 6, 29, 23, 59, tzinfo=UTC)
    rows = training_rows(panel, last)
    assert panel.time(rows - 1).date() == last.date()
    assert panel.time(rows) > last
    for day in (datetime(2001, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC)):
        with pytest.raises(SearchError, match="at least two bars on each side"):
            training_rows(panel, day)
