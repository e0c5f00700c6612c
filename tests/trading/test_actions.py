from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nt_ray.errors import BadInputError, TradingError
from nt_ray.trading.actions import (
    CashExchanged,
    Charged,
    DividendPaid,
    LotsNamed,
    SplitApplied,
    SymbolChanged,
    book,
    marks_after,
    symbols_of,
)
from nt_ray.trading.encoding import decode, encode
from nt_ray.trading.events import Event
from nt_ray.trading.ledger import AmountError, Charge, Ledger
from nt_ray.trading.lots import LotMethod, UnknownLotError
from nt_ray.trading.orders import Fill, Side

NOW = datetime(2026, 1, 2, tzinfo=UTC)
TIMES = st.datetimes(timezones=st.just(UTC)).map(lambda time: time.replace(fold=0))
TEXT = st.text(max_size=20)
NUMBERS = st.decimals(min_value=Decimal("-1e20"), max_value=Decimal("1e20"), allow_nan=False, allow_infinity=False)
COUNTS = st.integers(1, 10**6)
EVENTS = st.one_of(
    st.builds(DividendPaid, TIMES, TEXT, TEXT, NUMBERS),
    st.builds(SplitApplied, TIMES, TEXT, TEXT, COUNTS, COUNTS, NUMBERS, NUMBERS),
    st.builds(SymbolChanged, TIMES, TEXT, st.just("OLD"), st.just("NEW")),
    st.builds(Charged, TIMES, TEXT, st.sampled_from(Charge).map(str), NUMBERS),
    st.builds(CashExchanged, TIMES, TEXT, NUMBERS, TEXT, NUMBERS, TEXT),
    st.builds(LotsNamed, TIMES, TEXT, TEXT, st.lists(TEXT, max_size=4).map(tuple)),
)


@given(EVENTS)
def test_every_action_comes_back_exactly_as_it_was(event: Event) -> None:
    back = decode(encode(event))
    assert back == event
    assert repr(back) == repr(event)


def holding(signed: int, price: str = "10") -> Ledger:
    ledger = Ledger("USD", LotMethod.SPECIFIC)
    ledger.deposit("initial", Decimal(10_000))
    side = Side.BUY if signed > 0 else Side.SELL
    ledger.fill(Fill("x1", "o1", "KO", side, Decimal(abs(signed)), Decimal(price), Decimal(0), NOW))
    return ledger


def test_each_action_moves_the_accounts_it_names() -> None:
    ledger = holding(100)
    book(ledger, DividendPaid(NOW, "a1", "KO", Decimal("46.00")))
    book(ledger, Charged(NOW, "a2", "fees", Decimal("3.50")))
    book(ledger, Charged(NOW, "a3", "borrow", Decimal("0.25")))
    book(ledger, Charged(NOW, "a4", "interest", Decimal("-1.75")))
    book(ledger, CashExchanged(NOW, "a5", Decimal(110), "USD", Decimal(100), "EUR"))
    assert ledger.dividends == 46
    assert [ledger.charged(charge) for charge in Charge] == [Decimal("3.50"), Decimal("0.25"), Decimal("-1.75")]
    assert ledger.cash == 10_000 - 1_000 + 46 - Decimal("3.50") - Decimal("0.25") + Decimal("1.75") - 110
    assert ledger.cash_in("EUR") == 100
    marks = {"KO": Decimal(10), "EUR/USD": Decimal("1.2")}
    assert ledger.equity(marks) == ledger.cash + 1_000 + 120
    assert ledger.exchanged(marks) == 10
    assert ledger.trial_balance() == 0


def test_a_reverse_split_pays_the_fraction_out_and_a_new_symbol_takes_the_rest() -> None:
    ledger = holding(100, "3")
    book(ledger, SplitApplied(NOW, "a1", "KO", 1, 8, Decimal(12), Decimal("12.40")))
    # 12.5 units at 24: half a unit, which cost 12, was paid out for 12.40.
    assert (ledger.position("KO").quantity, ledger.position("KO").cost) == (12, 288)
    assert ledger.realised == Decimal("0.40")
    book(ledger, SymbolChanged(NOW, "a2", "KO", "COKE"))
    assert ledger.positions().keys() == {"COKE"}
    assert [(lot.lot_id, lot.quantity, lot.cost) for lot in ledger.lots("COKE")] == [("x1", 12, 288)]
    assert ledger.balances["position:KO"] == 0
    assert ledger.balances["position:COKE"] == 288


