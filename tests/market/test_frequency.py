from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from nt_ray.market.frequency import periods_per_year


def times(start: str, every: str, count: int) -> np.ndarray:
    first, last = datetime.fromisoformat(f"{start}T00:00Z"), datetime(2100, 1, 1, tzinfo=UTC)
    column = pl.datetime_range(first, last, every, eager=True)
    return column.head(count).cast(pl.Datetime("ns", "UTC")).cast(pl.Int64).to_numpy()


def business_days(count: int) -> np.ndarray:
    days = times("2020-01-01", "1d", count * 2)
    return days[np.isin(days // 86_400_000_000_000 % 7, [4, 5, 6, 0, 1])][:count]


@pytest.mark.parametrize(
    ("every", "count", "expected"),
    [
        ("1d", 50, 365.0),
        ("1w", 30, 52.0),
        ("1mo", 30, 12.0),
        ("1q", 12, 4.0),
        ("1y", 5, 1.0),
        ("1h", 24 * 15, 24 * 365.0),
        ("10d", 20, 36.525),
    ],
)
def test_regular_bars_count_as_their_spacing_says(every: str, count: int, expected: float) -> None:
    assert periods_per_year(times("2020-01-01", every, count)) == pytest.approx(expected)


@pytest.mark.parametrize("count", [5, 6, 10, 100, 1000])
def test_business_days_are_252_however_many_there_are(count: int) -> None:
    assert periods_per_year(business_days(count)) == 252.0


def test_an_exchange_that_trades_on_one_day_of_the_weekend_is_an_exchange() -> None:
    days = times("2020-01-01", "1d", 200)
    assert periods_per_year(days[days // 86_400_000_000_000 % 7 != 2]) == 252.0
    assert periods_per_year(days[days // 86_400_000_000_000 % 7 != 3]) == 252.0


def test_daily_bars_in_local_time_shift_with_summer_time_and_stay_252() -> None:
    days = business_days(260)
    summer = (days > days[60]) & (days < days[200])
    assert periods_per_year(days + np.where(summer, 4, 5) * 3_600_000_000_000) == 252.0


def test_half_hour_bars_of_a_session_count_thirteen_a_day() -> None:
    session = (np.arange(13) * 30 + 870) * 60_000_000_000
    bars = (business_days(12)[:, None] + session[None, :]).ravel()
    assert periods_per_year(bars) == 13 * 252.0
    assert periods_per_year(bars[5:-3]) == 13 * 252.0


def test_one_bar_says_nothing() -> None:
    assert periods_per_year(times("2020-01-01", "1d", 1)) == 252.0
