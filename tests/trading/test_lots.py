from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nt_ray.trading.lots import Lot, LotMethod, SplitError, cost_of, merge, quantity_of, split, trade

NOW = datetime(2026, 1, 2, tzinfo=UTC)
QUANTUM = Fraction(1, 10**8)


def lot(number: int, quantity: str | Decimal, price: str | Decimal) -> Lot:
    units = Decimal(quantity)
    return Lot(f"x{number}", units, units * Decimal(price), NOW + timedelta(days=number))


def held(*parts: tuple[str, str]) -> tuple[Lot, ...]:
    return tuple(lot(number, quantity, price) for number, (quantity, price) in enumerate(parts, start=1))


LONG = held(("10", "5"), ("10", "8"), ("10", "6"))
SHORT = held(("-10", "5"), ("-10", "8"), ("-10", "6"))


@pytest.mark.parametrize(
    ("method", "lots", "named", "closed"),
    [
        (LotMethod.FIFO, LONG, (), {"x1": 10, "x2": 5}),
        (LotMethod.LIFO, LONG, (), {"x3": 10, "x2": 5}),
        (LotMethod.HIFO, LONG, (), {"x2": 10, "x3": 5}),
        (LotMethod.HIFO, SHORT, (), {"x1": -10, "x3": -5}),
        (LotMethod.SPECIFIC, LONG, ("x3", "x1"), {"x3": 10, "x1": 5}),
        (LotMethod.SPECIFIC, LONG, ("x2",), {"x2": 10, "x1": 5}),
        (LotMethod.SPECIFIC, LONG, (), {"x1": 10, "x2": 5}),
    ],
)
def test_each_method_closes_its_own_lots(
    method: LotMethod, lots: tuple[Lot, ...], named: tuple[str, ...], closed: dict[str, int]
) -> None:
    sign = 1 if lots[0].quantity > 0 else -1
    result = trade(lots, lot(9, Decimal(-15 * sign), "7"), Decimal(7), method, named)
    assert {c.lot_id: int(c.quantity) for c in result.closings} == closed
    cost = {one.lot_id: one.cost / one.quantity for one in lots}
    assert result.realised == sum((7 - cost[name]) * units for name, units in closed.items())
    assert quantity_of(result.lots) == 15 * sign
    assert [one.lot_id for one in result.lots] == [n.lot_id for n in lots if abs(closed.get(n.lot_id, 0)) < 10]


def test_an_example_of_each_method_reckoned_by_hand() -> None:
    # 100 at 20, 100 at 30, 100 at 25; 150 sold at 28.
    lots = held(("100", "20"), ("100", "30"), ("100", "25"))
    profits = {}
    for method in (LotMethod.FIFO, LotMethod.LIFO, LotMethod.HIFO):
        profits[method] = trade(lots, lot(9, "-150", "28"), Decimal(28), method).realised
    assert profits == {LotMethod.FIFO: 700, LotMethod.LIFO: 200, LotMethod.HIFO: -50}
    pool = held(("300", "25"))
    assert trade(pool, lot(9, "-150", "28"), Decimal(28), LotMethod.AVERAGE).realised == 450


def test_a_trade_through_zero_closes_all_and_opens_the_rest() -> None:
    result = trade(LONG, lot(9, "-40", "7"), Decimal(7), LotMethod.FIFO)
    assert sum(c.quantity for c in result.closings) == 30
    assert [(one.lot_id, one.quantity, one.cost) for one in result.lots] == [("x9", Decimal(-10), Decimal(-70))]
    assert result.realised == 30 * 7 - 190


class OneByOne:
    """Every thousandth of a unit is a lot by itself, in exact fractions: the slow way."""

    def __init__(self, method: LotMethod) -> None:
        self.method = method
        self.units: list[tuple[int, Fraction]] = []
        self.sign = 0
        self.realised = Fraction(0)

    def trade(self, number: int, signed: int, price: Fraction) -> None:
        sign = 1 if signed > 0 else -1
        for _ in range(abs(signed)):
            if not self.units or self.sign == sign:
                self.sign = sign
                self.units.append((number, price))
            else:
                at = self._next()
                self.realised += self.sign * (price - self.units.pop(at)[1])

    def _next(self) -> int:
        places = range(len(self.units))
        match self.method:
            case LotMethod.LIFO:
                return len(self.units) - 1
            case LotMethod.HIFO:
                return max(places, key=lambda i: (self.sign * self.units[i][1], -i))
            case _:
                return 0