def test_a_short_position_owes_the_dividend() -> None:
    ledger = holding(-100)
    book(ledger, DividendPaid(NOW, "a1", "KO", Decimal(-46)))
    assert ledger.dividends == -46
    assert ledger.cash == 10_000 + 1_000 - 46


def test_reserved_buying_power_is_a_memo_that_touches_no_money() -> None:
    ledger = holding(100)
    cash, equity = ledger.cash, ledger.equity({"KO": Decimal(10)})
    ledger.reserve("o2", Decimal(500))
    ledger.reserve("o3", Decimal(250))
    ledger.reserve("o2", Decimal(100))
    assert ledger.reserved == 350
    assert (ledger.cash, ledger.equity({"KO": Decimal(10)})) == (cash, equity)
    ledger.reserve("o2", Decimal(0))
    ledger.reserve("o3", Decimal(0))
    assert ledger.reserved == 0
    assert ledger.trial_balance() == 0


@pytest.mark.parametrize(
    ("event", "error"),
    [
        (DividendPaid(NOW, "a", "KO", Decimal("0.000000001")), AmountError),
        (Charged(NOW, "a", "fees", Decimal("Infinity")), AmountError),
        (SplitApplied(NOW, "a", "PEP", 2, 1, Decimal(2), Decimal(0)), TradingError),
        (SplitApplied(NOW, "a", "KO", 2, 1, Decimal(150), Decimal(0)), TradingError),
        (CashExchanged(NOW, "a", Decimal(1), "USD", Decimal(1), "USD"), TradingError),
        (CashExchanged(NOW, "a", Decimal(-1), "USD", Decimal(1), "EUR"), TradingError),
        (LotsNamed(NOW, "o9", "KO", ("x9",)), UnknownLotError),
    ],
)
def test_what_cannot_be_booked_changes_nothing(event: Event, error: type[Exception]) -> None:
    ledger = holding(100)
    before = repr(vars(ledger))
    with pytest.raises(error):
        book(ledger, event)  # type: ignore[arg-type]
    assert repr(vars(ledger)) == before


def test_symbols_on_opposite_sides_do_not_become_one() -> None:
    ledger = holding(100)
    ledger.fill(Fill("x2", "o2", "PEP", Side.SELL, Decimal(5), Decimal(10), Decimal(0), NOW))
    with pytest.raises(TradingError, match="opposite sides"):
        book(ledger, SymbolChanged(NOW, "a", "KO", "PEP"))


@pytest.mark.parametrize(
    "make",
    [
        lambda: SplitApplied(NOW, "a", "KO", 0, 1, Decimal(1), Decimal(0)),
        lambda: SymbolChanged(NOW, "a", "KO", "KO"),
        lambda: Charged(NOW, "a", "bribe", Decimal(1)),
    ],
)
def test_actions_that_make_no_sense_cannot_be_made(make: object) -> None:
    with pytest.raises(BadInputError):
        make()  # type: ignore[operator]


def test_marks_follow_until_the_next_prices_come() -> None:
    marks = {"KO": Decimal(60)}
    split = SplitApplied(NOW, "a", "KO", 3, 2, Decimal(15), Decimal(0))
    assert marks_after(split, marks) == {"KO": Decimal(40)}
    assert symbols_of(split) == ("KO",)
    renamed = SymbolChanged(NOW, "a", "KO", "COKE")
    assert marks_after(renamed, marks) == {"COKE": Decimal(60)}
    assert symbols_of(renamed) == ("KO", "COKE")
    exchanged = CashExchanged(NOW, "a", Decimal(120), "USD", Decimal(100), "EUR")
    assert marks_after(exchanged, {})["EUR/USD"] == Decimal("1.2")
