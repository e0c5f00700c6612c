"""Bars as they are told: exact text, the time at which they were complete, and only those that are new."""

import json
import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nt_ray.market.bars import BarPanel, Instrument
from nt_ray.trader.bar_reading import BarReading, bars_at, exact, interval_of, of_symbols, time_of

DAY = datetime(2026, 1, 2, tzinfo=UTC)


def panel(seconds: float, rows: int = 3, start: datetime = DAY) -> BarPanel:
    times = np.array([int(start.timestamp()) * 10**9 + int(seconds * 1e9) * row for row in range(rows)])
    values = np.arange(rows * 2 * 5, dtype=np.float64).reshape(rows, 2, 5) / 8
    return BarPanel((Instrument("KO"), Instrument("O'BRIEN")), times, values)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_text_of_a_price_is_exactly_its_float(value: float) -> None:
    text = exact(value)
    assert text is not None
    assert float(text) == value
    assert "e" not in text.lower()


def test_what_is_no_number_has_no_text() -> None:
    assert [exact(value) for value in (math.nan, math.inf, -math.inf)] == [None, None, None]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(86_400, "1d"), (14_400, "4h"), (300, "5m"), (60, "1m"), (30, "30s"), (604_800, "7d"), (5_400, "90m")],
)
def test_the_interval_is_the_usual_distance_of_bars(seconds: float, text: str) -> None:
    assert interval_of(panel(seconds, 9)) == text


def test_a_single_bar_has_no_interval() -> None:
    assert interval_of(panel(60, 1)) == ""


def test_a_row_is_told_symbol_by_symbol_and_missing_closes_are_left_out() -> None:
    bars = panel(86_400)
    values = bars.values.copy()
    values[1, 1, 3] = math.nan
    values[1, 0, 4] = math.nan
    (found,) = bars_at(BarPanel(bars.instruments, bars.timestamps, values), 1)
    told = found.news(DAY + timedelta(days=2), "run-1", "paper")
    assert (told.symbol, told.account, told.time) == ("KO", "paper", "2026-01-04T00:00:00+00:00")
    data = json.loads(told.data)
    assert data == {
        "time": "2026-01-03T00:00:00+00:00", "open": "1.25", "high": "1.375", "low": "1.5", "close": "1.625",
        "volume": None, "interval": "1d", "source": "run-1",
    }  # fmt: skip
    assert Decimal(data["close"]) == Decimal("1.625")


@given(st.integers(0, 4_000_000_000 * 10**9))
def test_the_time_of_a_row_is_exact_to_the_microsecond(nanoseconds: int) -> None:
    found = time_of(BarPanel((Instrument("KO"),), np.array([nanoseconds]), np.zeros((1, 1, 5))), 0)
    assert (found - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) == nanoseconds // 1000


def test_a_bar_is_told_once() -> None:
    def bar(symbol: str, minute: int) -> BarReading:
        return BarReading(symbol, DAY + timedelta(minutes=minute), (1.0,) * 5, "1m")

    found = [bar("KO", 1), bar("KO", 2), bar("PEP", 1)]
    assert of_symbols(found, {}) == found
    assert of_symbols(found, {"KO": bar("KO", 1).time.isoformat()}) == found[1:]
    assert of_symbols(found, {"KO": bar("KO", 2).time.isoformat(), "PEP": bar("PEP", 1).time.isoformat()}) == []
