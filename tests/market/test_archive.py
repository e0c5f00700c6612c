from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from nt_ray.errors import MarketDataError
from nt_ray.market.archive import open_panel, save_panel
from nt_ray.market.bars import BarPanel, Instrument
from nt_ray.market.embedded import load_embedded


@pytest.mark.parametrize("name", ["sp500", "indices"])
def test_a_saved_panel_opens_equal_to_the_last_bit(tmp_path: Path, name: str) -> None:
    panel = load_embedded(name)
    save_panel(panel, tmp_path / "bars.npz")
    opened = open_panel(tmp_path / "bars.npz")
    assert opened.instruments == panel.instruments
    assert (opened.name, opened.periods_per_year) == (panel.name, panel.periods_per_year)
    assert opened.timestamps.tobytes() == panel.timestamps.tobytes()
    assert opened.values.tobytes() == panel.values.tobytes()
    assert [p.name for p in tmp_path.iterdir()] == ["bars.npz"]


def test_increments_keep_their_exact_value(tmp_path: Path) -> None:
    coin = Instrument("BTC-USD", Decimal("0.01"), Decimal("0.000001"), "USD", close_only=True)
    values = np.full((1, 1, 5), np.nan)
    save_panel(BarPanel((coin,), np.array([1], dtype=np.int64), values), tmp_path / "bars.npz")
    assert open_panel(tmp_path / "bars.npz").instruments == (coin,)


def test_a_file_that_is_no_panel_is_named(tmp_path: Path) -> None:
    (tmp_path / "bars.npz").write_bytes(b"not a panel")
    with pytest.raises(MarketDataError, match=r"bars\.npz is no saved panel"):
        open_panel(tmp_path / "bars.npz")
