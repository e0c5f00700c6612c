from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nt_ray.errors import MarketDataError
from nt_ray.market.bars import CLOSE
from nt_ray.market.quality import Series, check

NAN = np.nan
DAY = 86_400_000_000_000
GOOD = [[10.0, 11.0, 9.0, 10.5, 100.0]] * 4


def series(values: Any, days: Any = None, close_only: bool = False) -> Series:
    values = np.array(values, dtype=np.float64)
    times = np.array(days if days is not None else range(len(values)), dtype=np.int64) * DAY
    return Series("f.csv", "ABC", times, values, np.arange(1, len(values) + 1), close_only)


def closes(*prices: float) -> Series:
    return series([[NAN, NAN, NAN, p, NAN] for p in prices], close_only=True)


def changed(row: int, column: int, value: float) -> Series:
    values = np.array(GOOD)
    values[row, column] = value
    return series(values)


def test_good_bars_pass_unchanged() -> None:
    assert np.array_equal(check(series(GOOD)).values, GOOD)


@pytest.mark.parametrize(
    ("bars", "message"),
    [
        (
            series(GOOD, [0, 1, 1, 2]),
            r"f.csv: ABC, row 3 \(1970-01-02\): its time is that of row 2. Keep one",
        ),
        (series(GOOD, [0, 2, 1, 3]), r"row 3 \(1970-01-02\): it is earlier than row 2. Sort"),
        (changed(1, CLOSE, np.inf), r"row 2 .*close is inf. Remove"),
        (changed(2, 4, -np.inf), r"row 3 .*volume is -inf"),
        (changed(1, 0, NAN), r"row 2 .*open is missing \(NaN\) between bars. .*missing = \"skip\""),
        (changed(2, CLOSE, 0.0), r"row 3 .*close is 0. Prices must be above zero"),
        (changed(2, 2, -1.0), r"row 3 .*low is -1"),
        (changed(1, 4, -5.0), r"row 2 .*volume is -5"),
        (changed(1, 1, 8.0), r"row 2 .*high 8 is below low 9"),
        (changed(1, 0, 12.0), r"row 2 .*open 12 lies outside low 9 and high 11"),
        (changed(3, CLOSE, 8.0), r"row 4 .*close 8 lies outside"),
        (closes(1.0, NAN, 2.0), r"row 2 .*close is missing"),
        (closes(NAN, 1.0), r"ABC has 1 row\(s\) with a price; 2 are needed"),
        (closes(NAN, NAN), r"ABC has 0 row\(s\)"),
    ],
)
def test_each_fault_names_file_symbol_row_time_value_and_remedy(bars: Series, message: str) -> None:
    with pytest.raises(MarketDataError, match=message):
        check(bars)


def test_a_time_of_day_is_shown_with_its_zone() -> None:
    bars = Series("f", "A", np.array([0, 1, 1]) * 3_600_000_000_000, np.array(GOOD[:3]), np.arange(1, 4), False)
    with pytest.raises(MarketDataError, match=r"1970-01-01T01:00:00\+00:00"):
        check(bars)


def test_listing_and_delisting_are_no_holes() -> None:
    found = check(closes(NAN, NAN, 1.0, 2.0, NAN))
    assert found.rows.tolist() == [3, 4]


def test_skipping_drops_rows_with_any_price_missing() -> None:
    assert check(closes(1.0, NAN, 2.0), "skip").rows.tolist() == [1, 3]
    assert check(changed(1, 0, NAN), "skip").rows.tolist() == [1, 3, 4]


def test_an_unknown_volume_is_no_fault() -> None:
    assert np.isnan(check(changed(1, 4, NAN)).values[1, 4])


def test_adjusted_prices_may_leave_the_range_by_rounding() -> None:
    assert len(check(changed(1, 0, 11.0 * (1 + 9e-7))).times) == 4
    with pytest.raises(MarketDataError, match="outside"):
        check(changed(1, 0, 11.0 * (1 + 3e-6)))


@given(st.lists(st.one_of(st.none(), st.floats(0.01, 1e6)), min_size=2, max_size=30))
def test_skip_keeps_exactly_the_rows_with_a_price(prices: list[float | None]) -> None:
    known = [i + 1 for i, p in enumerate(prices) if p is not None]
    bars = closes(*(NAN if p is None else p for p in prices))
    if len(known) < 2:
        with pytest.raises(MarketDataError, match="2 are needed"):
            check(bars, "skip")
    else:
        assert check(bars, "skip").rows.tolist() == known
