from decimal import Decimal
from itertools import product
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from nt_ray.risk.exposure import Exposure
from nt_ray.risk.heat import Stop, at_risk

SYMBOLS = ("A", "B")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("open"), st.sampled_from(SYMBOLS), st.sampled_from([1, -1]), st.integers(1, 9)),
        st.tuples(st.just("move"), st.sampled_from(SYMBOLS), st.integers(-9, 9)),
        st.tuples(st.just("mark"), st.sampled_from(SYMBOLS), st.sampled_from(["1", "2.5", "7", "NaN", "-1"])),
    ),
    max_size=25,
)


@given(STEPS)
def test_totals_are_the_worst_over_every_subset_of_filled_orders(steps: list[tuple[Any, ...]]) -> None:
    exposure = Exposure()
    orders: list[tuple[str, int, int]] = []
    positions = dict.fromkeys(SYMBOLS, 0)
    marks = dict.fromkeys(SYMBOLS, Decimal(0))
    for step in steps:
        if step[0] == "open" and len(orders) < 7:
            orders.append(step[1:])
            exposure.open(step[1], step[2], Decimal(step[3]))
        elif step[0] == "move":
            positions[step[1]] = step[2]
            exposure.move(step[1], Decimal(step[2]))
        elif step[0] == "mark":
            price = Decimal(step[2])
            marks[step[1]] = price if price.is_finite() and price > 0 else Decimal(0)
            exposure.mark({step[1]: price})
    gross, nets = Decimal(0), []
    for filled in product([False, True], repeat=len(orders)):
        held = dict(positions)
        for order, is_filled in zip(orders, filled, strict=True):
            held[order[0]] += order[1] * order[2] * is_filled
        gross = max(gross, sum(abs(held[s]) * marks[s] for s in SYMBOLS))
        nets.append(sum((held[s] * marks[s] for s in SYMBOLS), Decimal(0)))
    assert exposure.gross == gross
    assert (exposure.shortest, exposure.longest) == (min(nets), max(nets))
    assert exposure.used >= exposure.gross
    assert exposure.heat == sum(abs(positions[s]) * marks[s] for s in SYMBOLS)


def test_orders_of_both_sides_reserve_their_own_money() -> None:
    exposure = Exposure()
    exposure.mark({"A": Decimal(10)})
    exposure.move("A", Decimal(3))
    exposure.open("A", 1, Decimal(5))
    exposure.open("A", -1, Decimal(4))
    assert exposure.gross == 80
    assert exposure.used == (3 + 5 + 1) * 10


def test_looking_at_an_unknown_symbol_leaves_no_trace() -> None:
    exposure = Exposure()
    assert exposure.peek("A").mark is None
    assert exposure.lines == {}


@given(
    STEPS, st.lists(st.tuples(st.sampled_from(SYMBOLS), st.sampled_from([1, -1]), st.integers(1, 9), st.integers(1, 9)))
)
def test_heat_is_kept_up_to_date_through_every_change(
    steps: list[tuple[Any, ...]], stops: list[tuple[str, int, int, int]]
) -> None:
    exposure = Exposure()
    kept: dict[str, list[Stop]] = {symbol: [] for symbol in SYMBOLS}
    for index, step in enumerate(steps):
        if index < len(stops):
            symbol, sign, price, quantity = stops[index]
            kept[symbol].append(Stop(sign, Decimal(price), Decimal(quantity)))
            exposure.protect(symbol, kept[symbol])
        if step[0] == "move":
            exposure.move(step[1], Decimal(step[2]))
        elif step[0] == "mark":
            exposure.mark({step[1]: Decimal(step[2])})
    lines = {symbol: exposure.peek(symbol) for symbol in SYMBOLS}
    assert exposure.heat == sum(at_risk(w.position, w.mark or Decimal(0), kept[s]) for s, w in lines.items())