TRADES = st.lists(
    st.tuples(st.integers(-12, 12).filter(bool), st.integers(1, 60).map(lambda n: Fraction(n, 4))), max_size=25
)


@pytest.mark.parametrize("method", [LotMethod.FIFO, LotMethod.LIFO, LotMethod.HIFO])
@given(trades=TRADES)
def test_lots_equal_a_list_of_single_units(method: LotMethod, trades: list[tuple[int, Fraction]]) -> None:
    lots: tuple[Lot, ...] = ()
    slow, realised = OneByOne(method), Decimal(0)
    for number, (signed, price) in enumerate(trades):
        exact = Decimal(price.numerator) / Decimal(price.denominator)
        result = trade(lots, lot(number, Decimal(signed), exact), exact, method)
        lots, realised = result.lots, realised + result.realised
        slow.trade(number, signed, price)
        assert abs(quantity_of(lots)) == len(slow.units)
        assert Fraction(realised) == slow.realised
        assert Fraction(cost_of(lots)) == slow.sign * sum(p for _, p in slow.units)
        by_lot = {one.lot_id: abs(one.quantity) for one in lots}
        assert by_lot == {f"x{n}": sum(m == n for m, _ in slow.units) for n, _ in slow.units}


AMOUNTS = st.integers(1, 10**12).map(lambda n: Decimal(n).scaleb(-8))


@given(
    st.lists(st.tuples(st.integers(1, 10**6), AMOUNTS), min_size=1, max_size=6),
    st.integers(1, 30),
    st.integers(1, 30),
    st.sampled_from([1, -1]),
    AMOUNTS,
)
def test_a_split_keeps_quantity_and_cost_to_the_last_unit(
    parts: list[tuple[int, Decimal]], new: int, old: int, sign: int, cash: Decimal
) -> None:
    lots = tuple(Lot(f"x{i}", Decimal(q * sign), q * sign * price, NOW) for i, (q, price) in enumerate(parts))
    exact = Fraction(sum(q for q, _ in parts) * new, old) * sign
    whole = Decimal(int(exact))
    paid = cash * sign if whole != exact else Decimal(0)
    result = split(lots, new, old, whole, paid)
    assert quantity_of(result.lots) == whole
    assert cost_of(result.lots) + sum(c.cost for c in result.closings) == cost_of(lots)
    assert result.realised == paid - sum(c.cost for c in result.closings)
    fraction = 1 - Fraction(whole) / exact
    assert abs(Fraction(sum(c.cost for c in result.closings)) - Fraction(cost_of(lots)) * fraction) <= QUANTUM
    assert all(one.quantity * sign > 0 for one in result.lots)
    for one in result.lots:
        before = Fraction(next(b.quantity for b in lots if b.lot_id == one.lot_id))
        off = abs(Fraction(one.quantity) - before * Fraction(whole) / (exact * old / new))
        assert off <= 2 * QUANTUM


def test_two_for_one_doubles_each_lot_and_keeps_its_cost_and_day() -> None:
    result = split(LONG, 2, 1, Decimal(60), Decimal(0))
    assert [(b.lot_id, b.quantity, b.cost, b.opened) for b in result.lots] == [
        (b.lot_id, b.quantity * 2, b.cost, b.opened) for b in LONG
    ]
    assert result.closings == ()


@pytest.mark.parametrize("reported", ["5", "2", "-3", "4"])
def test_a_split_that_does_not_fit_the_position_is_refused(reported: str) -> None:
    with pytest.raises(SplitError, match="10 units split 1 for 3 are"):
        split(held(("10", "5")), 1, 3, Decimal(reported), Decimal(0))


def test_lots_of_two_symbols_that_become_one_are_in_order_of_age() -> None:
    early, late = LONG[:1], LONG[1:]
    assert merge(late, early, LotMethod.FIFO) == LONG
    pool = merge(late, early, LotMethod.AVERAGE)
    assert [(one.lot_id, one.quantity, one.cost) for one in pool] == [("x1", Decimal(30), Decimal(190))]
