import numpy as np
import pytest

from nt_ray.neural.series.spacing import frequency_of


@pytest.mark.parametrize(
    ("step", "name"),
    [("1s", "1s"), ("250ms", "250ms"), ("15m", "15m"), ("90m", "90m"), ("1h", "1h"), ("24h", "1d"), ("7D", "1w")],
)
def test_even_steps_are_named_by_their_largest_unit(step: str, name: str) -> None:
    number, unit = int(step.rstrip("msDh")), step.lstrip("0123456789")
    times = np.datetime64("2026-03-01", "us") + np.arange(9) * np.timedelta64(number, unit)
    assert frequency_of(times) == name


def test_the_calendars_uneven_steps_have_names() -> None:
    months = np.arange("2020-01", "2024-01", dtype="datetime64[M]").astype("datetime64[us]")
    assert frequency_of(months) == "1mo"
    assert frequency_of(months[::3]) == "1q"
    assert frequency_of(months[::12]) == "1y"


def test_weekends_leave_business_days_daily() -> None:
    days = np.arange("2026-01-01", "2026-03-01", dtype="datetime64[D]")
    assert frequency_of(days[np.is_busday(days)].astype("datetime64[us]")) == "1d"


def test_one_row_has_no_spacing() -> None:
    assert frequency_of(np.array(["2026-01-01"], dtype="datetime64[us]")) == ""
