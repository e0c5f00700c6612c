"""Orders worked out by hand: each case states a few bars, a request, and the fills that follow from the rules."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from nt_ray.backtest.event.market import Market, Path, Terms
from nt_ray.backtest.event.python_strategy import Context, PythonStrategy
from nt_ray.backtest.event.result import EventResult
from nt_ray.backtest.event.simulate import simulate_python
from nt_ray.brokers.simulated.matching import Costs
from nt_ray.errors import StrategyError
from nt_ray.market.bars import BarPanel, Instrument

DAY = 86_400_000_000_000
NAN = float("nan")
FREE = Costs(Decimal(0), Decimal(0), Decimal(0), Decimal(0), Decimal(1))
Bar = tuple[float, float, float, float, float]
FLAT = (100.0, 100.0, 100.0, 100.0, NAN)


class Asks(PythonStrategy):
    """Does on each row what a table says."""

    def __init__(self, rows: dict[int, Callable[[Context], object]]) -> None:
        self.rows = rows

    def on_bar(self, context: Context) -> None:
        if context.row in self.rows:
            self.rows[context.row](context)


def run(bars: list[Bar], rows: dict[int, Callable[[Context], object]], **market: Any) -> EventResult:
    instrument = Instrument("X", Decimal("0.5"), close_only=market.pop("close_only", False))
    panel = BarPanel((instrument,), DAY * np.arange(1, len(bars) + 1), np.array(bars)[:, None, :])
    rules = Market(**{"terms": Terms(costs=FREE)} | market)
    result = simulate_python(panel, Asks(rows), market=rules, initial_cash=Decimal(100_000))
    assert result.unexplained == 0
    return result


def told(result: EventResult) -> list[tuple[int, int, float]]:
    """Row, signed lots and price of each fill."""
    return [(f[0], f[2] * f[3], f[4] / 2) for f in result.fills.tolist()]


def ends(result: EventResult) -> list[tuple[str, str]]:
    return result.order_table().select("status", "reason").rows()


def ask(quantity: int, **terms: Any) -> dict[int, Callable[[Context], object]]:
    return {0: lambda context: context.order("X", quantity, **terms)}


RISE = (101.0, 104.0, 98.0, 103.0, NAN)


@pytest.mark.parametrize(
    ("terms", "quantity", "expected"),
    [
        ({}, 5, [(1, 5, 101.0)]),
        ({"limit": 102}, 5, [(1, 5, 101.0)]),
        ({"limit": 99}, 5, [(1, 5, 99.0)]),
        ({"limit": 97.5}, 5, []),
        ({"limit": 103.5}, -5, [(1, -5, 103.5)]),
        ({"limit": 104.5}, -5, []),
        ({"stop": 100.5}, 5, [(1, 5, 101.0)]),
        ({"stop": 103.5}, 5, [(1, 5, 103.5)]),
        ({"stop": 104.5}, 5, []),
        ({"stop": 99}, -5, [(1, -5, 99.0)]),
        ({"stop": 102}, -5, [(1, -5, 101.0)]),
        ({"stop": 103, "limit": 103.5}, 5, [(1, 5, 103.0)]),
        ({"stop": 100.5, "limit": 99}, 5, [(1, 5, 99.0)]),
        ({"stop": 103, "limit": 102}, 5, []),
        ({"trail": 2}, -5, [(1, -5, 99.0)]),
        ({"trail": 3.5}, -5, []),
        ({"trail_bps": 200}, -5, [(1, -5, 99.0)]),
        ({"auction": "open"}, 5, [(1, 5, 101.0)]),
        ({"auction": "open", "limit": 100.5}, 5, []),
        ({"auction": "close"}, 5, [(1, 5, 103.0)]),
        ({"auction": "close", "limit": 102.5}, 5, []),
        ({"auction": "close", "limit": 103}, 5, [(1, 5, 103.0)]),
        ({"limit": 99, "tif": "ioc"}, 5, []),
        ({"limit": 101, "tif": "fok"}, 5, [(1, 5, 101.0)]),
    ],
)
def test_each_type_fills_where_its_rule_says(terms: dict[str, Any], quantity: int, expected: list[Any]) -> None:
    assert told(run([FLAT, RISE, FLAT], ask(quantity, **terms))) == expected


def test_day_orders_last_a_session_and_others_as_long_as_they_say() -> None:
    bars = [FLAT, FLAT, FLAT, FLAT, (100.0, 100.0, 90.0, 95.0, NAN)]
    for tif, till, count in (("day", 0, 0), ("gtc", 0, 1), ("gtd", 3, 0), ("gtd", 4, 1)):
        assert len(run(bars, ask(1, limit=92, tif=tif, good_till=till)).fills) == count
    assert len(run(bars, ask(1, limit=92), sessions=np.array([0, 1, 1, 1, 1])).fills) == 1
    assert len(run(bars, ask(1, limit=92), sessions=np.array([0, 1, 1, 1, 2])).fills) == 0


def test_on_open_and_on_close_orders_wait_for_their_moment_of_the_session() -> None:
    bars: list[Bar] = [(p, p, p, p, NAN) for p in (100.0, 101.0, 102.0, 103.0, 104.0)]
    sessions = np.array([0, 0, 0, 1, 1])
    assert told(run(bars, ask(1, auction="open"), sessions=sessions)) == [(3, 1, 103.0)]
    assert told(run(bars, ask(1, auction="close"), sessions=sessions)) == [(2, 1, 102.0)]


def test_volume_is_shared_by_the_orders_of_a_bar_and_what_is_left_fills_later() -> None:
    bars: list[Bar] = [FLAT, (100.0, 100.0, 100.0, 100.0, 10.0), (101.0, 101.0, 101.0, 101.0, 100.0)]

    def two(context: Context) -> None:
        context.buy("X", 6, tif="gtc")
        context.buy("X", 8, tif="gtc")

    assert told(run(bars, {0: two})) == [(1, 6, 100.0), (1, 4, 100.0), (2, 4, 101.0)]
    assert told(run(bars, ask(12, tif="ioc"))) == [(1, 10, 100.0)]
    assert ends(run(bars, ask(12, tif="fok"))) == [("canceled", "not_at_once")]


@pytest.mark.parametrize(
    ("path", "price"),
    [
        (Path.WORST_CASE, 95.0),
        (Path.OPEN_HIGH_LOW_CLOSE, 105.0),
        (Path.OPEN_LOW_HIGH_CLOSE, 95.0),
        (Path.BY_COLOUR, 95.0),
    ],
)
def test_the_path_decides_which_exit_of_a_bracket_is_met(path: Path, price: float) -> None:
    bars: list[Bar] = [FLAT, FLAT, (100.0, 106.0, 94.0, 101.0, NAN), FLAT]
    result = run(bars, {0: lambda c: c.bracket("X", 2, profit=105, loss=95)}, path=path)
    assert told(result) == [(1, 2, 100.0), (2, -2, price)]
    assert sorted(s for s, _ in ends(result)) == ["canceled", "filled", "filled"]
    falling = [*bars[:2], (100.0, 106.0, 94.0, 99.0, NAN), FLAT]
    by_colour = run(falling, {0: lambda c: c.bracket("X", 2, profit=105, loss=95)}, path=Path.BY_COLOUR)
    assert told(by_colour)[1] == (2, -2, 105.0)


def test_an_entry_inside_a_bar_can_be_stopped_on_it_but_takes_no_profit_on_it_in_the_worst_case() -> None:
    bars: list[Bar] = [FLAT, (100.0, 106.0, 97.0, 102.0, NAN), FLAT]
    stopped = run(bars, {0: lambda c: c.bracket("X", 2, limit=99, profit=105, loss=98)})
    assert told(stopped) == [(1, 2, 99.0), (1, -2, 98.0)]
    kept = run(bars, {0: lambda c: c.bracket("X", 2, limit=99, profit=105, loss=96)})
    assert told(kept) == [(1, 2, 99.0)]
    known = run(bars, {0: lambda c: c.bracket("X", 2, limit=99, profit=105, loss=96)}, path=Path.OPEN_LOW_HIGH_CLOSE)
    assert told(known) == [(1, 2, 99.0), (1, -2, 105.0)]


def test_exits_follow_the_lots_that_their_entry_has_filled() -> None:
    bars: list[Bar] = [FLAT, (100.0, 100.0, 100.0, 100.0, 4.0), (100.0, 106.0, 100.0, 106.0, NAN), FLAT]
    result = run(bars, {0: lambda c: c.bracket("X", 10, profit=105, loss=90)})
    assert told(result) == [(1, 4, 100.0), (2, -4, 105.0)]
    assert result.positions[-1].tolist() == [0]


def test_a_group_cancels_and_a_partial_fill_takes_its_lots_off_the_others() -> None:
    def either(context: Context) -> None:
        context.sell("X", 10, limit=105, tif="gtc", group=1)
        context.sell("X", 10, stop=95, tif="gtc", group=1)

    up: Bar = (104.0, 106.0, 104.0, 105.5, 4.0)
    down: Bar = (100.0, 100.0, 94.0, 94.0, NAN)
    assert told(run([FLAT, up, down, FLAT], {0: either})) == [(1, -4, 105.0), (2, -6, 95.0)]


def test_reduce_only_never_turns_and_post_only_never_takes() -> None:
    rows = {0: lambda c: c.buy("X", 3), 1: lambda c: c.sell("X", 5, reduce_only=True)}
    result = run([FLAT] * 4, rows)
    assert told(result) == [(1, 3, 100.0), (2, -3, 100.0)]
    assert ends(result)[1] == ("canceled", "nothing_to_reduce")
    assert ends(run([FLAT] * 3, ask(1, limit=100, post_only=True))) == [("rejected", "would_take")]
    dip: Bar = (100.0, 100.0, 98.0, 99.0, NAN)
    assert run([FLAT, dip, FLAT], ask(1, limit=99, post_only=True)).fill_table()["maker"].to_list() == [True]


def test_close_only_instruments_trade_at_closes_alone() -> None:
    bars: list[Bar] = [(NAN, NAN, NAN, p, NAN) for p in (100.0, 103.0, 97.0)]
    assert told(run(bars, ask(1), close_only=True)) == [(1, 1, 103.0)]
    assert told(run(bars, ask(1, limit=99, tif="gtc"), close_only=True)) == [(2, 1, 97.0)]
    assert told(run(bars, ask(1, stop=102), close_only=True)) == [(1, 1, 103.0)]


def test_a_trailing_stop_follows_the_best_price_bar_by_bar() -> None:
    bars: list[Bar] = [FLAT, (100.0, 104.0, 99.0, 103.0, NAN), (103.0, 110.0, 102.5, 109.0, NAN), (109.0,) * 4 + (NAN,)]
    bars.append((108.0, 108.5, 105.0, 106.0, NAN))
    assert told(run(bars, ask(-1, trail=4, tif="gtc"))) == [(4, -1, 106.0)]
    assert told(run(bars, ask(-1, trail=4, tif="gtc"), path=Path.OPEN_HIGH_LOW_CLOSE)) == [(1, -1, 100.0)]


def test_latency_delays_orders_and_cancellations() -> None:
    bars: list[Bar] = [(p, p, p, p, NAN) for p in (100.0, 101.0, 102.0, 103.0, 104.0)]
    assert told(run(bars, ask(1), latency=2)) == [(3, 1, 103.0)]
    rows: dict[int, Callable[[Context], object]] = {
        0: lambda c: c.sell("X", 1, limit=103, tif="gtc"),
        1: lambda c: c.cancel(0),
    }
    assert ends(run(bars, rows)) == [("canceled", "by_strategy")]
    assert ends(run(bars, rows, latency=1)) == [("canceled", "by_strategy")]
    assert ends(run(bars, rows, latency=2)) == [("filled", "")]


def test_the_same_close_is_a_choice() -> None:
    bars: list[Bar] = [(100.0, 105.0, 95.0, 102.0, NAN), FLAT]
    assert told(run(bars, ask(1))) == [(1, 1, 100.0)]
    assert told(run(bars, ask(1), same_close=True)) == [(0, 1, 102.0)]


def test_requests_that_make_no_sense_are_named() -> None:
    for terms in ({"limit": 99, "trail": 1}, {"auction": "open", "stop": 3}, {"tif": "soon"}):
        with pytest.raises(StrategyError, match="does not exist"):
            run([FLAT] * 2, ask(1, **terms))
    for terms in ({"limit": -5}, {"stop": 99, "tif": "ioc"}, {"parent": 0}, {"post_only": True}, {"tif": "gtd"}):
        with pytest.raises(StrategyError, match="makes no sense"):
            run([FLAT] * 2, ask(1, **terms))
    with pytest.raises(StrategyError, match="more than 2 requests"):
        run([FLAT] * 2, {0: lambda c: [c.buy("X", 1) for _ in range(3)]}, requests=2)
    with pytest.raises(ZeroDivisionError):
        run([FLAT] * 2, {0: lambda c: 1 / 0})
