from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from nt_ray.errors import MarketDataError
from nt_ray.market.archive import open_panel, save_panel
from nt_ray.market.bars import BarPanel, Instrument, known_closes
from nt_ray.market.columns import recognise
from nt_ray.market.files import read_bars
from nt_ray.market.source import load_panel
from nt_ray.types import FloatArray

DAY = 86_400_000_000_000


@pytest.fixture
def panel() -> BarPanel:
    values = np.arange(40.0).reshape(4, 2, 5) + 1.0
    return BarPanel((Instrument("A"), Instrument("B")), np.arange(1, 5, dtype=np.int64) * DAY, values, name="p")


@pytest.fixture
def scores() -> FloatArray:
    return np.array([[0.1, np.nan], [0.2, -0.2], [np.nan, 0.3], [0.4, 0.4]])


def test_a_field_is_carried_through_every_selection(panel: BarPanel, scores: FloatArray, tmp_path: Path) -> None:
    rich = panel.with_field("score", scores).with_field("forecast", scores / 10.0)
    assert rich.fields == ("score", "forecast")
    assert rich.values.shape == (4, 2, 7)
    np.testing.assert_array_equal(rich.field("score"), scores)
    np.testing.assert_array_equal(rich.field("volume"), panel.values[:, :, 4])
    np.testing.assert_array_equal(rich.select(["B"]).field("forecast"), scores[:, 1:] / 10.0)
    later = rich.between(datetime(1970, 1, 3, tzinfo=UTC), None)
    np.testing.assert_array_equal(later.field("score"), scores[1:])
    save_panel(rich, tmp_path / "bars.npz")
    again = open_panel(tmp_path / "bars.npz")
    assert again.fields == rich.fields
    assert again.values.tobytes() == rich.values.tobytes()


def test_the_panel_itself_stays_as_it_was(panel: BarPanel, scores: FloatArray) -> None:
    rich = panel.with_field("score", scores)
    assert panel.fields == ()
    np.testing.assert_array_equal(rich.ticks(), panel.ticks())
    with pytest.raises(ValueError, match="read-only"):
        rich.values[0, 0, 5] = 1.0


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("close", (4, 2), "already has a field 'close'"),
        ("my score", (4, 2), "'my score' is not usable"),
        ("score", (4, 1), r"has shape \(4, 1\); \(4, 2\) is needed"),
    ],
)
def test_a_field_that_does_not_fit_is_refused(panel: BarPanel, name: str, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(MarketDataError, match=message):
        panel.with_field(name, np.zeros(shape))


def test_infinite_twice_named_and_unknown_fields_are_refused(panel: BarPanel, scores: FloatArray) -> None:
    with pytest.raises(MarketDataError, match="infinite in row 2"):
        panel.with_field("score", np.where(np.isnan(scores) & (np.arange(4) == 2)[:, None], np.inf, scores))
    with pytest.raises(MarketDataError, match="already has a field 'score'"):
        panel.with_field("score", scores).with_field("score", scores)
    with pytest.raises(MarketDataError, match=r"no field 'score'. It has: open"):
        panel.field("score")


def write(folder: Path, text: str, name: str = "a.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_unknown_columns_are_kept_only_where_they_are_named(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "date,symbol,close,Score,vwap\n2020-01-01,A,10,0.5,1\n2020-01-01,B,20,,2\n2020-01-02,A,11,-0.5,3\n"
        "2020-01-02,B,21,0.25,4\n",
    )
    assert read_bars(path).fields == ()
    kept = load_panel(str(path), symbols=["A", "B"], extra=("score",))
    assert kept.fields == ("score",)
    np.testing.assert_array_equal(kept.field("score"), [[0.5, np.nan], [-0.5, 0.25]])
    np.testing.assert_array_equal(kept.closes, [[10.0, 20.0], [11.0, 21.0]])
    assert read_bars(path, extra=("vwap", "score")).field("vwap").tolist() == [[1.0, 2.0], [3.0, 4.0]]


def test_a_named_column_plays_no_other_role(tmp_path: Path) -> None:
    # A second close beside a close is otherwise taken for another instrument.
    path = write(tmp_path, "date,close,forecast\n2020-01-01,10,0.1\n2020-01-02,11,0.2\n")
    with pytest.raises(MarketDataError, match="'forecast' may be another instrument"):
        read_bars(path)
    assert read_bars(path, extra=("forecast",)).field("forecast").tolist() == [[0.1], [0.2]]


def test_bars_with_blank_prices_keep_their_field(tmp_path: Path) -> None:
    path = write(tmp_path, "date,open,high,low,close,score\n2020-01-01,,,,10,0.1\n2020-01-02,,,,11,0.2\n")
    kept = read_bars(path, extra=("score",))
    assert kept.instruments[0].close_only
    assert kept.field("score").tolist() == [[0.1], [0.2]]


@pytest.mark.parametrize(
    ("text", "extra", "message"),
    [
        ("date,close\n2020-01-01,10\n2020-01-02,11\n", "score", "no column 'score' among 'date', 'close'"),
        ("date,close,score\n2020-01-01,10,x\n2020-01-02,11,1\n", "score", "'x' in row 1 of column 'score'"),
        ("date,close,score\n2020-01-01,10,inf\n2020-01-02,11,1\n", "score", "score is inf"),
        ("date,A,B,score\n2020-01-01,1,2,3\n2020-01-02,1,2,3\n", "score", "belongs to none"),
        ("date,close,x\n2020-01-01,10,1\n2020-01-02,11,1\n", "high", "already has a field 'high'"),
    ],
)
def test_a_column_that_cannot_be_kept_is_named(tmp_path: Path, text: str, extra: str, message: str) -> None:
    with pytest.raises(MarketDataError, match=message):
        read_bars(write(tmp_path, text), extra=(extra,))


def test_two_columns_of_one_name_are_refused() -> None:
    with pytest.raises(MarketDataError, match="could each be the score"):
        recognise(["date", "close", "score", "Score"], "f.csv", ("score",))


def test_gaps_hold_the_close_before() -> None:
    closes = np.array([[np.nan, 1.0], [2.0, np.nan], [np.nan, np.nan], [3.0, 4.0]])
    filled = known_closes(closes)
    assert np.array_equal(filled, [[np.nan, 1.0], [2.0, 1.0], [2.0, 1.0], [3.0, 4.0]], equal_nan=True)
