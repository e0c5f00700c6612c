from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nt_ray.market.source import load_panel
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.sources import from_bars, from_csv, from_frame

DAYS = [date(2026, 1, 1) + timedelta(days=i) for i in range(4)]


def long_table() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "time": [DAYS[1], DAYS[0], DAYS[0], DAYS[2], DAYS[3], DAYS[3]],
            "series": ["x", "x", "y", "y", "x", "y"],
            "value": [2.0, 1.0, 10.0, 30.0, None, None],
            "volume": [20, 10, 100, 300, None, None],
            "holiday": [0, 1, 1, 0, 1, 1],
            "sector": [3, 3, 4, 4, 3, 4],
        }
    )


def test_a_long_table_takes_its_places_and_misses_the_rest() -> None:
    panel = from_frame(long_table(), past=["volume"], static=["sector"])
    assert panel.names == ("x", "y")
    assert panel.frequency == "1d"
    nan = np.nan
    np.testing.assert_array_equal(panel.target, [[1, 2, nan, nan], [10, nan, 30, nan]])
    np.testing.assert_array_equal(panel.past[..., 0], [[10, 20, nan, nan], [100, nan, 300, nan]])
    np.testing.assert_array_equal(panel.static, [[3], [4]])


def test_rows_after_the_last_value_are_known_ahead_where_there_are_future_inputs() -> None:
    panel = from_frame(long_table(), future=["holiday"])
    assert len(panel) == 3
    assert panel.ahead == 1
    np.testing.assert_array_equal(panel.future[..., 0], [[1, 0, np.nan, 1], [1, np.nan, 0, 1]])


def test_a_wide_table_is_sorted_by_time() -> None:
    frame = pl.DataFrame({"when": [DAYS[2], DAYS[0], DAYS[1]], "p": [3.0, 1.0, 2.0], "q": [30, 10, None]})
    panel = from_frame(frame, time="when", series=None)
    assert panel.names == ("p", "q")
    np.testing.assert_array_equal(panel.target, [[1, 2, 3], [10, np.nan, 30]])
    assert from_frame(frame, time="when", series=None, columns=["q"]).names == ("q",)


def test_times_with_a_zone_become_utc() -> None:
    zone = timezone(timedelta(hours=2))
    frame = pl.DataFrame(
        {"time": [datetime(2026, 1, 1, 2, tzinfo=zone), datetime(2026, 1, 1, 3, tzinfo=zone)], "a": [1.0, 2.0]}
    )
    assert from_frame(frame, series=None).times[0] == np.datetime64("2026-01-01T00:00", "us")
    assert datetime(2026, 1, 1, tzinfo=UTC) == datetime(2026, 1, 1, 2, tzinfo=zone)


def test_a_csv_file_reads_like_its_table(tmp_path: Path) -> None:
    path = tmp_path / "rates.csv"
    path.write_text("date,a,b\n2026-01-01 00:00:00,1.5,2\n2026-01-01 01:00:00,,3\n", encoding="utf-8")
    panel = from_csv(path, time="date")
    assert panel.frequency == "1h"
    np.testing.assert_array_equal(panel.target, [[1.5, np.nan], [2, 3]])
    with pytest.raises(NeuralError, match=r"none\.csv is no file"):
        from_csv(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("change", "choice", "words"),
    [
        ({}, {"past": ["volumes"]}, "'volumes'; did you mean 'volume'"),
        ({}, {"target": "close"}, "Unknown column 'close'"),
        ({}, {"static": ["holiday"]}, "'holiday' changes in series 'x'"),
        ({"sector": ["u"] * 6}, {"past": ["sector"]}, "'sector' holds String"),
        ({"time": [DAYS[0]] * 6}, {}, "'x' has two rows"),
        ({"time": [None] * 6}, {}, "without a time"),
        ({"time": ["today"] * 6}, {}, "holds no times"),
        ({"series": [None, *"xxyyy"]}, {}, "without a name"),
        ({"value": [None] * 6}, {"future": ["holiday"]}, "'value' has no value"),
    ],
)
def test_tables_that_make_no_panel_are_refused(
    change: dict[str, list[object]], choice: dict[str, list[str]], words: str
) -> None:
    frame = long_table().with_columns(**{name: pl.Series(values) for name, values in change.items()})
    with pytest.raises(NeuralError, match=words):
        from_frame(frame, **choice)  # type: ignore[arg-type]


def test_bars_give_closes_and_returns_over_gaps() -> None:
    bars = load_panel("sp500")
    closes = from_bars(bars)
    np.testing.assert_array_equal(closes.target, bars.closes.T)
    assert closes.frequency == "1d"
    assert closes.names == bars.symbols
    returns = from_bars(bars, "return").target
    row = bars.closes[:, 0]
    seen = row[~np.isnan(row)]
    np.testing.assert_allclose(returns[0][~np.isnan(returns[0])], np.log(seen[1:] / seen[:-1]), atol=1e-12)
    np.testing.assert_allclose(from_bars(bars, "log_close").target, np.log(bars.closes.T))
