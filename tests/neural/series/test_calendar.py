import numpy as np
import pandas as pd
import pytest

from nt_ray.neural.series.calendar import CALENDAR, calendar, times_after
from nt_ray.neural.series.spacing import frequency_of

PANDAS = {
    "minute": "minute", "hour": "hour", "weekday": "day_of_week", "day": "day", "day_of_year": "day_of_year",
    "month": "month", "quarter": "quarter",
}  # fmt: skip


def us(times: pd.DatetimeIndex) -> np.ndarray:
    return times.to_numpy().astype("datetime64[us]")


def test_what_a_time_has_by_itself_is_what_pandas_says() -> None:
    assert PANDAS.keys() == CALENDAR.keys()
    times = pd.date_range("1969-11-30", "2021-03-06", freq="4217min")
    found = calendar(us(times), tuple(PANDAS))
    for column, name in enumerate(PANDAS.values()):
        np.testing.assert_array_equal(found[:, column], getattr(times, name), err_msg=name)


@pytest.mark.parametrize(
    "every",
    [
        pd.bdate_range("2020-01-01", "2020-05-29"),
        pd.date_range("2020-01-01", "2020-05-29", freq="D"),
        pd.date_range("2020-01-03", "2020-05-29", freq="W-FRI"),
        pd.date_range("2020-01-31 21:00", "2024-10-31 21:00", freq="ME"),
        pd.date_range("2020-01-01", "2024-10-01", freq="QS"),
        pd.date_range("2020-01-01", "2020-02-10", freq="4h"),
        pd.DatetimeIndex([t for t in pd.date_range("2020-01-01", "2020-02-14", freq="30min")
                          if t.day_of_week < 5 and 14 <= t.hour < 21]),
    ],
    ids=["business days", "days", "weeks", "months", "quarters", "hours", "sessions"],
)  # fmt: skip
def test_times_to_come_are_those_that_came(every: pd.DatetimeIndex) -> None:
    times = us(every)
    for known in (len(times) - 9, len(times) - 4):
        seen = times[:known]
        np.testing.assert_array_equal(times_after(seen, 4, frequency_of(seen)), times[known : known + 4])


@pytest.mark.parametrize("minutes", [1, 5, 60])
@pytest.mark.parametrize("count", [1, 3, 500])
def test_a_session_goes_on_after_the_night_and_the_weekend_however_short_its_bars(minutes: int, count: int) -> None:
    days = pd.bdate_range("2026-01-05", "2026-03-20")
    clock = pd.timedelta_range("9h30min", "15h59min", freq=f"{minutes}min")
    times = us(pd.DatetimeIndex([day + at for day in days for at in clock]))
    # Within a session, its last bar but one, and its last bar, of a Thursday and of a Friday.
    for day in (3, 4):
        for known in (len(clock) * (10 + day) + place for place in (3, len(clock) - 1, len(clock))):
            wanted = times[known : known + count]
            assert len(wanted) == count or minutes == 60
            found = times_after(times[:known], count, frequency_of(times[:known]))
            np.testing.assert_array_equal(found[: len(wanted)], wanted)
            assert len(found) == count


def test_rows_at_odd_times_go_on_at_their_median_spacing() -> None:
    times = np.datetime64("2020-01-01", "us") + np.array([0, 61, 119, 180]) * np.timedelta64(1, "s")
    found = times_after(times, 2, frequency_of(times))
    np.testing.assert_array_equal(found - times[-1], np.array([61, 122]) * np.timedelta64(1, "s"))
