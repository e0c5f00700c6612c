from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nt_ray.access.buckets import FASTEST, LocalBuckets, Rate, Verdict
from nt_ray.access.errors import AccessInputError, TooManyRequestsError
from nt_ray.access.limits import Limits, open_limits
from nt_ray.access.roles import Principal, Role
from nt_ray.config import Access


class Seconds:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Textbook:
    """A token bucket as it is drawn: a level in exact fractions that rises with time."""

    def __init__(self, rate: Rate) -> None:
        self.rate, self.level, self.time = rate, Fraction(rate.burst), Fraction(0)

    def take(self, time: Fraction, cost: int) -> bool:
        gained = (time - self.time) * self.rate.per_minute / 60
        self.level, self.time = min(self.level + gained, Fraction(self.rate.burst)), time
        cost = min(cost, self.rate.burst)
        if self.level < cost:
            return False
        self.level -= cost
        return True


RATES = st.builds(Rate, st.integers(1, 6000), st.integers(1, 50))
# Multiples of 1/64 s are exact as floats. A level is then a multiple of 1/3840 of a token, 2.6 us at the highest rate,
# so one that is not whole is never taken for it.
STEPS = st.lists(st.tuples(st.integers(0, 640), st.integers(1, 4)), max_size=60)


@given(RATES, STEPS)
def test_a_bucket_lets_through_what_the_textbook_lets_through(rate: Rate, steps: list[tuple[int, int]]) -> None:
    clock = Seconds()
    buckets, textbook = LocalBuckets(clock), Textbook(rate)
    time = Fraction(0)
    for wait, cost in steps:
        time += Fraction(wait, 64)
        clock.now = 1000.0 + float(time)
        verdict = buckets.take("k", rate, cost)
        assert verdict.allowed is textbook.take(time, cost)
        assert verdict.remaining == int(textbook.level)
        left = (rate.burst - textbook.level) * 60 / rate.per_minute
        assert verdict.full_after_s == pytest.approx(float(left), abs=1e-6)


@given(RATES, st.lists(st.floats(0, 20), max_size=40), st.integers(1, 4))
def test_no_window_lets_through_more_than_the_burst_and_its_share_of_the_rate(
    rate: Rate, waits: list[float], cost: int
) -> None:
    clock = Seconds()
    buckets = LocalBuckets(clock)
    passed: list[float] = []
    for wait in waits:
        clock.now += wait
        if buckets.take("k", rate, cost).allowed:
            passed += [clock.now] * min(cost, rate.burst)
    for first in range(len(passed)):
        for last in range(first, len(passed)):
            window = passed[last] - passed[first]
            assert last - first + 1 <= rate.burst + window / rate.interval_s + 1e-3


@given(RATES, st.integers(1, 60), st.integers(1, 4))
def test_who_waits_as_long_as_he_is_told_is_let_through(rate: Rate, before: int, cost: int) -> None:
    clock = Seconds()
    buckets = LocalBuckets(clock)
    for _ in range(before):
        buckets.take("k", rate)
    verdict = buckets.take("k", rate, cost)
    if not verdict.allowed:
        clock.now += verdict.retry_after_s * 0.99 - 1e-6
        assert not buckets.take("k", rate, cost).allowed
        clock.now += verdict.retry_after_s * 0.01 + 2e-6
        assert buckets.take("k", rate, cost).allowed


def test_keys_do_not_share_a_bucket() -> None:
    buckets = LocalBuckets(Seconds())
    rate = Rate(60, 1)
    assert [buckets.take(key, rate).allowed for key in "aabb"] == [True, False, True, False]


def test_memory_is_bounded_and_a_flood_of_new_keys_empties_no_bucket() -> None:
    clock = Seconds()
    buckets = LocalBuckets(clock, most=100)
    rate = Rate(60, 1)
    assert all(buckets.take(f"k{n}", rate).allowed for n in range(100))
    assert buckets.take("new", rate) == Verdict(allowed=False, remaining=0, retry_after_s=1.0, full_after_s=1.0)
    assert not buckets.take("k0", rate).allowed
    clock.now += 1.0
    # All are full again, so they need no memory.
    assert buckets.take("new", rate).allowed
    assert len(buckets) == 1


@pytest.mark.parametrize("rate", [(0, 1), (-5, 1), (1, 0), (FASTEST + 1, 1)])
def test_a_rate_that_is_none_is_refused(rate: tuple[int, int]) -> None:
    with pytest.raises(AccessInputError):
        Rate(*rate)


@pytest.mark.parametrize("cost", [0, -1])
def test_a_request_that_costs_nothing_or_gives_is_refused(cost: int) -> None:
    with pytest.raises(AccessInputError):
        LocalBuckets(Seconds()).take("k", Rate(60, 1), cost)


def someone(name: str = "ada", **more: Any) -> Principal:
    return Principal(id=name, role=Role.USER, credential=more.pop("credential", "K1"), **more)


def allowed(limits: Limits, ask: Any, most: int = 100) -> int:
    for count in range(most):
        try:
            ask()
        except TooManyRequestsError:
            return count
    return most


def test_an_address_a_login_and_a_user_have_limits_of_their_own() -> None:
    settings = Access(address_per_minute=90, logins_per_minute=12, per_minute=60, burst_s=10)
    limits = Limits(settings, LocalBuckets(Seconds()))
    assert allowed(limits, lambda: limits.address("10.0.0.1")) == 15
    assert allowed(limits, lambda: limits.address("10.0.0.2")) == 15
    assert allowed(limits, lambda: limits.address("::ffff:10.0.0.2")) == 0
    assert allowed(limits, lambda: limits.login("10.0.0.1")) == 2
    assert allowed(limits, lambda: limits.principal(someone())) == 10
    # His sessions and keys share his limit, but for a key with one of its own.
    assert allowed(limits, lambda: limits.principal(someone(credential="K2"))) == 0
    assert allowed(limits, lambda: limits.principal(someone(credential="K3", per_minute=30))) == 5
    assert allowed(limits, lambda: limits.principal(someone("bob"), 4)) == 2


def test_a_limit_below_one_in_a_burst_still_allows_one() -> None:
    limits = Limits(Access(), LocalBuckets(Seconds()))
    assert allowed(limits, lambda: limits.principal(someone(per_minute=1))) == 1


def test_limits_count_in_this_process_where_nothing_else_is_set() -> None:
    limits = open_limits(Access(logins_per_minute=1, burst_s=60))
    limits.login("10.0.0.1")
    with pytest.raises(TooManyRequestsError) as caught:
        limits.login("10.0.0.1")
    assert (caught.value.code, caught.value.status) == ("rate_limited", 429)
    assert 59 < caught.value.retry_after_s <= 60
