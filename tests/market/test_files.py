import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

from nt_ray.errors import MarketDataError
from nt_ray.market.bars import CLOSE, HIGH, VOLUME
from nt_ray.market.files import read_bars

DAYS = ["2020-01-02", "2020-01-03", "2020-01-06", "2020-01-07"]
OHLCV = np.array(
    [
        [10.0, 11.0, 9.5, 10.5, 1000.0],
        [10.5, 12.0, 10.0, 11.5, 2000.0],
        [11.5, 11.75, 11.0, 11.25, 1500.0],
        [11.25, 13.0, 11.25, 12.5, 900.0],
    ]
)
NANOSECONDS = np.array(DAYS, dtype="datetime64[ns]").astype(np.int64)


def frame() -> pd.DataFrame:
    table = pd.DataFrame(OHLCV, columns=["Open", "High", "Low", "Close", "Volume"])
    table.index = pd.DatetimeIndex(DAYS, name="Date")
    return table


def lines(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(rows) + "\n")
    return path


def test_a_single_csv_takes_its_symbol_from_the_stem_or_as_given(tmp_path: Path) -> None:
    frame().to_csv(tmp_path / "AAPL.csv")
    panel = read_bars(tmp_path / "AAPL.csv")
    assert panel.symbols == ("AAPL",)
    assert panel.timestamps.tolist() == NANOSECONDS.tolist()
    assert np.array_equal(panel.values[:, 0], OHLCV)
    assert not panel.instruments[0].close_only
    assert panel.periods_per_year == 252.0
    assert read_bars(tmp_path / "AAPL.csv", symbol="APPLE").symbols == ("APPLE",)


@pytest.mark.parametrize("name", ["BRK.B.csv.gz", "BRK.B.CSV", "BRK.B.parquet"])
def test_gzip_and_parquet_hold_the_same_bars(tmp_path: Path, name: str) -> None:
    if name.endswith("parquet"):
        frame().to_parquet(tmp_path / name)
    else:
        frame().to_csv(tmp_path / name)
    panel = read_bars(tmp_path / name)
    assert panel.symbols == ("BRK.B",)
    assert np.array_equal(panel.values[:, 0], OHLCV)


def test_an_unpacked_file_that_kept_its_gz_suffix_is_read(tmp_path: Path) -> None:
    frame().to_csv(tmp_path / "plain.csv")
    (tmp_path / "X.csv.gz").write_bytes((tmp_path / "plain.csv").read_bytes())
    assert np.array_equal(read_bars(tmp_path / "X.csv.gz").values[:, 0], OHLCV)


def test_parquet_from_pandas_and_polars_in_every_kind_of_index_is_the_same(tmp_path: Path) -> None:
    unnamed = frame().rename_axis(None)
    unnamed.to_parquet(tmp_path / "a.parquet")
    frame().tz_localize("UTC").reset_index().to_parquet(tmp_path / "b.parquet")
    pl.DataFrame({"date": DAYS}).with_columns(
        pl.col("date").str.to_date(), *(pl.Series(n, OHLCV[:, i]) for i, n in enumerate("ohlcv"))
    ).write_parquet(tmp_path / "c.parquet")
    panel = read_bars(tmp_path)
    assert panel.symbols == ("a", "b", "c")
    for column in range(3):
        assert np.array_equal(panel.values[:, column], OHLCV)


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_other_separators_and_a_byte_order_mark_are_understood(tmp_path: Path, separator: str) -> None:
    text = frame().to_csv(sep=separator)
    (tmp_path / "X.csv").write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert np.array_equal(read_bars(tmp_path / "X.csv").values[:, 0], OHLCV)


def test_a_wide_file_gives_closes_and_invents_nothing(tmp_path: Path) -> None:
    path = lines(tmp_path / "wide.csv", "Date,A,B", "2020-01-02,1.5,", "2020-01-03,2,30", "2020-01-06,,31")
    panel = read_bars(path)
    assert panel.symbols == ("A", "B")
    assert panel.close_only.all()
    assert np.array_equal(panel.closes, [[1.5, np.nan], [2.0, 30.0], [np.nan, 31.0]], equal_nan=True)
    assert np.isnan(panel.values[:, :, :CLOSE]).all()
    assert np.isnan(panel.values[:, :, VOLUME]).all()


