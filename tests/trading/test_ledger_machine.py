"""Any sequence of fills, dividends, splits, charges and changes of symbol, under every lot method at once."""

from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from nt_ray.trading.actions import (
    CashExchanged,
    Charged,
    DividendPaid,
    LotsNamed,
    SplitApplied,
    SymbolChanged,
    book,
)
from nt_ray.trading.encoding import decode, encode
from nt_ray.trading.events import Event, OrderFilled
from nt_ray.trading.ledger import Charge, Ledger
from nt_ray.trading.lots import LotMethod, cost_of, quantity_of
from nt_ray.trading.orders import Fill, Side

NOW = datetime(2026, 1, 2, tzinfo=UTC)
SYMBOLS = st.sampled_from(["KO", "PEP", "MMM"])
PRICES = st.integers(1, 10**6).map(lambda n: Decimal(n).scaleb(-2))
MONEY = st.integers(-(10**6), 10**6).filter(bool).map(lambda n: Decimal(n).scaleb(-2))


class Books(RuleBasedStateMachine):
    """Ledgers by method beside plain sums: money in and out, and units held."""

    def __init__(self) -> None:
        super().__init__()
        self.ledgers = {method: Ledger("USD", method) for method in LotMethod}
        self.events: list[Event] = []
        self.cash = Fraction(0)
        self.euros = Fraction(0)
        self.units: dict[str, Fraction] = {}
        self.trading = Fraction(0)
        self.expenses = Fraction(0)
        self.dividends = Fraction(0)
        self.number = 0

    def name(self) -> str:
        self.number += 1
        return f"n{self.number}"

    def book(self, event: Event) -> None:
        self.events.append(event)
        for ledger in self.ledgers.values():
            apply(ledger, event)

    @initialize(capital=st.integers(1, 10**6))
    def pay_in(self, capital: int) -> None:
        for ledger in self.ledgers.values():
            ledger.deposit("initial", Decimal(capital))
        self.cash += capital
        self.capital = Decimal(capital)

    @rule(symbol=SYMBOLS, signed=st.integers(-40, 40).filter(bool), price=PRICES, fee=MONEY)
    def trade(self, symbol: str, signed: int, price: Decimal, fee: Decimal) -> None:
        side = Side.BUY if signed > 0 else Side.SELL
        name = self.name()
        self.book(OrderFilled(NOW, Fill(name, name, symbol, side, Decimal(abs(signed)), price, fee, NOW)))
        self.units[symbol] = self.units.get(symbol, Fraction(0)) + signed
        self.trading -= signed * Fraction(price)
        self.expenses += Fraction(fee)
        self.cash -= signed * Fraction(price) + Fraction(fee)

    @rule(symbol=SYMBOLS, nanos=st.integers(-(10**11), 10**11).filter(bool), picos=st.integers(1, 10**13))
    def trade_a_fraction(self, symbol: str, nanos: int, picos: int) -> None:
        quantity, price = Decimal(abs(nanos)).scaleb(-9), Decimal(picos).scaleb(-9)
        side = Side.BUY if nanos > 0 else Side.SELL
        name = self.name()
        self.book(OrderFilled(NOW, Fill(name, name, symbol, side, quantity, price, Decimal(0), NOW)))
        signed = Fraction(nanos, 10**9)
        paid = in_quanta(signed * Fraction(price))
        self.units[symbol] = self.units.get(symbol, Fraction(0)) + signed
        self.trading -= paid
        self.cash -= paid

    @rule(symbol=SYMBOLS, take=st.integers(0, 5), signed=st.integers(1, 40), price=PRICES)
    def sell_named_lots(self, symbol: str, take: int, signed: int, price: Decimal) -> None:
        name = self.name()
        ledger = self.ledgers[LotMethod.SPECIFIC]
        lots = tuple(lot.lot_id for lot in reversed(ledger.lots(symbol)))[:take]
        named = LotsNamed(NOW, name, symbol, lots)
        book(ledger, named)
        held = ledger.lots(symbol)
        price_of = {lot.lot_id: lot for lot in held}
        side = Side.SELL if self.units.get(symbol, 0) > 0 else Side.BUY
        self.book(OrderFilled(NOW, Fill(name, name, symbol, side, Decimal(signed), price, Decimal(0), NOW)))
        change = signed * side.sign
        self.units[symbol] = self.units.get(symbol, Fraction(0)) + change
        self.trading -= change * Fraction(price)
        self.cash -= change * Fraction(price)
        left = signed - sum(abs(price_of[lot_id].quantity) for lot_id in lots)
        if left >= 0:
            assert not set(lots) & {lot.lot_id for lot in ledger.lots(symbol)}

    @rule(symbol=SYMBOLS, amount=MONEY)
    def receive_dividend(self, symbol: str, amount: Decimal) -> None:
        self.book(DividendPaid(NOW, self.name(), symbol, amount))
        self.dividends += Fraction(amount)
        self.cash += Fraction(amount)

    @rule(charge=st.sampled_from(Charge), amount=MONEY)
    def be_charged(self, charge: Charge, amount: Decimal) -> None:
        self.book(Charged(NOW, self.name(), charge, amount))
        self.expenses += Fraction(amount)
        self.cash -= Fraction(amount)

    @precondition(lambda self: any(self.units.values()))
    @rule(data=st.data(), new=st.integers(1, 5), old=st.integers(1, 5), price=PRICES)
    def be_split(self, data: st.DataObject, new: int, old: int, price: Decimal) -> None:
        symbol = data.draw(st.sampled_from(sorted(s for s, units in self.units.items() if units)))
        exact = self.units[symbol] * new / old
        whole = Fraction(int(exact))
        cash = price * (1 if exact > 0 else -1) if exact != whole else Decimal(0)
        self.book(SplitApplied(NOW, self.name(), symbol, new, old, Decimal(int(exact)), cash))
        self.units[symbol] = whole
        self.trading += Fraction(cash)
        self.cash += Fraction(cash)

    @rule(symbol=SYMBOLS, into=SYMBOLS)
    def change_symbol(self, symbol: str, into: str) -> None:
        units, there = self.units.get(symbol, Fraction(0)), self.units.get(into, Fraction(0))
        if symbol == into or units * there < 0:
            return
        self.book(SymbolChanged(NOW, self.name(), symbol, into))
        self.units[symbol], self.units[into] = Fraction(0), units + there

    @rule(sold=PRICES, bought=PRICES)
    def buy_euros(self, sold: Decimal, bought: Decimal) -> None:
        self.book(CashExchanged(NOW, self.name(), sold, "USD", bought, "EUR"))
        self.cash -= Fraction(sold)
        self.euros += Fraction(bought)

    @invariant()
    def debits_equal_credits_and_money_is_what_went_in_and_out(self) -> None:
        for ledger in self.ledgers.values():
            assert ledger.trial_balance() == 0
            assert Fraction(ledger.cash) == self.cash
            assert Fraction(ledger.cash_in("EUR")) == self.euros
            by_currency = sum(v for k, v in ledger.balances.items() if k.endswith(":EUR"))
            assert by_currency == 0

    @invariant()
    def lots_sum_to_positions(self) -> None:
        for ledger in self.ledgers.values():
            for symbol, units in self.units.items():
                position, lots = ledger.position(symbol), ledger.lots(symbol)
                assert Fraction(position.quantity) == units
                assert quantity_of(lots) == position.quantity
                assert cost_of(lots) == position.cost == ledger.balances.get(f"position:{symbol}", 0)
                assert all(lot.quantity * position.quantity > 0 for lot in lots)

    @invariant()
    def realised_and_unrealised_profit_are_the_money_that_flowed(self) -> None:
        marks = {symbol: Decimal(7) for symbol in self.units} | {"EUR/USD": Decimal("1.1")}
        value = sum(units * 7 for units in self.units.values())
        for ledger in self.ledgers.values():
            assert Fraction(ledger.realised + ledger.unrealised(marks)) == self.trading + value
            expenses = ledger.commission + sum(ledger.charged(charge) for charge in Charge)
            assert (Fraction(expenses), Fraction(ledger.dividends)) == (self.expenses, self.dividends)
            profit = ledger.realised + ledger.unrealised(marks) + ledger.dividends - expenses
            assert ledger.equity(marks) - self.capital == profit + ledger.exchanged(marks)

    @invariant()
    def every_method_has_made_the_same_where_nothing_is_held(self) -> None:
        if not any(self.units.values()):
            assert len({ledger.realised for ledger in self.ledgers.values()}) == 1

    def teardown(self) -> None:
        for method, ledger in self.ledgers.items():
            if method is LotMethod.SPECIFIC:
                continue
            again = Ledger("USD", method)
            again.deposit("initial", getattr(self, "capital", Decimal(0)))
            for event in self.events:
                apply(again, decode(encode(event)))
            assert vars(again)["_balances"] == vars(ledger)["_balances"]
            assert vars(again)["_lots"] == vars(ledger)["_lots"]


def in_quanta(amount: Fraction) -> Fraction:
    """Round half to even to 1e-8, as Python rounds fractions."""
    return Fraction(round(amount * 10**8), 10**8)


def apply(ledger: Ledger, event: Event) -> None:
    if isinstance(event, OrderFilled):
        ledger.fill(event.fill)
    else:
        book(ledger, event)  # type: ignore[arg-type]


TestBooks = Books.TestCase
TestBooks.settings = settings(max_examples=60, stateful_step_count=25)
