from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from nt_ray.errors import MarketDataError
from nt_ray.market.source import load_panel


def crypto_and_stock(folder: Path) -> str:
    days = np.arange(np.datetime64("2020-01-01"), np.datetime64("2020-03-01"))
    weekdays = days[np.is_busday(days)]
    for name, dates in (("BTC", days), ("AAPL", weekdays)):
        rows = [f"{day},{100 + i}" for i, day in enumerate(dates)]
        (folder / f"{name}.csv").write_text("\n".join(["date,close", *rows]))
    return str(folder)


def test_an_embedded_name_and_a_path_go_through_one_door(tmp_path: Path) -> None:
    assert load_panel("sp500-index").symbols == ("SP500",)
    assert load_panel(crypto_and_stock(tmp_path)).symbols == ("AAPL", "BTC")


def test_symbols_are_kept_in_the_order_asked_for() -> None:
    panel = load_panel("sp500", symbols=["XOM", "AAPL"])
    assert panel.symbols == ("XOM", "AAPL")
    assert panel.closes[0].tolist() == [4.068, 0.264]


def test_choosing_the_stock_drops_weekends_and_returns_to_252(tmp_path: Path) -> None:
    source = crypto_and_stock(tmp_path)
    whole, stock = load_panel(source), load_panel(source, symbols=["AAPL"])
    assert (len(whole), whole.periods_per_year) == (60, 365.0)
    assert (len(stock), stock.periods_per_year) == (43, 252.0)
    assert not np.isnan(stock.closes).any()


def test_start_and_end_are_included() -> None:
    panel = load_panel("sp500", start=datetime(2013, 1, 2, tzinfo=UTC), end=datetime(2013, 1, 4, tzinfo=UTC))
    assert [panel.time(i).day for i in range(len(panel))] == [2, 3, 4]


def test_a_symbol_without_a_bar_in_the_window_is_left_out_unless_named() -> None:
    end = datetime(2005, 1, 1, tzinfo=UTC)
    assert load_panel("stocks", end=end).symbols == ("AAPL", "GOOG", "IBM", "MSFT")
    with pytest.raises(MarketDataError, match="FB has no bar between"):
        load_panel("stocks", end=end, symbols=["AAPL", "FB"])


def test_wrong_choices_say_what_is_known() -> None:
    with pytest.raises(MarketDataError, match=r"neither a file nor a folder.*use 'stocks'"):
        load_panel("stonks")
    with pytest.raises(MarketDataError, match=r"Unknown symbols \['APPL'\]"):
        load_panel("sp500", symbols=["APPL"])
    with pytest.raises(MarketDataError, match="list of symbols is empty"):
        load_panel("sp500", symbols=[])
    with pytest.raises(MarketDataError, match="no time zone"):
        load_panel("sp500", start=datetime(2013, 1, 2))  # noqa: DTZ001
    with pytest.raises(MarketDataError, match="Exchange them"):
        load_panel("sp500", start=datetime(2013, 1, 2, tzinfo=UTC), end=datetime(2012, 1, 2, tzinfo=UTC))
    with pytest.raises(MarketDataError, match="No bars between"):
        load_panel("sp500", start=datetime(2030, 1, 2, tzinfo=UTC))
