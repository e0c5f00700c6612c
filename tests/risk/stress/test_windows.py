from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from nt_ray.errors import RiskError
from nt_ray.market.embedded import load_embedded
from nt_ray.risk.stress.windows import WINDOWS, Window, own_window, replay

DAY = 86_400_000_000_000


def days(first: date, count: int) -> np.ndarray:
    start = datetime(first.year, first.month, first.day, tzinfo=UTC)
    return np.array([int((start + timedelta(days=k)).timestamp()) * 10**9 for k in range(count)])


@pytest.fixture(scope="module")
def index() -> tuple[np.ndarray, np.ndarray]:
    panel = load_embedded("sp500-index")
    return panel.closes[1:] / panel.closes[:-1] - 1.0, panel.timestamps[1:]


def test_the_index_lost_in_each_crisis_what_is_commonly_reported(index: tuple[np.ndarray, np.ndarray]) -> None:
    # Price index, close to close: -19.3 % in 1998, -49.1 % to 2002, -56.8 % to 2009, -33.9 % in 2020.
    found = {row.name: row for row in replay(*index, np.ones(1))}
    expected = {
        "ltcm_1998": 0.193,
        "dot_com_2000_2002": 0.491,
        "financial_crisis_2007_2009": 0.568,
        "us_downgrade_2011": 0.168,
        "late_2018": 0.198,
        "covid_2020": 0.339,
    }
    for name, loss in expected.items():
        assert found[name].covered
        assert found[name].loss == pytest.approx(loss, abs=6e-4)
    assert [row.name for row in found.values()] == [window.name for window in WINDOWS]


def test_a_window_before_the_data_is_not_covered_and_has_no_loss(index: tuple[np.ndarray, np.ndarray]) -> None:
    crash = replay(*index, np.ones(1))[0]
    assert crash.name == "black_monday_1987"
    assert not crash.covered
    assert crash.loss is None
    assert crash.by_asset is None
    assert "begin on 1990-01-03" in crash.reason


def test_a_book_is_bought_at_the_first_close_and_left_alone() -> None:
    returns = np.array([[0.0, 0.0], [-0.5, 0.1], [1.0, -0.2], [0.3, 0.3]])
    window = own_window("own", date(2020, 1, 1), date(2020, 1, 3))
    row = replay(returns, days(date(2020, 1, 1), 4), np.array([0.6, -0.4]), windows=[window])[0]
    # Closes: first 1, 0.5, 1; second 1, 1.1, 0.88.
    assert row.by_asset == pytest.approx([0.0, -0.4 * 0.12], abs=1e-15)
    assert row.loss == pytest.approx(-0.048, abs=1e-15)
    assert row.worst_loss == pytest.approx(0.6 * 0.5 + 0.4 * 0.1, abs=1e-15)
    assert row.worst_day == pytest.approx(0.34, abs=1e-15)
    assert row.periods == 2


def test_a_close_before_the_first_return_may_be_named() -> None:
    window = own_window("own", date(2020, 1, 1), date(2020, 1, 3))
    data = np.full((2, 1), -0.1), days(date(2020, 1, 2), 2), np.ones(1)
    assert not replay(*data, windows=[window])[0].covered
    row = replay(*data, windows=[window], since=datetime(2020, 1, 1, tzinfo=UTC))[0]
    assert row.loss == pytest.approx(0.19, abs=1e-15)


def test_gaps_missing_assets_and_early_ends_leave_a_window_uncovered() -> None:
    window = own_window("own", date(2020, 1, 1), date(2020, 1, 20))
    whole = days(date(2020, 1, 1), 25)
    values = np.zeros((25, 2))
    gap = np.r_[0:5, 14:25]
    assert "no return between 2020-01-05 and 2020-01-15" in (
        replay(values[gap], whole[gap], np.ones(2), windows=[window])[0].reason
    )
    assert "end on 2020-01-10" in replay(values[:10], whole[:10], np.ones(2), windows=[window])[0].reason
    values[7, 1] = np.nan
    row = replay(values, whole, np.ones(2), names=("A", "B"), windows=[window])[0]
    assert row.reason == "B lacks returns inside the window"
    # An asset that is not held may lack returns, and so may any outside the window.
    assert replay(values, whole, np.array([1.0, 0.0]), windows=[window])[0].covered
    assert replay(values, whole, np.ones(2), windows=[own_window("late", date(2020, 1, 9), date(2020, 1, 20))])[
        0
    ].covered


def test_windows_are_in_order_and_named_once() -> None:
    assert len({window.name for window in WINDOWS}) == len(WINDOWS)
    assert all(window.start < window.end and window.start.weekday() < 5 > window.end.weekday() for window in WINDOWS)


def test_bad_panels_are_refused() -> None:
    window = [Window("own", date(2020, 1, 1), date(2020, 1, 3), "")]
    with pytest.raises(RiskError, match="one time a period"):
        replay(np.zeros((3, 1)), days(date(2020, 1, 1), 2), np.ones(1), windows=window)
    with pytest.raises(RiskError, match="not increasing"):
        replay(np.zeros((2, 1)), days(date(2020, 1, 1), 2)[::-1], np.ones(1), windows=window)
    with pytest.raises(RiskError, match="infinite or below -1"):
        replay(np.full((2, 1), -2.0), days(date(2020, 1, 1), 2), np.ones(1), windows=window)
    with pytest.raises(RiskError, match="no time zone"):
        replay(np.zeros((2, 1)), days(date(2020, 1, 1), 2), np.ones(1), windows=window, since=datetime(2020, 1, 1))  # noqa: DTZ001
    with pytest.raises(RiskError, match="a start before its end"):
        own_window("own", date(2020, 1, 3), date(2020, 1, 3))
