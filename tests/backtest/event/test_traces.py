from decimal import Decimal

import numpy as np
import pytest

from nt_ray.backtest.event.market import Market
from nt_ray.backtest.event.python_strategy import Context, PythonStrategy
from nt_ray.backtest.event.runnable import InPython, runnable
from nt_ray.backtest.event.simulate import simulate_python
from nt_ray.backtest.event.traces import Tracer, trace
from nt_ray.backtest.look_ahead import first_leak
from nt_ray.backtest.practice import practice_panel
from nt_ray.errors import StrategyError
from nt_ray.market.bars import CLOSE, BarPanel

PANEL = practice_panel(2, 150)


class Mean(PythonStrategy):
    """A bracket above the mean of ten bars; what waits is cancelled below it."""

    ahead = 0

    def on_bar(self, context: Context) -> None:
        closes = context.history("P1", 10)[:, CLOSE]
        price = self.seen(context)
        if context.position("P1") != 0:
            return
        if price > closes.mean():
            context.bracket("P1", 10, profit=round(price * 1.02, 2), loss=round(price * 0.98, 2), limit=round(price, 2))
        else:
            for order in context.orders():
                context.cancel(order.id)

    def seen(self, context: Context) -> float:
        return context.close("P1")


class Cheat(Mean):
    """Knows the close of three bars later."""

    def __init__(self, panel: BarPanel) -> None:
        self.panel = panel

    def seen(self, context: Context) -> float:
        return float(self.panel.closes[min(context.row + 3, len(self.panel) - 1), 0])


class Dice(Mean):
    """Rolls unseeded dice."""

    def seen(self, context: Context) -> float:
        return context.close("P1") + float(np.random.default_rng().normal())


class Touchy(Mean):
    """Fails where a price is unknown."""

    def seen(self, context: Context) -> float:
        return context.close("P1") if context.close("P1") > 0 else 1 / 0


def tracer(make: "type[PythonStrategy]") -> Tracer:
    return Tracer(InPython(make, make.__name__, {}), lambda panel: panel)


def test_a_strategy_that_reads_the_past_alone_leaves_no_leak() -> None:
    honest = tracer(Mean)
    assert honest.repeats(PANEL)
    assert honest.asked > 50
    assert first_leak(PANEL, honest) is None
    assert honest.unusable == 0


def test_a_strategy_that_knows_the_future_is_found_near_the_cut() -> None:
    # The strategy has the panel that it is run on, as code that looks into it would.
    held: list[BarPanel] = []

    def prepare(panel: BarPanel) -> BarPanel:
        held[:] = [panel]
        return panel

    cheat = Tracer(InPython(lambda: Cheat(held[0]), "cheat", {}), prepare)
    leak = first_leak(PANEL, cheat)
    assert leak is not None
    assert leak.field == "orders asked for" or leak.field.startswith(("cancel", "position"))
    assert 1 <= leak.cut - leak.row <= 3


def test_the_platforms_quotes_do_not_look_ahead() -> None:
    quotes = Tracer(runnable("market_making_quotes", {}), lambda panel: panel)
    assert quotes.repeats(PANEL)
    assert first_leak(PANEL, quotes) is None
    assert quotes.asked > 50


def test_a_strategy_that_is_not_the_same_twice_does_not_repeat() -> None:
    assert not tracer(Dice).repeats(PANEL)


def test_a_future_in_which_the_strategy_fails_shows_nothing_and_is_counted() -> None:
    touchy = tracer(Touchy)
    assert first_leak(PANEL, touchy) is None
    # The prices are removed at eight bars; at the last one nothing is left to fail on but that bar.
    assert touchy.unusable == 8


def test_a_strategy_that_fails_on_the_bars_as_they_are_is_an_error() -> None:
    values = PANEL.values.copy()
    values[50] = np.nan
    broken = BarPanel(PANEL.instruments, PANEL.timestamps, values, 252.0, "gap", ())
    with pytest.raises(StrategyError, match="Touchy failed on"):
        tracer(Touchy)(broken)


def test_a_trace_counts_what_is_asked_on_each_bar_in_its_order() -> None:
    class Two(PythonStrategy):
        def on_bar(self, context: Context) -> None:
            if context.row == 3:
                context.buy("P1", 5, limit=1)
                context.sell("P2", 7, limit=10_000, tif="gtc")
            if context.row == 5:
                context.cancel(1)

    result = simulate_python(PANEL, Two(), initial_cash=Decimal(100_000))
    made = trace(result, Market())
    asked = made["orders asked for"]
    assert np.flatnonzero(asked[:, 0]).tolist() == [3]
    assert asked[3, :4].tolist() == [2, 5 + 2 * 7, 0 * 1 + 1 * 2, 1 - 2]
    assert np.flatnonzero(made["cancellations asked for"]).tolist() == [5]
