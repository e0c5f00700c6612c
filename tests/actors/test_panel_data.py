from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nt_ray.errors import MarketDataError
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.shards import open_shards, shard_of
from nt_ray.trader.data import load_bars

# Ray Data loads defaults that it announces to end; nothing here sets them.
pytestmark = [
    pytest.mark.usefixtures("ray_cluster"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ray.data.*"),
]

DAYS = [f"2026-01-{day:02d}" for day in range(1, 11)]


def test_a_folder_of_csv_files_becomes_panels_of_the_workers(tmp_path: Path) -> None:
    from actors.panel_data import lay_out

    source, folder = tmp_path / "lake", tmp_path / "shards"
    source.mkdir()
    for s, name in enumerate(("KO", "PEP", "XOM", "GE")):
        closes = [100.0 * s + d for d in range(10)]
        pl.DataFrame({"time": DAYS, "close": closes, "volume": 1}).write_csv(source / f"{name}.csv")
    shards = lay_out(source, folder, 2)
    seen = {}
    for rank in range(2):
        panel = shards.panel(rank)
        for name, values in zip(panel.names, panel.target, strict=True):
            assert shard_of(name, 2) == rank
            seen[name] = values.tolist()
    assert seen == {n: [100.0 * s + d for d in range(10)] for s, n in enumerate(("KO", "PEP", "XOM", "GE"))}
    assert panel.times[0] == np.datetime64("2026-01-01")
    # What is finished is taken as it lies.
    (source / "KO.csv").unlink()
    assert lay_out(source, folder, 2) == shards


def test_a_lake_of_long_parquet_files_is_read_by_its_columns_and_bad_ones_are_named(tmp_path: Path) -> None:
    from actors.panel_data import Columns, lay_out

    source = tmp_path / "lake" / "year=2026"
    source.mkdir(parents=True)
    rows = pl.DataFrame({"at": DAYS * 2, "who": ["a"] * 10 + ["b"] * 10, "price": np.arange(20.0)})
    rows = rows.with_columns(pl.col("at").str.to_datetime(time_zone="America/New_York"))
    rows[:15].write_parquet(source / "one.parquet")
    rows[15:].write_parquet(source / "two.parquet")
    shards = lay_out(tmp_path / "lake", tmp_path / "shards", 1, Columns("at", "who", "price"))
    panel = shards.panel(0)
    np.testing.assert_array_equal(panel.target, np.arange(20.0).reshape(2, 10))
    assert panel.times[0] == np.datetime64("2026-01-01T05:00")
    assert not (tmp_path / "other").exists()
    with pytest.raises(NeuralError, match="did you mean 'price'"):
        lay_out(tmp_path / "lake", tmp_path / "other", 1, Columns("at", "who", "prise"))


def test_what_is_not_a_number_is_refused_and_leaves_no_finished_shards(tmp_path: Path) -> None:
    from actors.panel_data import lay_out

    source = tmp_path / "lake"
    source.mkdir()
    (source / "KO.csv").write_text("time,close\n2026-01-01,1\n2026-01-02,inf\n")
    with pytest.raises(NeuralError, match="Series 'KO' has a row at 2026-01-02"):
        lay_out(source, tmp_path / "shards", 1)
    assert open_shards(tmp_path / "shards") is None


def test_a_folder_without_one_kind_of_file_is_refused(tmp_path: Path) -> None:
    from actors.panel_data import lay_out

    with pytest.raises(MarketDataError, match="holds no files"):
        lay_out(tmp_path, tmp_path / "shards", 1)
    (tmp_path / "a.csv").touch()
    (tmp_path / "b.parquet").touch()
    with pytest.raises(MarketDataError, match="together"):
        lay_out(tmp_path, tmp_path / "shards", 1)


def test_bars_become_shards_by_the_rules_of_the_settings(tmp_path: Path) -> None:
    from datetime import date

    from actors.panel_data import Chosen, lay_out_bars
    from nt_ray.config.sections import Data
    from nt_ray.market.embedded import load_embedded
    from nt_ray.neural.series.sources import from_bars

    bars = load_embedded("stocks")
    source = tmp_path / "bars"
    source.mkdir()
    for column, symbol in enumerate(bars.symbols):
        close = bars.closes[:, column]
        times = pl.Series(bars.timestamps).cast(pl.Datetime("ns")).cast(pl.Date)
        prices = dict.fromkeys(("open", "high", "low", "close"), close)
        frame = pl.DataFrame({"time": times, **prices, "volume": bars.field("volume")[:, column]})
        frame.filter(pl.col("close").is_not_nan()).write_csv(source / f"{symbol}.csv")
    first, last = date(2007, 1, 3), date(2008, 6, 30)
    data = Data(source=str(source), symbols=("AAPL", "GOOG", "IBM"), start=first, end=last)
    shards = lay_out_bars(data, Chosen("return", ("volume",), ("weekday",)), tmp_path / "shards", 2)
    wanted = from_bars(load_bars(data), "return", past=("volume",), future=("weekday",))
    seen = {}
    for number in shards.filled():
        panel = shards.panel(number)
        np.testing.assert_array_equal(panel.times, wanted.times)
        seen |= dict(zip(panel.names, panel.target, strict=True))
        places = [wanted.names.index(name) for name in panel.names]
        np.testing.assert_array_equal(panel.past, wanted.past[places])
        np.testing.assert_array_equal(panel.future, wanted.future[places])
        assert (panel.past_names, panel.future_names) == (("volume",), ("weekday",))
    assert sorted(seen) == sorted(wanted.names)
    for name, values in zip(wanted.names, wanted.target, strict=True):
        np.testing.assert_array_equal(seen[name], values)
    with pytest.raises(NeuralError, match="Unknown past input 'volumes'; did you mean 'volume'"):
        lay_out_bars(data, Chosen("close", ("volumes",)), tmp_path / "wrong", 2)
    (source / "BAD.csv").write_text("time,close\n2020-01-02,1\n2020-01-03,x\n")
    with pytest.raises(MarketDataError, match=r"BAD\.csv"):
        lay_out_bars(data, Chosen("close"), tmp_path / "other", 2)
    nobody = data.model_copy(update={"source": str(source / f"{bars.symbols[0]}.csv"), "symbols": ("NONE",)})
    with pytest.raises(NeuralError, match="No row came"):
        lay_out_bars(nobody, Chosen("close"), tmp_path / "none", 2)
    some = nobody.model_copy(update={"symbols": (bars.symbols[0], "NONE")})
    with pytest.raises(MarketDataError, match="no bar of NONE"):
        lay_out_bars(some, Chosen("close"), tmp_path / "some", 2)


def test_shards_have_the_extra_fields_of_the_settings_and_no_series_without_a_bar_in_their_time(tmp_path: Path) -> None:
    from datetime import date

    from actors.panel_data import Chosen, lay_out_bars
    from nt_ray.config.sections import Data
    from nt_ray.neural.series.sources import from_bars

    days = pl.date_range(pl.date(2020, 1, 1), pl.date(2020, 3, 1), eager=True)[:40]
    rows = [(day, name, 10.0 + i, i / 7) for name, first in (("OLD", 0), ("NEW", 30)) for i, day in enumerate(days)
            if i >= first]  # fmt: skip
    pl.DataFrame(rows, schema=["time", "symbol", "close", "mood"], orient="row").write_csv(tmp_path / "bars.csv")
    data = Data(source=str(tmp_path / "bars.csv"), end=date(2020, 1, 20), extra=("mood",))
    wanted = from_bars(load_bars(data), "close", past=("mood",))
    shards = lay_out_bars(data, Chosen("close", ("mood",)), tmp_path / "shards", 1)
    panel = shards.panel(0)
    assert panel.names == wanted.names == ("OLD",)
    np.testing.assert_array_equal(panel.past, wanted.past)
    np.testing.assert_array_equal(panel.times, wanted.times)
