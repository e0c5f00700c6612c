from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from nt_ray.backtest.event.market import Market
from nt_ray.backtest.event.result import EventResult
from nt_ray.backtest.event.runnable import Runnable, runnable
from nt_ray.backtest.event.simulate import simulate_exposures, simulate_orders
from nt_ray.backtest.practice import practice_panel
from nt_ray.errors import StrategyError
from nt_ray.market.bars import BarPanel
from nt_ray.portfolio.sizing import SizingParams
from nt_ray.strategies.market_making_quotes import ORDER_STRATEGY
from nt_ray.strategies.registry import find

PANEL = practice_panel(3, 120)
LONG = practice_panel(3, 500)
CASH = Decimal(100_000)

MINE = """
from nt_ray.backtest.event.python_strategy import PythonStrategy
from nt_ray.strategies.base import Parameter
from nt_ray.strategies.order_step import OrderStrategy, market

def step(state, bar, ticks, params, lots, account, orders, requests):
    return market(requests, 0, 0, int(params[0]) - lots[0])

Buys = OrderStrategy("buys", "Buys and holds.", (Parameter("size", 10, 1, 100, "Lots."),), lambda params: 0, step)

class Holds(PythonStrategy):
    def __init__(self, size=10, fail_at=-1):
        self.size, self.fail_at = size, fail_at

    def on_bar(self, context):
        if context.row == self.fail_at:
            raise KeyError("the price")
        if context.row == 0:
            context.buy("P1", self.size)

made = Holds(7)
"""


@pytest.fixture(autouse=True)
def in_a_folder_with_my_strategies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(MINE, encoding="utf-8")


def run(found: Runnable, panel: BarPanel = PANEL) -> EventResult:
    return found.run(panel, sizing=SizingParams(), market=Market(), initial_cash=CASH)


def same(one: EventResult, other: EventResult) -> bool:
    return np.array_equal(one.fills, other.fills) and np.array_equal(one.equity_quanta, other.equity_quanta)


def test_a_strategy_of_the_registry_trades_its_targets_over_whole_groups() -> None:
    values = {"lookback": 30, "entry": 1.0, "level": 10}
    found = runnable("Pairs", values)
    assert (found.kind, found.width, found.parameters["lookback"]) == ("targets", 2, 30.0)
    expected = simulate_exposures(
        LONG, find("pairs"), find("pairs").vector(values), symbols=[0, 1], sizing=SizingParams(),
        market=Market(), initial_cash=CASH,
    )  # fmt: skip
    assert same(run(found, LONG), expected)
    assert len(expected.fills)


def test_the_platforms_order_strategy_is_found_by_its_name() -> None:
    found = runnable("market-making-quotes", {"size": 5})
    vector = ORDER_STRATEGY.vector({"size": 5})
    assert (found.kind, found.parameters["size"]) == ("orders", 5.0)
    assert same(run(found), simulate_orders(PANEL, ORDER_STRATEGY, vector, market=Market(), initial_cash=CASH))


@pytest.mark.parametrize(("name", "size"), [("Buys", 25), ("Holds", 25), ("made", 7)])
def test_objects_of_a_file_run_by_what_they_are(name: str, size: int) -> None:
    found = runnable(f"mine.py:{name}", {} if name == "made" else {"size": size})
    result = run(found)
    assert found.name == str(Path("mine.py").resolve()) + f":{name}"
    assert result.positions[-1].tolist() == [size, 0, 0]
    assert same(result, run(found)), "each run starts anew"


def test_a_plain_step_of_orders_is_compiled_and_a_wrong_one_is_named(tmp_path: Path) -> None:
    (tmp_path / "wrong.py").write_text(MINE.replace("market(requests, 0, 0, ", "market("), encoding="utf-8")
    with pytest.raises(StrategyError, match=r"wrong.py:Buys: step\(state, bar, ticks.*does not compile"):
        runnable("wrong.py:Buys", {})


def test_a_file_with_one_class_needs_no_name(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text(
        MINE.split("made =")[0].split("def step")[0] + MINE[MINE.index("class") :].split("made")[0]
    )
    assert runnable("one.py", {"size": 3}).parameters == {"size": 3, "fail_at": -1}


@pytest.mark.parametrize(
    ("name", "values", "says"),
    [
        ("mine.py:Holds", {"sise": 3.0}, "has no parameter 'sise'. It has: size, fail_at"),
        ("mine.py:made", {"size": 3.0}, "made already, so size cannot be set. Name its class"),
        ("mine.py:Buys", {"size": 900.0}, "out of range"),
        ("mine.py:Buys", {"sise": 3.0}, "buys has no parameter 'sise'"),
        ("mine.py:Other", {}, "no object 'Other'"),
        ("mine.py:step", {}, "step is a function, not a Strategy"),
        ("momentun", {}, "did you mean 'momentum'"),
        ("momentum", {"lookbak": 3.0}, "no parameter 'lookbak'"),
    ],
)
def test_what_is_no_strategy_or_no_parameter_is_named(name: str, values: dict[str, float], says: str) -> None:
    with pytest.raises(StrategyError, match=says):
        runnable(name, values)


def test_a_strategy_in_python_that_needs_a_value_says_so(tmp_path: Path) -> None:
    (tmp_path / "needs.py").write_text(MINE.replace("size=10", "size"), encoding="utf-8")
    # `made` is an object of the same class.
    with pytest.raises(StrategyError, match=r"needs a value for 'size'. Give --param size=NUMBER"):
        runnable("needs.py:Holds", {})


def test_what_a_strategy_in_python_raises_is_named_with_its_bar_and_line() -> None:
    with pytest.raises(
        StrategyError, match=r"mine.py:Holds failed on 2010-01-08T.*KeyError: 'the price' .*mine.py, line 17"
    ):
        run(runnable("mine.py:Holds", {"fail_at": 7}))


def test_progress_is_told_up_to_the_last_row() -> None:
    told: list[tuple[int, int]] = []
    found = runnable("mine.py:Holds", {})
    found.run(
        PANEL, sizing=SizingParams(), market=Market(), initial_cash=CASH, on_row=lambda *done: told.append(done)
    )  # fmt: skip
    assert told == [(64, 120), (120, 120)]
