"""The rules against the days on which the S&P 500 was really computed, and the exchange's published hours."""

from datetime import UTC, date, datetime, time

import pytest

from nt_ray.market.embedded import load_embedded
from nt_ray.market.nyse import CLOSES_EARLY, easter, is_open, next_close, next_open, session, sessions


def test_the_rules_give_every_trading_day_of_thirty_three_years_of_the_index() -> None:
    panel = load_embedded("sp500-index")
    traded = [panel.time(row).date() for row in range(len(panel))]
    assert [found.day for found in sessions(traded[0], traded[-1])] == traded
    assert (traded[0].year, traded[-1].year) == (1990, 2022)


@pytest.mark.parametrize(
    ("day", "closes"),
    [
        # As nyse.com publishes them.
        ("2023-07-03", time(13)), ("2023-11-24", time(13)), ("2024-07-03", time(13)), ("2024-11-29", time(13)),
        ("2024-12-24", time(13)), ("2025-07-03", time(13)), ("2025-12-24", time(13)), ("2026-11-27", time(13)),
        ("2026-12-24", time(13)), ("2026-07-02", time(16)), ("2023-12-22", time(16)),
    ],
)  # fmt: skip
def test_published_early_closes(day: str, closes: time) -> None:
    found = session(date.fromisoformat(day))
    assert found is not None
    assert found.closes == closes


@pytest.mark.parametrize(
    "day",
    ["2025-01-09", "2026-04-03", "2026-06-19", "2026-07-03", "2026-09-07", "2026-11-26", "2026-12-25", "2027-12-24"],
)
def test_published_holidays(day: str) -> None:
    assert session(date.fromisoformat(day)) is None


def test_easter_of_years_whose_date_is_known() -> None:
    assert [easter(y) for y in (1818, 1961, 2000, 2011, 2024, 2038)] == [
        date(1818, 3, 22), date(1961, 4, 2), date(2000, 4, 23), date(2011, 4, 24), date(2024, 3, 31),
        date(2038, 4, 25),
    ]  # fmt: skip


def test_the_session_follows_daylight_saving_time() -> None:
    winter, summer = session(date(2026, 1, 5)), session(date(2026, 7, 6))
    assert winter is not None
    assert summer is not None
    assert (winter.start, winter.end) == (
        datetime(2026, 1, 5, 14, 30, tzinfo=UTC), datetime(2026, 1, 5, 21, tzinfo=UTC)
    )  # fmt: skip
    assert summer.start == datetime(2026, 7, 6, 13, 30, tzinfo=UTC)


def test_the_next_opening_and_close_skip_what_is_closed() -> None:
    black_friday = datetime(2026, 11, 27, 18, tzinfo=UTC)
    assert not is_open(black_friday)
    assert session(black_friday.date()).closes == CLOSES_EARLY  # type: ignore[union-attr]
    assert next_open(black_friday) == datetime(2026, 11, 30, 14, 30, tzinfo=UTC)
    assert next_close(black_friday) == datetime(2026, 11, 30, 21, tzinfo=UTC)
    just_before = datetime(2026, 11, 27, 17, 59, 59, tzinfo=UTC)
    assert is_open(just_before)
    assert next_close(just_before) == black_friday
    attack = datetime(2001, 9, 10, 21, tzinfo=UTC)
    assert next_open(attack) == datetime(2001, 9, 17, 13, 30, tzinfo=UTC)
