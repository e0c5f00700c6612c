import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from nt_ray.errors import MarketDataError
from nt_ray.market.bars import CLOSE, VOLUME
from nt_ray.market.embedded import EMBEDDED, load_embedded
from nt_ray.market.tables import Reading


def test_twenty_stocks_have_their_published_size_and_first_closes() -> None:
    panel = load_embedded("sp500")
    assert panel.closes.shape == (8313, 20)
    assert panel.symbols[:3] == ("AAPL", "AMD", "BAC")
    assert panel.closes[0, :3].tolist() == [0.264, 4.125, 4.599]
    assert panel.time(0).isoformat() == "1990-01-02T00:00:00+00:00"
    assert panel.time(-1).isoformat() == "2022-12-28T00:00:00+00:00"
    assert panel.periods_per_year == 252.0
    assert panel.close_only.all()
    assert not np.isnan(panel.closes).any()


def test_the_index_stands_on_the_same_days_as_the_stocks() -> None:
    panel = load_embedded("sp500-index")
    assert panel.symbols == ("SP500",)
    assert panel.closes[-1, 0] == 3783.22
    assert np.array_equal(panel.timestamps, load_embedded("sp500").timestamps)


def test_indices_are_whole_bars_that_pandas_reads_alike() -> None:
    from arch.data import nasdaq

    panel = load_embedded("indices", Reading(adjust=False))
    table = nasdaq.load()
    table.index = pd.to_datetime(table.index)
    assert panel.symbols == ("SP500", "NASDAQ")
    assert panel.timestamps.tolist() == table.index.as_unit("ns").asi8.tolist()
    assert np.array_equal(panel.values[:, 1], table[["Open", "High", "Low", "Close", "Volume"]].to_numpy())
    assert not panel.close_only.any()


def test_stocks_are_adjusted_and_start_at_their_listing() -> None:
    panel, raw = load_embedded("stocks"), load_embedded("stocks", Reading(adjust=False))
    assert panel.symbols == ("AAPL", "FB", "GOOG", "IBM", "MSFT")
    assert panel.closes[0, 0] == 4.186662803811
    assert raw.values[0, 0].tolist() == [118.56, 132.06, 118.5, 130.31, 9616100.0]
    assert np.isnan(panel.closes[0, 1])
    turnover = panel.values[:, :, CLOSE] * panel.values[:, :, VOLUME]
    assert np.allclose(turnover, raw.values[:, :, CLOSE] * raw.values[:, :, VOLUME], equal_nan=True)


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(MarketDataError, match="The nearest is 'sp500'"):
        load_embedded("sp5000")


def test_every_name_is_described_and_loads() -> None:
    for name in EMBEDDED:
        assert len(load_embedded(name)) > 3000
        assert len(EMBEDDED[name]) > 20


def test_loading_imports_none_of_the_packages() -> None:
    code = (
        "import sys; from nt_ray.market.embedded import EMBEDDED, load_embedded\n"
        "[load_embedded(n) for n in EMBEDDED]\n"
        "print([p for p in ('skfolio', 'arch', 'bokeh_sampledata', 'pandas', 'ray') if p in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
