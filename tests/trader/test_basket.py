"""The benchmark of an account: against a plain count of units that are bought once, and what may not move it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nt_ray.trader.basket import Basket, beside
from nt_ray.trader.live_readings import EquityCurve

START = datetime(2026, 1, 5, 15, tzinfo=UTC)
PRICES = st.decimals("0.01", 10_000, places=2)


def marked(*rows: dict[str, Any]) -> Basket:
    basket = Basket()
    for row in rows:
        basket.mark({symbol: Decimal(str(price)) for symbol, price in row.items()})
    return basket


def minutes(*values: Any) -> list[tuple[datetime, Decimal]]:
    return [(START + timedelta(minutes=n), Decimal(str(value))) for n, value in enumerate(values)]


@given(st.lists(st.tuples(PRICES, PRICES, PRICES), min_size=1, max_size=20))
def test_it_is_worth_what_equal_parts_bought_at_the_first_prices_are_worth(rows: Sequence[tuple[Decimal, ...]]) -> None:
    basket = marked(*(dict(zip("abc", row, strict=True)) for row in rows))
    # A third of the money buys units of each, and nothing is traded from then on.
    units = [1 / 3 / float(first) for first in rows[0]]
    assert basket.level == pytest.approx(sum(u * float(p) for u, p in zip(units, rows[-1], strict=True)))


@given(PRICES, st.lists(PRICES, min_size=1, max_size=5))
def test_a_symbol_that_joins_moves_nothing_and_then_counts_as_the_mean_of_the_others(
    late: Decimal, early: list[Decimal]
) -> None:
    names = [f"s{n}" for n in range(len(early))]
    basket = marked(dict.fromkeys(names, 50), dict(zip(names, early, strict=True)))
    before = basket.level
    basket.mark({"late": late})
    assert basket.level == pytest.approx(before)
    basket.mark({"late": late * 2})
    assert basket.level == pytest.approx(before * (1 + 1 / (len(names) + 1)))


def test_a_split_and_a_new_name_move_nothing_and_prices_go_on_from_there() -> None:
    basket = marked({"a": 100, "b": 50}, {"a": 120, "b": 50})
    assert basket.level == pytest.approx(1.1)
    basket.split("a", 4, 1)
    basket.rename("b", "c")
    basket.split("unknown", 2, 1)
    basket.rename("unknown", "a")
    basket.mark({"a": Decimal(30)})
    assert (basket.level, basket.symbols) == (pytest.approx(1.1), ("a", "c"))
    basket.mark({"c": Decimal(75)})
    assert basket.level == pytest.approx(0.6 + 0.75)
    basket.rename("c", "a")
    assert (basket.level, basket.symbols) == (pytest.approx(1.35), ("a",))
    basket.mark({"a": Decimal(60)})
    assert basket.level == pytest.approx(2.7)


def test_before_the_first_price_there_is_no_level_and_prices_that_are_none_are_passed_over() -> None:
    assert marked({}, {"a": 0}).level == 0
    assert marked({"a": 0, "b": 5}, {"b": 10}).level == pytest.approx(2)


def test_the_same_money_is_put_into_it_when_it_is_paid_in() -> None:
    equity = minutes(1000, 1010, 1520, 1530)
    levels = [pair for n, pair in enumerate(minutes("0", "1", "1.2", "1.5")) if n != 1]
    paid = [(START, Decimal(1000)), (START + timedelta(minutes=2, seconds=30), Decimal(500))]
    # Nothing is known of the first minutes; 1520 buy 1266.67 units at 1.2, and what was paid in before is in them.
    assert beside(equity, levels, paid) == [None, None, 1520, pytest.approx(1900)]
    known = minutes("1", "1", "1.2", "1.5")
    units = 1000 + 500 / 1.2
    assert beside(equity, known, paid) == pytest.approx([1000, 1000, 1200 + 500, units * 1.5])
    # A deposit of the last minute counts in it; money that goes out takes its part along.
    late = [(START + timedelta(minutes=3, seconds=59), Decimal(-300))]
    assert beside(equity, known, late)[-1] == pytest.approx(1000 * 1.5 - 300)
    assert beside([], known, paid) == []


def test_a_live_account_notes_the_basket_at_its_marks(open_live: Any, venue: Any, times: Any) -> None:
    account = open_live()
    start = times.now
    for price in (50, 60, 45):
        venue.marks = {"KO": Decimal(price)}
        account.sync()
        times.now += timedelta(minutes=1)
    curve: EquityCurve = account.worth(start, times.now, False)
    assert curve.symbols == ("KO",)
    equity = float(curve.samples[0][1])
    found = beside(curve.samples, curve.levels, curve.paid_in)
    assert found == pytest.approx([equity, equity * 60 / 50, equity * 45 / 50])
    assert [float(value) for _, value in curve.samples] == [equity] * 3
