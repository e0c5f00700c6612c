"""The history of equity, by hand: spans, hours, profit and loss without what was paid in."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from deployments.gateway.alpaca.portfolio import Span, written
from deployments.gateway.alpaca.refusals import InvalidError
from deployments.gateway.backend.accounts import AccountDoor
from nt_ray.trader.history import Booking
from nt_ray.trader.live_readings import Activity, EquityCurve
from nt_ray.trader.worth import Worth

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)


def curve(
    *samples: tuple[datetime, int], before: int | None = None, paid: tuple[tuple[datetime, int], ...] = ()
) -> EquityCurve:
    def exact(pairs: object) -> tuple[tuple[datetime, Decimal], ...]:
        return tuple((time, Decimal(value)) for time, value in pairs)  # type: ignore[attr-defined]

    return EquityCurve(exact(samples), None if before is None else Decimal(before), exact(paid))


@pytest.mark.parametrize(
    ("period", "timeframe"),
    [("1D", "1Min"), ("6D", "1Min"), ("1W", "15Min"), ("29D", "15Min"), ("1M", "1D"), ("1A", "1D")],
)
def test_the_timeframe_follows_the_length(period: str, timeframe: str) -> None:
    assert Span.of(period, None, None, MONDAY).timeframe == timeframe
    assert Span.of(period, "1H", None, MONDAY).timeframe == "1H"
    assert Span.of(None, None, None, MONDAY).start == MONDAY - timedelta(days=30)


def test_a_period_and_a_start_exclude_each_other_and_time_runs_forward() -> None:
    with pytest.raises(InvalidError):
        Span.of("1M", None, MONDAY, MONDAY)
    with pytest.raises(InvalidError):
        Span.of(None, None, MONDAY + timedelta(1), MONDAY)


def test_a_deposit_is_no_profit() -> None:
    days = [MONDAY + timedelta(days=n) for n in range(3)]
    noon = MONDAY + timedelta(days=1, hours=12)
    found = written(
        curve((days[0], 1010), (days[1], 1520), (days[2], 1490), before=1000, paid=((noon, 500),)),
        Span(MONDAY, days[2], "1D"), "market_hours", resets=True,
    )  # fmt: skip
    assert (found["base_value"], found["profit_loss"]) == (1000.0, [10.0, 20.0, -10.0])
    assert found["profit_loss_pct"] == [0.01, 0.02, -0.01]
    assert found["timestamp"][0] == int(MONDAY.timestamp())


def test_an_account_that_begins_within_the_span_has_its_first_value_as_base() -> None:
    opened = MONDAY + timedelta(hours=10)
    found = written(
        curve((MONDAY, 1000), (MONDAY + timedelta(days=1), 1100), paid=((opened, 1000),)),
        Span(MONDAY, MONDAY + timedelta(days=1), "1D"), "market_hours", resets=False,
    )  # fmt: skip
    assert (found["base_value"], found["profit_loss"]) == (1000.0, [0.0, 100.0])


def test_intraday_values_are_grouped_kept_to_the_session_and_count_from_the_day_before() -> None:
    opens = MONDAY + timedelta(hours=14, minutes=30)
    samples = [
        (opens - timedelta(hours=1), 990), (opens, 1001), (opens + timedelta(minutes=4), 1002),
        (opens + timedelta(minutes=5), 1003), (opens + timedelta(days=1), 1010),
    ]  # fmt: skip
    span = Span(MONDAY, MONDAY + timedelta(days=2), "5Min")
    found = written(curve(*samples, before=1000), span, "market_hours", resets=True)
    assert found["equity"] == [1002.0, 1003.0, 1010.0]
    assert found["profit_loss"] == [2.0, 3.0, 7.0]
    assert written(curve(*samples, before=1000), span, "market_hours", resets=False)["profit_loss"] == [2.0, 3.0, 10.0]
    assert written(curve(*samples, before=1000), span, "extended_hours", resets=True)["equity"][0] == 990.0
    assert len(written(curve(*samples, before=1000), span, "continuous", resets=True)["equity"]) == 4
    assert written(curve(), span, "continuous", resets=True)["base_value"] is None


def test_money_that_moved_stands_at_the_value_in_whose_span_it_did() -> None:
    days = [(MONDAY + timedelta(days=n), 1000) for n in range(3)]
    hour = timedelta(hours=1)
    moved = [(MONDAY - hour, 1), (MONDAY, 2), (MONDAY + hour, 4), (MONDAY + timedelta(days=2, hours=5), 8)]
    flows = {"CSD": [(time, Decimal(amount)) for time, amount in moved], "DIV": []}
    found = written(curve(*days), Span(MONDAY, days[2][0], "1D"), "market_hours", resets=True, flows=flows)
    assert found["cashflow"] == {"CSD": [6.0, 0.0, 8.0], "DIV": [0.0, 0.0, 0.0]}


NOON = timedelta(hours=12)


class PaidIn:
    """An account of 1,000 that was paid in 500 at six in the evening of Tuesday, and by which nobody has won."""

    def __init__(self) -> None:
        self.worth = Worth()
        for hour in range(48):
            if hour == 24 + 18:
                self.worth.deposited(MONDAY + timedelta(hours=hour), Decimal(1500))
            self.worth.note(MONDAY + timedelta(hours=hour), Decimal(1000 if hour < 24 + 18 else 1500))

    async def names(self) -> list[str]:
        return ["paper"]

    def account(self, name: str) -> AccountDoor:
        async def call(method: str, *arguments: Any) -> Any:
            if method == "activities":
                found = [Activity(1, Booking(MONDAY + timedelta(hours=24 + 18), "in-1", "deposit", Decimal(500)))]
                return [one for one in found if one.time <= arguments[0].until]
            start, end, by_day = arguments
            samples = self.worth.days(start, end) if by_day else self.worth.minutes(start, end)
            since, before = self.worth.before(start) or (start, None)
            return EquityCurve(tuple(samples), before, tuple(self.worth.paid_in(since, end)))

        return AccountDoor(name, call)


@pytest.mark.parametrize(
    ("asked", "equity", "paid"),
    [
        # Of Tuesday there is one value, that of its end, however early in it the span ends.
        ({"end": MONDAY + timedelta(days=1) + NOON, "timeframe": "1D"}, [1000.0, 1500.0], [0.0, 500.0]),
        ({"date_end": "2026-01-06", "timeframe": "1D"}, [1000.0, 1500.0], [0.0, 500.0]),
        ({"date_end": "2026-01-05", "timeframe": "1D"}, [1000.0], [0.0]),
        ({"end": MONDAY + timedelta(hours=24 + 17), "timeframe": "1H"}, [1000.0] * 42, [0.0] * 42),
        ({"end": MONDAY + timedelta(hours=24 + 18), "timeframe": "1H"}, [1000.0] * 42 + [1500.0], [0.0] * 42 + [500.0]),
    ],
)
def test_a_span_ends_with_its_day_and_what_is_paid_in_on_its_last_one_is_no_profit(
    open_desk: Any, asked: dict[str, Any], equity: list[float], paid: list[float]
) -> None:
    hours = {"start": MONDAY, "intraday_reporting": "continuous", "cashflow_types": "CSD", "pnl_reset": "no_reset"}
    given = {
        name: f"{value:%FT%TZ}" if isinstance(value, datetime) else value for name, value in (hours | asked).items()
    }
    with open_desk(accounts=PaidIn()).client() as http:
        told = http.get("/v2/account/portfolio/history", params=given).json()
    assert (told["equity"], told["cashflow"]) == (equity, {"CSD": paid})
    assert set(told["profit_loss"]) == {0.0}
