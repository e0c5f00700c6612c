from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nt_ray.errors import StorageError
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.shards import MANIFEST, finish, open_shards, shard_of


@pytest.fixture
def laid_out(tmp_path: Path) -> Path:
    """Six series over ten days, each beginning a day later than the one before, in three shards."""
    for s in range(6):
        name = f"S{s}"
        place = tmp_path / f"shard={shard_of(name, 3)}"
        place.mkdir(exist_ok=True)
        days = np.datetime64("2026-01-01", "us") + np.arange(s, 10) * np.timedelta64(1, "D")
        frame = pl.DataFrame({"time": days, "series": name, "value": 100.0 * s + np.arange(s, 10), "good": True})
        frame.write_parquet(place / f"{name}.parquet")
    return tmp_path


def test_the_shards_together_hold_every_series_once_on_one_time_axis(laid_out: Path) -> None:
    assert open_shards(laid_out) is None
    shards = finish(laid_out, 3)
    assert open_shards(laid_out) == shards
    panels = [shards.panel(rank) for rank in range(3) if shards.series[rank]]
    assert sorted(name for panel in panels for name in panel.names) == [f"S{s}" for s in range(6)]
    for panel in panels:
        np.testing.assert_array_equal(panel.times, shards.times())
        assert panel.frequency == "1d"
        for name, values in zip(panel.names, panel.target, strict=True):
            s = int(name[1:])
            assert np.isnan(values[:s]).all()
            np.testing.assert_array_equal(values[s:], 100.0 * s + np.arange(s, 10))


def test_a_shard_that_is_not_there_and_a_damaged_manifest_are_refused(laid_out: Path) -> None:
    shards = finish(laid_out, 3)
    with pytest.raises(NeuralError, match="Use fewer shards"):
        shards.panel(3)
    (laid_out / MANIFEST).write_text("{")
    with pytest.raises(StorageError, match="lay it out anew"):
        open_shards(laid_out)


def test_one_bad_row_refuses_the_whole(laid_out: Path) -> None:
    place = next(laid_out.glob("shard=*"))
    row = {"time": [None], "series": ["S9"], "value": [1.0], "good": [False]}
    types = {"time": pl.Datetime("us"), "series": pl.String, "value": pl.Float64, "good": pl.Boolean}
    pl.DataFrame(row, schema=types).write_parquet(place / "bad.parquet")
    with pytest.raises(NeuralError, match="Series 'S9' has a row at None"):
        finish(laid_out, 3)
    assert open_shards(laid_out) is None
