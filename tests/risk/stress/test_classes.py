import pytest

from nt_ray.errors import RiskError
from nt_ray.market.bars import AssetClass, Instrument
from nt_ray.risk.stress.book import Book, book_of
from nt_ray.risk.stress.classes import classes_of, guess_class


def test_instruments_say_their_class_where_they_can() -> None:
    instruments = [
        Instrument(symbol="AAPL", asset_class=AssetClass.EQUITY),
        Instrument(symbol="BTC-USD", asset_class=AssetClass.CRYPTO),
        Instrument(symbol="TLT", asset_class=AssetClass.ETF),
    ]
    assert classes_of(instruments, {"TLT": "fixed_income"}) == ("equity", "crypto", "fixed_income")
    with pytest.raises(RiskError, match="TLT is a etf, which may hold anything"):
        classes_of(instruments)


@pytest.mark.parametrize(
    ("symbol", "kind"),
    [
        ("AAPL", "equity"), ("EURUSD", "fx"), ("USD/JPY", "fx"), ("BTCUSD", "crypto"), ("ETH-USDT", "crypto"),
        ("GC=F", "commodity"), ("CLZ5", "commodity"), ("CLX", "equity"), ("TLT", "fixed_income"),
        ("MYBOND", "fixed_income"), ("GLD", "commodity"),
    ],
)  # fmt: skip
def test_names_suggest_classes(symbol: str, kind: str) -> None:
    assert guess_class(symbol) == kind


def test_a_book_says_which_classes_it_guessed() -> None:
    book = book_of({"SPY": 0.6, "AGG": 0.4}, classes={"SPY": "equity"})
    assert book.classes == ("equity", "fixed_income")
    assert book.notes == ("classes guessed from symbols: AGG fixed_income",)
    assert book_of({"A": 1.0}, classes={"A": "equity"}).notes == ()


def test_books_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(RiskError, match="'B', which the book does not hold"):
        book_of({"A": 1.0}, classes={"B": "equity"})
    with pytest.raises(RiskError, match="1 of them distinct"):
        Book(names=("A", "A"), weights=[0.5, 0.5], classes=("equity", "equity"))
    with pytest.raises(RiskError, match="of 1 assets, the book of 2"):
        Book(names=("A", "B"), weights=[0.5, 0.5], classes=("equity", "equity"), covariance=[[0.1]])
    with pytest.raises(RiskError, match="positive semi-definite"):
        book_of({"A": 0.5, "B": 0.5}, covariance=[[0.1, 0.2], [0.2, 0.1]])
