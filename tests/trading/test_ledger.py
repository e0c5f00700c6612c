from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nt_ray.errors import TradingError
from nt_ray.trading.ledger import AmountError, Ledger, Posting
from nt_ray.trading.lots import LotMethod
from nt_ray.trading.orders import Fill, Side

NOW = datetime(2026, 1, 2, tzinfo=UTC)
SYMBOLS = ("KO", "PEP")
QUANTUM = Fraction(1, 10**8)


def fill(number: int, signed: str | Decimal, price: str | Decimal, fee: str = "0", symbol: str = "KO") -> Fill:
    quantity = Decimal(signed)
    side = Side.BUY if quantity > 0 else Side.SELL
    return Fill(f"x{number}", f"o{number}", symbol, side, abs(quantity), Decimal(price), Decimal(fee), NOW)


TRADES = st.lists(
    st.tuples(
        st.sampled_from(SYMBOLS),
        st.integers(-30, 30).filter(bool).map(lambda n: Decimal(n) / 4),
        st.integers(1, 10**7).map(lambda n: Decimal(n).scaleb(-4)),
        st.integers(-50, 500).map(lambda n: Decimal(n).scaleb(-2)),
    ),
    max_size=40,
)
PRICES = st.integers(1, 10**7).map(lambda n: Decimal(n).scaleb(-4))
MARKS = st.fixed_dictionaries(dict.fromkeys(SYMBOLS, PRICES))


class ExactAverageCost:
    """Average cost in rational numbers, without any rounding."""

    def __init__(self) -> None:
        self.quantity = Fraction(0)
        self.average = Fraction(0)
        self.realised = Fraction(0)
        self.trades = 0

    def trade(self, signed: Fraction, price: Fraction) -> None:
        self.trades += 1
        if self.quantity * signed >= 0:
            total = self.quantity + signed
            self.average = (self.average * self.quantity + price * signed) / total
            self.quantity = total
            return
        closed = min(abs(signed), abs(self.quantity))
        direction = 1 if self.quantity > 0 else -1
        self.realised += closed * (price - self.average) * direction
        self.quantity += signed
        if self.quantity * direction < 0:
            self.average = price


@given(TRADES, MARKS, st.integers(1, 10**9))
def test_every_identity_holds_after_any_sequence_of_fills(
    trades: list[tuple[str, Decimal, Decimal, Decimal]], marks: dict[str, Decimal], capital: int
) -> None:
    ledger = Ledger()
    ledger.deposit("initial", Decimal(capital))
    oracle = {symbol: ExactAverageCost() for symbol in SYMBOLS}
    cash = Fraction(capital)
    for number, (symbol, signed, price, fee) in enumerate(trades):
        posting = ledger.fill(fill(number, signed, price, str(fee), symbol))
        oracle[symbol].trade(Fraction(signed), Fraction(price))
        cash -= Fraction(signed) * Fraction(price) + Fraction(fee)

        assert sum(amount for _, amount in posting.lines) == 0
        assert ledger.trial_balance() == 0
        assert Fraction(ledger.cash) == cash
        for name in SYMBOLS:
            position = ledger.position(name)
            assert Fraction(position.quantity) == oracle[name].quantity
            assert position.cost == ledger.balances.get(f"position:{name}", Decimal(0))
            assert (position.quantity == 0) <= (position.cost == 0)
        values = sum(p.quantity * marks[s] for s, p in ledger.positions().items())
        assert ledger.equity(marks) == ledger.cash + values
        assert ledger.equity(marks) - ledger.capital == ledger.realised + ledger.unrealised(marks) - ledger.commission
    exact = sum(o.realised for o in oracle.values())
    # Each partial close rounds once by at most half a quantum; a close to flat gives it back.
    assert abs(Fraction(ledger.realised) - exact) <= QUANTUM * len(trades)


