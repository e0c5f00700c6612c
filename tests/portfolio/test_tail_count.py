"""The count of the tail against exact fractions."""

from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nt_ray.errors import RiskError
from nt_ray.portfolio.tail_count import check_tail, tail_size


@given(st.integers(1, 2**32), st.integers(501, 999))
def test_the_rank_is_that_of_exact_fractions_for_any_number_of_observations(count: int, thousandths: int) -> None:
    tail, rank = tail_size(count, thousandths / 1000)
    exact = count * (1 - Fraction(thousandths, 1000))
    assert rank == max(1, ceil(exact))
    assert tail == pytest.approx(float(exact), rel=1e-12)


def test_a_hundred_million_scenarios_at_95_percent_have_five_million_in_the_tail() -> None:
    # In floating point (1 - 0.95) * 10^8 is 5,000,000.0000000044.
    assert tail_size(10**8, 0.95)[1] == 5_000_000


def test_a_tail_of_exactly_one_is_one_and_a_smaller_one_is_refused_with_the_number_it_takes() -> None:
    check_tail(20, 0.95)
    with pytest.raises(RiskError, match="Give at least 20, or lower"):
        check_tail(19, 0.95)
    with pytest.raises(RiskError, match=r"0\.5 and 1"):
        check_tail(100, 0.5)
