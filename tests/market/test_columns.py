import pytest

from nt_ray.errors import MarketDataError
from nt_ray.market.columns import Columns, Layout, plain, recognise


@pytest.mark.parametrize(
    ("names", "layout", "time"),
    [
        (["Date", "Open", "High", "Low", "Close", "Adj Close", "Volume"], Layout.SINGLE, "Date"),
        (["timestamp", "1. open", "2. high", "3. low", "4. close", "5. volume"], Layout.SINGLE, "timestamp"),
        (["<DATE>", "<OPEN>", "<HIGH>", "<LOW>", "<CLOSE>", "<VOL>"], Layout.SINGLE, "<DATE>"),
        (["t_s", "TS", "o", "h", "l", "c", "v"], Layout.SINGLE, "TS"),
        (["Unnamed: 0", "PX_LAST"], Layout.SINGLE, "Unnamed: 0"),
        (["", "adj_close"], Layout.SINGLE, ""),
        (["__index_level_0__", "Last"], Layout.SINGLE, "__index_level_0__"),
        (["Ticker", "day", "price"], Layout.LONG, "day"),
        (["DateTime", "Instrument", "OPEN", "HIGH", "LOW", "CLOSE"], Layout.LONG, "DateTime"),
        (["Date", "AAPL", "MSFT"], Layout.WIDE, "Date"),
        (["Date", "C", "LOW", "V", "O"], Layout.WIDE, "Date"),
    ],
)
def test_common_headers_are_recognised(names: list[str], layout: Layout, time: str) -> None:
    if "t_s" in names:
        names = names[1:]
    found = recognise(names, "f.csv")
    assert (found.layout, found.time) == (layout, time)


def test_a_row_number_beside_a_date_is_not_the_time() -> None:
    found = recognise(["Unnamed: 0", "Date", "Close"], "f.csv")
    assert found.time == "Date"
    assert found.layout is Layout.SINGLE


def test_single_letters_that_are_tickers_stay_instruments() -> None:
    assert recognise(["Date", "AAPL", "C", "V"], "f.csv").closes == ("AAPL", "C", "V")


def test_an_adjusted_close_alone_is_the_close() -> None:
    found = recognise(["Date", "Adj Close"], "f.csv")
    assert found == Columns(Layout.SINGLE, "Date", fields=(("close", "Adj Close"),))


def test_vendor_columns_beside_a_lone_close_are_left_out() -> None:
    found = recognise(["Date", "Close", "Dividends", "Stock Splits"], "f.csv")
    assert found.fields == (("close", "Close"),)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["Open", "Close"], "no time column among 'Open', 'Close'"),
        (["Date", "Time", "Close"], "'Date' and 'Time' could each be the time"),
        (["Date", "Close", "Last"], "'Close' and 'Last' could each be the close"),
        (["Date", "Ticker", "Symbol", "Close"], "'Ticker' and 'Symbol' could each be the symbol"),
        (["Date", "Open", "High", "Low"], "no price column among 'Date', 'Open', 'High', 'Low'"),
        (["Date", "Symbol", "Weight"], "no price column"),
        (["Date"], "no price column"),
        (["Date", "Close", "AAPL"], "'AAPL' may be another instrument"),
    ],
)
def test_what_is_missing_or_means_two_things_is_an_error_naming_the_columns(names: list[str], message: str) -> None:
    with pytest.raises(MarketDataError, match=message):
        recognise(names, "f.csv")


def test_plain_drops_case_separators_and_leading_numbers() -> None:
    assert [plain(n) for n in ("5. Adjusted Close", "ADJ_CLOSE", "Adj-Close ", "1INCH")] == [
        "adjustedclose",
        "adjclose",
        "adjclose",
        "inch",
    ]