def test_a_long_file_may_mix_bars_and_closes_and_interleave_symbols(tmp_path: Path) -> None:
    path = lines(
        tmp_path / "long.csv",
        "symbol,date,open,high,low,close,volume",
        "A,2020-01-02,1,2,1,2,10",
        "B,2020-01-02,,,,5,",
        "A,2020-01-03,2,2,1,1,20",
        "B,2020-01-06,,,,6,7",
    )
    panel = read_bars(path)
    assert panel.symbols == ("A", "B")
    assert panel.close_only.tolist() == [False, True]
    assert panel.values[1, 0].tolist() == [2, 2, 1, 1, 20]
    assert np.array_equal(panel.closes[:, 1], [5, np.nan, 6], equal_nan=True)
    assert np.isnan(panel.values[:, 1, VOLUME]).all()


def test_a_close_with_volume_is_close_only(tmp_path: Path) -> None:
    path = lines(tmp_path / "X.csv", "Date,Close,Volume", "2020-01-02,5,100", "2020-01-03,6,100")
    panel = read_bars(path)
    assert panel.close_only.all()
    assert np.isnan(panel.values[:, 0, VOLUME]).all()


def test_an_adjusted_close_scales_prices_and_keeps_turnover(tmp_path: Path) -> None:
    table = frame()
    table["Adj Close"] = table["Close"] / 4
    table.to_csv(tmp_path / "X.csv")
    adjusted, raw = read_bars(tmp_path / "X.csv"), read_bars(tmp_path / "X.csv", adjust=False)
    assert np.array_equal(raw.values[:, 0], OHLCV)
    assert np.allclose(adjusted.values[:, 0, :VOLUME], OHLCV[:, :VOLUME] / 4, rtol=1e-15)
    turnover = adjusted.values[:, 0, CLOSE] * adjusted.values[:, 0, VOLUME]
    assert np.allclose(turnover, OHLCV[:, CLOSE] * OHLCV[:, VOLUME], rtol=1e-15)


def test_dollar_signs_and_words_for_nothing_are_understood(tmp_path: Path) -> None:
    path = lines(tmp_path / "X.csv", "Date,Close/Last", "01/02/2020,$1.5", "01/31/2020,N/A", "02/03/2020,$2")
    assert read_bars(path, missing="skip").closes[:, 0].tolist() == [1.5, 2.0]


def test_a_folder_aligns_calendars_on_the_union_of_times(tmp_path: Path) -> None:
    lines(tmp_path / "A.csv", "date,close", "2020-01-02,1", "2020-01-03,2")
    lines(tmp_path / "B.csv", "date,close", "2020-01-03,5", "2020-01-04,6")
    (tmp_path / "README.md").write_text("not bars")
    panel = read_bars(tmp_path)
    assert np.array_equal(panel.closes, [[1, np.nan], [2, 5], [np.nan, 6]], equal_nan=True)


def test_tiny_prices_get_a_fine_increment(tmp_path: Path) -> None:
    path = lines(tmp_path / "w.csv", "date,SHIB,BTC", "2020-01-02,0.00001,9000", "2020-01-03,0.00002,9100")
    increments = [str(i.price_increment) for i in read_bars(path).instruments]
    assert increments == ["1E-8", "0.0001"]