def test_profit_of_a_round_trip_through_zero_is_that_of_two_trades() -> None:
    ledger = Ledger()
    ledger.deposit("initial", Decimal(10_000))
    ledger.fill(fill(1, "100", "10.00", "1.00"))
    ledger.fill(fill(2, "-150", "12.00", "1.50"))
    assert ledger.realised == Decimal(200)
    assert (ledger.position("KO").quantity, ledger.position("KO").cost) == (Decimal(-50), Decimal(-600))
    ledger.fill(fill(3, "50", "11.00", "0.50"))
    assert ledger.realised == Decimal(250)
    assert ledger.positions() == {}
    assert ledger.cash == Decimal(10_000) + 250 - 3
    assert ledger.commission == Decimal(3)


def test_an_average_that_has_no_finite_decimal_leaves_nothing_behind() -> None:
    ledger = Ledger()
    ledger.fill(fill(1, "3", "0.0001"))
    ledger.fill(fill(2, "4", "0.0002"))
    for number in range(7):
        ledger.fill(fill(10 + number, "-1", "0.0002"))
    assert ledger.positions() == {}
    assert ledger.balances["position:KO"] == 0
    assert ledger.realised == ledger.cash == Decimal("0.0003")


FRACTIONS = st.integers(1, 10**12).map(lambda n: Decimal(n).scaleb(-9))
CLOSINGS = st.lists(st.integers(1, 10**9), min_size=1, max_size=5)


@given(st.lists(st.tuples(FRACTIONS, FRACTIONS), min_size=1, max_size=6), CLOSINGS, FRACTIONS)
def test_fractions_are_paid_for_in_whole_quanta_and_leave_nothing_behind(
    bought: list[tuple[Decimal, Decimal]], shares: list[int], price: Decimal
) -> None:
    paid = sum(Fraction(round(Fraction(q) * Fraction(p) * 10**8), 10**8) for q, p in bought)
    held = sum(q for q, _ in bought)
    sold = [(held * n / sum(shares)).quantize(Decimal("1e-9")) for n in shares[1:]]
    sold = [q for q in (*sold, held - sum(sold)) if q > 0]
    earned = sum(Fraction(round(Fraction(q) * Fraction(price) * 10**8), 10**8) for q in sold)
    for method in LotMethod:
        ledger = Ledger(method=method)
        for number, (quantity, at) in enumerate(bought):
            ledger.fill(fill(number, quantity, at))
        assert Fraction(-ledger.cash) == paid == Fraction(ledger.position("KO").cost)
        for number, quantity in enumerate(sold, len(bought)):
            ledger.fill(fill(number, -quantity, price))
        assert ledger.trial_balance() == 0
        rest = held - sum(sold)
        assert ledger.position("KO").quantity == rest
        if not rest:
            assert Fraction(ledger.realised) == Fraction(ledger.cash) == earned - paid
            assert not ledger.balances.get("position:KO")


@pytest.mark.parametrize(
    ("signed", "price", "fee"),
    [
        ("0.0000000001", "1", "0"),
        ("1", "1", "0.000000001"),
        ("1e12", "1e7", "0"),
        ("1", "NaN", "0"),
        ("1", "1", "Infinity"),
    ],
)
def test_amounts_it_cannot_hold_exactly_change_nothing(signed: str, price: str, fee: str) -> None:
    ledger = Ledger()
    ledger.fill(fill(1, "5", "10"))
    before = (dict(ledger.balances), ledger.positions())
    with pytest.raises(AmountError):
        ledger.fill(fill(2, signed, price, fee))
    assert (dict(ledger.balances), ledger.positions()) == before


def test_a_posting_out_of_balance_cannot_be_made() -> None:
    with pytest.raises(TradingError, match="out of balance by 1"):
        Posting("x", (("cash:USD", Decimal(2)), ("capital", Decimal(-1))))


@pytest.mark.parametrize("marks", [{}, {"KO": Decimal("NaN")}])
def test_a_held_symbol_without_a_price_has_no_value(marks: dict[str, Decimal]) -> None:
    ledger = Ledger()
    ledger.fill(fill(1, "5", "10"))
    for value in (ledger.equity, ledger.unrealised):
        with pytest.raises(TradingError, match="KO is held"):
            value(marks)
