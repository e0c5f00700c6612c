import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nt_ray.errors import MarketDataError
from nt_ray.market.alignment import align
from nt_ray.market.bars import CLOSE
from nt_ray.market.quality import Series

CALENDARS = st.lists(st.sets(st.integers(0, 40), min_size=2, max_size=20), min_size=1, max_size=5)


def closes(symbol: str, days: list[int]) -> Series:
    values = np.full((len(days), 5), np.nan)
    values[:, CLOSE] = np.array(days) + 100.0
    times = np.array(days, dtype=np.int64) * 86_400_000_000_000
    return Series("f", symbol, times, values, np.arange(1, len(days) + 1), close_only=True)


@given(CALENDARS)
def test_each_instrument_keeps_its_bars_and_gains_none(calendars: list[set[int]]) -> None:
    panel = align([closes(f"S{i}", sorted(days)) for i, days in enumerate(calendars)], "p")
    union = sorted(set().union(*calendars))
    assert (panel.timestamps // 86_400_000_000_000).tolist() == union
    for column, days in enumerate(calendars):
        expected = [day + 100.0 if day in days else np.nan for day in union]
        assert np.array_equal(panel.closes[:, column], expected, equal_nan=True)


def test_a_symbol_given_twice_is_refused() -> None:
    with pytest.raises(MarketDataError, match="'A' stands in f and again in f"):
        align([closes("A", [1, 2]), closes("A", [3, 4])], "p")