def test_intraday_bars_need_a_zone_and_use_it(tmp_path: Path) -> None:
    path = lines(tmp_path / "X.csv", "time,close", "2020-01-02 15:59,1", "2020-01-02 16:00,2")
    with pytest.raises(MarketDataError, match=r'X\.csv: .*row 1 .*timezone = "America/New_York"'):
        read_bars(path)
    assert read_bars(path, timezone="America/New_York").time(1).isoformat() == "2020-01-02T21:00:00+00:00"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["date,close", "2020-01-02,1"], r"X\.csv: 1 row\(s\) of data; 2 are needed"),
        (["date,close"], r"0 row\(s\) of data"),
        (
            ["date,close", "2020-01-02,1", "2020-01-03,abc"],
            "'abc' in row 2 of column 'close' is not a number",
        ),
        (["date,close", "2020-01-02,1", '2020-01-03,"1,234"'], "'1,234' in row 2"),
        (["date,close", "2020-01-02,1", "2020-01-03,2,3"], "not a table"),
        (["date,symbol,close", "2020-01-02,A,1", "2020-01-03,,1"], "the symbol in row 2 is empty"),
        (
            ["date,close,adjclose", "2020-01-02,1,1", "2020-01-03,1,-1"],
            "row 2 has close 1 and adjusted close -1",
        ),
        (["date,A,B", "2020-01-02,1,", "2020-01-03,1,"], r"B has 0 row\(s\) with a price"),
        (["", "2020-01-02,1"], "no header line"),
        (["date,A,A", "2020-01-02,1,1", "2020-01-03,1,1"], r"X\.csv has two columns 'A'"),
        (
            ["date,A,notes", "2020-01-02,1,x", "2020-01-03,1,y"],
            "'x' in row 1 of column 'notes' is not a number",
        ),
        (["date,close,adjclose", "2020-01-02,1,1", "2020-01-03,inf,1"], "row 2 has close inf and adjusted"),
    ],
)
def test_bad_tables_name_the_file_the_row_and_the_remedy(tmp_path: Path, rows: list[str], message: str) -> None:
    path = lines(tmp_path / "X.csv", *rows)
    with pytest.raises(MarketDataError, match=message):
        read_bars(path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("X.csv", b"", "X.csv is empty"),
        ("X.csv", b"\x7fELF\x00\x01\xff\xfe", "X.csv is not text"),
        ("X.csv", b"date,close\n\x00\x00", "X.csv is binary"),
        ("X.csv.gz", b"\x1f\x8b broken", "X.csv.gz is not text"),
        ("X.csv.gz", gzip.compress(b"date,close\n" * 50, mtime=0)[:-9], "X.csv.gz is not text"),
        ("X.parquet", b"PAR1 nothing PAR1", "X.parquet is not a Parquet file"),
        ("X.xlsx", b"PK", "X.xlsx is of an unknown kind"),
    ],
)
def test_files_that_are_no_tables_are_refused_with_the_remedy(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(MarketDataError, match=message):
        read_bars(tmp_path / name)


@pytest.mark.parametrize(
    "text",
    [
        "date,close\n\n2020-01-02,1\n\n2020-01-03,2\n\n\n",
        "date,close,,\n2020-01-02,1,,\n2020-01-03,2,,\n",
        '"date","close"\r"2020-01-02","1"\r"2020-01-03","2"\r',
        ",date,close\n0,2020-01-02,1\n1,2020-01-03,2",
    ],
)
def test_blank_lines_trailing_separators_and_row_numbers_are_no_bars(tmp_path: Path, text: str) -> None:
    (tmp_path / "X.csv").write_bytes(text.encode())
    assert read_bars(tmp_path / "X.csv").closes[:, 0].tolist() == [1.0, 2.0]


def test_missing_paths_and_empty_folders_are_errors(tmp_path: Path) -> None:
    with pytest.raises(MarketDataError, match="There is no file"):
        read_bars(tmp_path / "nothing.csv")
    with pytest.raises(MarketDataError, match="holds no bars"):
        read_bars(tmp_path)


def test_one_symbol_in_two_files_is_an_error_naming_both(tmp_path: Path) -> None:
    frame().to_csv(tmp_path / "A.csv")
    frame().to_parquet(tmp_path / "A.parquet")
    with pytest.raises(MarketDataError, match=r"'A' stands in A\.csv and again in A\.parquet"):
        read_bars(tmp_path)


def test_an_unknown_treatment_of_holes_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MarketDataError, match="Use 'error' or 'skip'"):
        read_bars(tmp_path, missing="fill")  # type: ignore[arg-type]


def test_a_parquet_column_that_is_no_number_is_an_error(tmp_path: Path) -> None:
    pl.DataFrame({"date": DAYS, "close": [[1.0]] * 4}).write_parquet(tmp_path / "X.parquet")
    with pytest.raises(MarketDataError, match="'close' holds List"):
        read_bars(tmp_path / "X.parquet")


def test_high_prices_survive_a_round_trip_to_the_last_bit(tmp_path: Path) -> None:
    values = np.random.default_rng(2).uniform(1, 2, (50, 1)) * 1e5
    table = pl.DataFrame({"date": pl.date_range(pl.date(2020, 1, 1), pl.date(2020, 2, 19), eager=True)})
    table = table.with_columns(*(pl.Series(n, values[:, 0]) for n in ("open", "high", "low", "close")))
    table.write_csv(tmp_path / "X.csv")
    assert np.array_equal(read_bars(tmp_path / "X.csv").values[:, 0, HIGH], values[:, 0])
