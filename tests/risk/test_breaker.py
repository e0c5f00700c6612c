from datetime import UTC, datetime
from decimal import Decimal

import pytest

from nt_ray.risk.breaker import Breaker, BreakerState
from nt_ray.risk.limits import RiskLimits

MONDAY = datetime(2026, 1, 5, 15, tzinfo=UTC)
TUESDAY = datetime(2026, 1, 6, 0, tzinfo=UTC)
LIMITS = RiskLimits(max_daily_loss=0.05, max_drawdown=0.2)


def started(equity: int = 1000) -> Breaker:
    return Breaker().deposit(Decimal(equity)).begin_day(MONDAY, Decimal(equity)).mark(Decimal(equity))


@pytest.mark.parametrize(
    ("equity", "rules"), [("950.01", []), ("950", ["daily_loss"]), ("800", ["daily_loss", "drawdown"])]
)
def test_a_loss_trips_when_it_reaches_its_limit(equity: str, rules: list[str]) -> None:
    assert [trip.rule for trip in started().new_trips(Decimal(equity), LIMITS)] == rules


def test_drawdown_counts_from_the_highest_equity_over_many_days() -> None:
    breaker = started().mark(Decimal(1250)).begin_day(TUESDAY, Decimal(1020))
    assert [t.rule for t in breaker.new_trips(Decimal(1000), LIMITS)] == ["drawdown"]


def test_the_daily_loss_clears_with_the_next_utc_day_and_the_drawdown_does_not() -> None:
    breaker = started().trip("daily_loss").trip("drawdown")
    assert breaker.begin_day(MONDAY.replace(hour=23), Decimal(800)).tripped == {"daily_loss", "drawdown"}
    after = breaker.begin_day(TUESDAY, Decimal(800))
    assert after.tripped == {"drawdown"}
    assert after.day_start_equity == 800


def test_what_has_tripped_does_not_trip_again() -> None:
    assert started().trip("daily_loss").new_trips(Decimal(940), LIMITS) == []


def test_after_a_reset_losses_count_anew() -> None:
    breaker = started().trip("drawdown").reset(Decimal(700))
    assert breaker.tripped == frozenset()
    assert breaker.new_trips(Decimal(666), LIMITS) == []
    assert [t.rule for t in breaker.new_trips(Decimal(665), LIMITS)] == ["daily_loss"]


def test_capital_that_comes_or_goes_is_neither_profit_nor_loss() -> None:
    breaker = started().deposit(Decimal(-500))
    assert breaker.new_trips(Decimal(500), LIMITS) == []
    assert [t.rule for t in breaker.new_trips(Decimal(475), LIMITS)] == ["daily_loss"]


def test_without_capital_nothing_trips() -> None:
    assert Breaker().new_trips(Decimal(0), LIMITS) == []


def test_a_trip_opens_then_halves_and_closes_by_hand() -> None:
    breaker = started()
    assert breaker.state is BreakerState.CLOSED
    opened = breaker.trip("drawdown")
    assert opened.state is BreakerState.OPEN
    halved = opened.halve()
    assert halved.state is BreakerState.HALF_OPEN
    assert halved.begin_day(TUESDAY, Decimal(800)).state is BreakerState.HALF_OPEN
    assert halved.trip("daily_loss").state is BreakerState.OPEN
    assert halved.reset(Decimal(800)).state is BreakerState.CLOSED


def test_a_breaker_that_did_not_trip_cannot_be_half_open() -> None:
    assert started().halve().state is BreakerState.CLOSED


def test_a_daily_loss_may_be_left_to_a_person() -> None:
    breaker = started().trip("daily_loss").halve()
    assert breaker.begin_day(TUESDAY, Decimal(900), by_hand=True).state is BreakerState.HALF_OPEN
    assert breaker.begin_day(TUESDAY, Decimal(900)).state is BreakerState.CLOSED


def test_a_breaker_trips_as_often_as_losses_do() -> None:
    breaker = started()
    for equity in range(940, 500, -60):
        assert [t.rule for t in breaker.new_trips(Decimal(equity), LIMITS)][:1] == ["daily_loss"]
        breaker = breaker.trip("daily_loss").reset(Decimal(equity))
