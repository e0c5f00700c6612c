from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import numpy as np
import pytest

from nt_ray.reports.formats import UNDEFINED, day, exact, label, money, number, percent, stamps, text


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (percent(0.12345), "12.35 %"),
        (percent(-0.5, 1), "−50.0 %"),
        (percent(-0.000001), "0.00 %"),
        (percent(None), UNDEFINED),
        (number(float("nan")), UNDEFINED),
        (number(float("inf")), UNDEFINED),
        (number(1234567.0, 0), "1,234,567"),
        (money(-1234.5), "−1,234.50"),
        (exact(Decimal("10.5000")), "10.5"),
        (exact(Decimal("100")), "100"),
        (exact(0.1 + 0.2), "0.3"),
        (exact(None), UNDEFINED),
        (text('<b a="1">'), "&lt;b a=&quot;1&quot;&gt;"),
        (label("<b>&"), "&lt;b&gt;&amp;"),
        (day(None), UNDEFINED),
        (day(datetime(2020, 1, 2, tzinfo=UTC)), "2020-01-02"),
        (day(datetime(2020, 1, 2, 9, tzinfo=timezone(timedelta(hours=-5)))), "2020-01-02 14:00"),
    ],
)
def test_values_are_shown_as_a_reader_expects(shown: str, expected: str) -> None:
    assert shown == expected


def test_stamps_are_days_or_seconds() -> None:
    days = np.array(["2020-01-02", "2020-01-03"], dtype="datetime64[ns]").astype(np.int64)
    assert stamps(days) == ["2020-01-02", "2020-01-03"]
    assert stamps(days + 3_600_000_000_000) == ["2020-01-02T01:00:00", "2020-01-03T01:00:00"]
