from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from nt_ray.errors import MarketDataError
from nt_ray.market.bars import CLOSE
from nt_ray.market.tables import Reading, numbers, series_of

DAYS = ["2020-01-02", "2020-01-03", "2020-01-06"]


def test_cells_of_every_numeric_type_are_read_alike() -> None:
    expected = [1.5, np.nan, 2.0]
    for column in (
        pl.Series([" 1.5", "null", "$2"]),
        pl.Series([1.5, None, 2.0], dtype=pl.Float32),
        pl.Series([Decimal("1.5"), None, Decimal("2.0")]),
    ):
        assert np.array_equal(numbers(column, "f"), expected, equal_nan=True)
    assert numbers(pl.Series([1, 2], dtype=pl.UInt8), "f").tolist() == [1.0, 2.0]
    assert np.isnan(numbers(pl.Series([None, None]), "f")).all()


@pytest.mark.parametrize("cell", ["1,5", "1_000", "0x10", "true", "12 USD", "--1"])
def test_cells_that_only_look_like_numbers_are_refused(cell: str) -> None:
    with pytest.raises(MarketDataError, match=r"f: .* in row 2 of column 'close' is not a number"):
        numbers(pl.Series("close", ["1", cell]), "f")


def test_rows_of_a_long_table_keep_their_numbers_in_errors() -> None:
    table = pl.DataFrame(
        {
            "date": [d for d in DAYS for _ in "AB"],
            "ticker": ["A", "B"] * 3,
            "close": [1.0, 2.0, 1.0, -2.0, 1.0, 2.0],
        }
    )
    with pytest.raises(MarketDataError, match=r"f: B, row 4 \(2020-01-03\): close is -2"):
        series_of(table, "f", "", Reading())


def test_numeric_symbols_become_text() -> None:
    table = pl.DataFrame({"date": DAYS + DAYS, "code": [700] * 3 + [5] * 3, "close": [1.0] * 6})
    assert [s.symbol for s in series_of(table, "f", "", Reading())] == ["700", "5"]


def test_an_adjusted_close_may_be_empty_only_where_the_row_is_no_bar() -> None:
    table = pl.DataFrame({"date": DAYS, "close": [4.0, 6.0, 8.0], "adj close": [2.0, None, 4.0]})
    with pytest.raises(MarketDataError, match=r"row 2 .*close is missing"):
        series_of(table, "f", "X", Reading())
    [kept] = series_of(table, "f", "X", Reading(missing="skip"))
    assert kept.values[:, CLOSE].tolist() == [2.0, 4.0]
