from decimal import Decimal
from itertools import product
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from nt_ray.risk.exposure import Exposure

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


def test_orders_of_both_sides_reserve_their_own_money() -> None:
    exposure = Exposure()
    exposure.mark({"A": Decimal(10)})
    exposure.move("A", Decimal(3))
    exposure.open("A", 1, Decimal(5))
    exposure.open("A", -1, Decimal(4))
    assert exposure.gross == 80
    assert exposure.used == (3 + 5 + 1) * 10


def test_an_order_reduces_only_what_earlier_orders_leave() -> None:
    exposure = Exposure()
    exposure.move("A", Decimal(10))
    exposure.open("A", -1, Decimal(6))
    line = exposure.peek("A")
    assert line.reduces(-1, Decimal(4))
    assert not line.reduces(-1, Decimal(5))
    assert not line.reduces(1, Decimal(1))


def test_looking_at_an_unknown_symbol_leaves_no_trace() -> None:
    exposure = Exposure()
    assert exposure.peek("A").mark is None
    assert exposure.lines == {}
