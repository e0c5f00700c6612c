from datetime import UTC, date, datetime, timedelta, timezone

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nt_ray.errors import MarketDataError
from nt_ray.market.times import parse_times


def nanoseconds(*moments: datetime) -> list[int]:
    return [int(m.timestamp()) * 1_000_000_000 + m.microsecond * 1000 for m in moments]


DAY = datetime(2020, 2, 14, tzinfo=UTC)


@pytest.mark.parametrize(
    "cell",
    [
        "2020-02-14",
        "2020/2/14",
        "20200214",
        "2/14/2020",
        "14/02/2020",
        "14.02.2020",
        "14-Feb-2020",
        "Feb 14, 2020",
        " 2020-02-14 ",
        "2020-02-14 00:00:00",
        "2020-02-14T00:00:00Z",
        "1581638400",
        "1581638400000",
        "2020-02-14 00:00:00+00:00",
        "1581638400000000",
        "1581638400000000000",
        "1581638400.0",
    ],
)
def test_dates_in_common_forms_are_midnight_utc(cell: str) -> None:
    assert parse_times(pl.Series([cell]), "f").tolist() == nanoseconds(DAY)


def test_times_with_an_offset_become_utc() -> None:
    cells = pl.Series(["2020-02-14 09:30:00-05:00", "2020-07-14T09:30:00.250-0400"])
    expected = nanoseconds(datetime(2020, 2, 14, 14, 30, tzinfo=UTC), datetime(2020, 7, 14, 13, 30, 0, 250_000, UTC))
    assert parse_times(cells, "f").tolist() == expected


def test_times_of_day_without_a_zone_take_the_given_one_across_summer_time() -> None:
    cells = pl.Series(["2020-02-14 16:00", "2020-07-14 16:00"])
    expected = nanoseconds(datetime(2020, 2, 14, 21, tzinfo=UTC), datetime(2020, 7, 14, 20, tzinfo=UTC))
    assert parse_times(cells, "f", "America/New_York").tolist() == expected
    naive = pl.Series([datetime(2020, 2, 14, 16), datetime(2020, 7, 14, 16)])  # noqa: DTZ001
    assert parse_times(naive, "f", "America/New_York").tolist() == expected


def test_dates_alone_are_utc_days_whatever_the_zone() -> None:
    assert parse_times(pl.Series(["2020-02-14"]), "f", "Asia/Tokyo").tolist() == nanoseconds(DAY)
    assert parse_times(pl.Series([date(2020, 2, 14)]), "f").tolist() == nanoseconds(DAY)
    assert parse_times(pl.Series([20200214]), "f").tolist() == nanoseconds(DAY)


def test_typed_datetimes_of_any_unit_and_zone_are_read() -> None:
    for unit in ("ms", "us", "ns"):
        column = pl.Series([DAY.astimezone(timezone(timedelta(0)))], dtype=pl.Datetime(unit, "UTC"))
        assert parse_times(column.dt.convert_time_zone("Asia/Tokyo"), "f").tolist() == nanoseconds(DAY)


@pytest.mark.parametrize("unit", [1, 1_000, 1_000_000, 1_000_000_000])
def test_epoch_numbers_of_any_unit_are_told_by_their_size(unit: int) -> None:
    for second in (1_000_000_000, 9_000_000_000):
        assert parse_times(pl.Series([str(second * unit)]), "f").tolist() == [second * 1_000_000_000]
        assert parse_times(pl.Series([second * unit]), "f").tolist() == [second * 1_000_000_000]


def test_all_cells_together_decide_between_month_first_and_day_first() -> None:
    assert parse_times(pl.Series(["1/2/2020", "1/31/2020"]), "f")[0] == nanoseconds(datetime(2020, 1, 2, tzinfo=UTC))[0]
    assert parse_times(pl.Series(["1/2/2020", "31/1/2020"]), "f")[0] == nanoseconds(datetime(2020, 2, 1, tzinfo=UTC))[0]


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["1/2/2020", "1/3/2020"], "month first or day first"),
        (["2020-01-01", None], "row 2 is empty"),
        (["2020-01-01", "yesterday"], "'yesterday' in row 2 is not a date or time"),
        (["2020-01-01", "2020-02-30"], "'2020-02-30' in row 2 is not a date in the form"),
        (["1/31/2020", "31/1/2020"], "row . is not a date in the form of the others"),
        (["2020-01-01", "5.1.2020"], "row 2 is not a date in the form of the others"),
        (
            ["2020-01-01 09:30", "2020-01-01 09:31"],
            '09:30.* row 1 has a time of day but no zone. Set timezone = "Am',
        ),
        (["2020-01-01 09:30Z", "2020-01-01 09:31"], "row 2 has no zone while other rows"),
        (["2020-01-01 25:00Z"], "is not a time of day"),
        (["1581638400", "n"], "row 2 is not a number of seconds"),
        ([1.5], "holds Float64"),
        (["2020-01-01", "1066-10-14"], "'1066-10-14' in row 2 lies outside the years 1678 to 2261"),
        ([date(2020, 1, 1), date(2300, 1, 1)], "row 2 lies outside the years"),
        ([datetime(2300, 1, 1, tzinfo=UTC)], "row 1 lies outside the years"),
    ],
)
def test_times_that_cannot_be_read_name_row_cell_and_remedy(cells: list[object], message: str) -> None:
    with pytest.raises(MarketDataError, match=message):
        parse_times(pl.Series("time", cells), "f")


def test_a_time_that_the_zone_skips_or_repeats_is_an_error() -> None:
    for cell in ("2020-03-08 02:30", "2020-11-01 01:30"):
        with pytest.raises(MarketDataError, match="does not exist, or exists twice, in America/New_York"):
            parse_times(pl.Series([cell]), "f", "America/New_York")


def test_an_unknown_zone_is_an_error() -> None:
    with pytest.raises(MarketDataError, match="'Mars/Olympus' is unknown"):
        parse_times(pl.Series(["2020-01-01"]), "f", "Mars/Olympus")


ZONES = st.sampled_from([UTC, timezone(timedelta(hours=-5))])
MOMENTS = st.integers(0, 7_000_000_000_000_000).flatmap(
    lambda us: ZONES.map(lambda zone: (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)).astimezone(zone))
)


@given(st.lists(MOMENTS, min_size=1, max_size=20))
def test_iso_text_is_read_back_exactly(moments: list[datetime]) -> None:
    assert parse_times(pl.Series([m.isoformat() for m in moments]), "f").tolist() == nanoseconds(*moments)
