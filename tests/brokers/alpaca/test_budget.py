import pytest
from hypothesis import given
from hypothesis import strategies as st

from nt_ray.brokers.alpaca.budget import WINDOW_S, Budget
from nt_ray.brokers.base import RateLimitedError
from nt_ray.errors import ConfigError


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def granted(budget: Budget, *, urgent: bool) -> bool:
    try:
        budget.take(urgent=urgent)
    except RateLimitedError:
        return False
    return True


@given(
    st.integers(2, 12),
    st.integers(0, 5),
    st.lists(st.tuples(st.floats(0, 40), st.booleans()), min_size=1, max_size=80),
)
def test_no_window_of_a_minute_holds_more_than_it_may(
    limit: int, reserve: int, asked: list[tuple[float, bool]]
) -> None:
    reserve = min(reserve, limit - 1)
    clock = Clock()
    budget = Budget(limit, reserve, clock)
    made: list[tuple[float, bool]] = []
    for pause, urgent in asked:
        clock.now += pause
        recent = [u for t, u in made if t > clock.now - WINDOW_S]
        allowed = len(recent) < (limit if urgent else limit - reserve)
        assert granted(budget, urgent=urgent) is allowed
        if allowed:
            made.append((clock.now, urgent))


def test_a_spent_budget_says_when_it_is_there_again() -> None:
    clock = Clock()
    budget = Budget(10, 2, clock)
    for second in range(8):
        clock.now = float(second)
        budget.take()
    with pytest.raises(RateLimitedError, match="Ask again after 53") as limited:
        budget.take()
    assert limited.value.retry_after == 53.0
    assert granted(budget, urgent=True)
    clock.now += 53.0
    assert granted(budget, urgent=False) is False
    clock.now = 61.0
    assert granted(budget, urgent=False)


def test_what_others_spend_is_counted() -> None:
    clock = Clock()
    budget = Budget(200, 20, clock)
    budget.take()
    budget.observe(25)
    assert [granted(budget, urgent=False) for _ in range(6)] == [True] * 5 + [False]
    budget.observe(150)
    assert not granted(budget, urgent=False)


def test_what_the_venue_says_is_left_counts_whatever_its_limit_is() -> None:
    budget = Budget(200, 20, Clock(), orders=50)
    budget.observe(900, 1000)
    assert (budget.left().cancels, budget.left().limit) == (200, 200)
    budget.observe(30, 1000)
    assert (budget.left().cancels, budget.left().orders, budget.left().questions) == (30, 10, 0)
    # Of a lower limit the same parts are kept.
    clock = Clock()
    budget = Budget(10**9, 10**8, clock, orders=25 * 10**7)
    budget.observe(100, 100)
    assert (budget.left().cancels, budget.left().orders, budget.left().questions) == (100, 90, 65)
    for _ in range(65):
        budget.take()
    with pytest.raises(RateLimitedError):
        budget.take()
    clock.now = 60.0
    assert budget.left().questions == 65


def test_the_venue_can_close_it() -> None:
    clock = Clock()
    budget = Budget(200, 20, clock)
    budget.close_for(3.0)
    assert not granted(budget, urgent=False)
    assert granted(budget, urgent=True)
    assert (budget.left().cancels, budget.left().questions) == (199, 0)
    clock.now = 3.0
    assert granted(budget, urgent=False)


def test_a_cancel_waits_only_after_one_was_turned_away_each_time_twice_as_long() -> None:
    clock = Clock()
    budget = Budget(200, 20, clock)
    for pause in (0.5, 1.0, 2.0, 4.0, 8.0, 8.0):
        budget.close_for(60.0, urgent=True)
        assert not granted(budget, urgent=True)
        assert budget.left().cancels == 0
        clock.now += pause - 0.125
        assert not granted(budget, urgent=True)
        clock.now += 0.125
        assert granted(budget, urgent=True)
        assert not granted(budget, urgent=False)
    budget.passed()
    budget.close_for(60.0, urgent=True)
    clock.now += 0.5
    assert granted(budget, urgent=True)


def test_a_reserve_must_leave_something() -> None:
    with pytest.raises(ConfigError, match="leaves none"):
        Budget(5, 5, Clock())


def test_questions_leave_room_for_orders_and_orders_for_cancels() -> None:
    budget = Budget(10, 2, lambda: 0.0, orders=3)
    for _ in range(5):
        budget.take()
    with pytest.raises(RateLimitedError):
        budget.take()
    for _ in range(3):
        budget.take(order=True)
    with pytest.raises(RateLimitedError):
        budget.take(order=True)
    for _ in range(2):
        budget.take(urgent=True)
    with pytest.raises(RateLimitedError):
        budget.take(urgent=True)
