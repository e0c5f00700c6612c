"""What an order says that it does to the position, against what is there and what other orders close of it."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nt_ray.market.bars import Instrument
from nt_ray.risk.exposure import Exposure
from nt_ray.risk.gate import RiskGate, RiskLimits
from nt_ray.trader.books import Books
from nt_ray.trading.orders import OrderRequest, PositionEffect, Side

GATE = RiskGate(RiskLimits(Decimal(10**9), Decimal(10**9), 100, 100, 100), [Instrument("KO")])


def books(position: Decimal, buys: Decimal = Decimal(0), sells: Decimal = Decimal(0)) -> Books:
    made = Books()
    made.equity = Decimal(10**6)
    made.exposure = Exposure()
    made.exposure.mark({"KO": Decimal(50)})
    made.exposure.move("KO", position)
    made.exposure.open("KO", 1, buys)
    made.exposure.open("KO", -1, sells)
    return made


def order(side: Side, effect: PositionEffect, quantity: str | Decimal = "4", money: str | None = None) -> OrderRequest:
    notional = None if money is None else Decimal(money)
    size = Decimal(0) if money else Decimal(quantity)
    return OrderRequest("a:b", "KO", side, size, "s", notional=notional, position_effect=effect)


@pytest.mark.parametrize(
    ("side", "position", "does"),
    [
        (Side.BUY, "0", "open"), (Side.BUY, "5", "open"), (Side.BUY, "-5", "close"),
        (Side.SELL, "0", "open"), (Side.SELL, "-5", "open"), (Side.SELL, "5", "close"),
    ],
)  # fmt: skip
def test_an_order_does_to_the_position_what_it_says_or_is_denied(side: Side, position: str, does: str) -> None:
    effects: tuple[PositionEffect, ...] = ("open", "close")
    for effect in effects:
        denial = GATE.check(order(side, effect), books(Decimal(position)))
        if effect == does:
            assert denial is None
        else:
            assert denial is not None
            assert denial.rule == "position_effect"
            assert f"inferred: {side}_to_{does}, specified: {side}_to_{effect}. " in denial.reason
    assert GATE.check(order(side, ""), books(Decimal(position))) is None


def test_money_closes_what_it_buys_at_the_mark() -> None:
    assert GATE.check(order(Side.SELL, "close", money="250"), books(Decimal(5))) is None
    denial = GATE.check(order(Side.SELL, "close", money="251"), books(Decimal(5)))
    assert denial is not None
    assert (denial.rule, denial.limit, denial.value) == ("closable_quantity", "5", "6")


LOTS = st.integers(0, 12).map(Decimal)


@given(st.integers(-12, 12).filter(bool).map(Decimal), LOTS, LOTS, st.integers(1, 14).map(Decimal))
def test_whatever_is_open_a_closing_order_never_turns_the_position(
    position: Decimal, buys: Decimal, sells: Decimal, quantity: Decimal
) -> None:
    side = Side.SELL if position > 0 else Side.BUY
    denial = GATE.check(order(side, "close", quantity), books(position, buys, sells))
    # All open orders of its side may fill before it.
    after = abs(position) - (sells if side is Side.SELL else buys) - quantity
    assert (denial is None) == (after >= 0)
    if denial is not None:
        left = max(after + quantity, Decimal(0))
        assert (denial.rule, denial.limit, denial.value) == ("closable_quantity", str(left), str(quantity))
        assert (
            f"a:b: insufficient qty available for order (requested: {quantity}, available: {left}). " in denial.reason
        )
