from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from nt_ray.risk.flow import Flow

NOW = datetime(2026, 1, 2, tzinfo=UTC)


@given(st.lists(st.integers(0, 50), max_size=40), st.integers(1, 20), st.integers(0, 60))
def test_a_window_counts_what_a_list_of_times_counts(gaps: list[int], most: int, age: int) -> None:
    flow, times, now = Flow(), [], NOW
    for gap in gaps:
        now += timedelta(seconds=gap)
        times.append(now)
        flow.sent("a", now)
        flow.filled("a", now)
    since = now - timedelta(seconds=age)
    younger = sum(time > since for time in times)
    window = timedelta(seconds=age)
    assert flow.is_busy("a", most, now, window) == flow.is_busy("", most, now, window) == (younger >= most)
    assert flow.is_repeating("a", most, since) == (younger > most)


def test_what_was_only_reserved_is_taken_back() -> None:
    flow = Flow()
    flow.sent("a", NOW)
    flow.sent("a", NOW)
    flow.unsent("a", 1)
    second = timedelta(seconds=1)
    assert flow.is_busy("a", 1, NOW, second)
    assert not flow.is_busy("a", 2, NOW, second)
    assert not flow.is_busy("", 2, NOW, second)


def test_executions_count_anew_after_a_restart() -> None:
    flow = Flow()
    flow.filled("a", NOW)
    flow.filled("a", NOW)
    before = NOW - timedelta(seconds=1)
    assert flow.is_repeating("a", 1, before)
    flow.restart("a")
    assert not flow.is_repeating("a", 0, before)
