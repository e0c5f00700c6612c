from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nt_ray.neural.problems import NeuralError
from nt_ray.neural.serving.knee import knee, measure, sizes_up_to


def test_sizes_double_up_to_the_largest() -> None:
    assert sizes_up_to(1) == (1,)
    assert sizes_up_to(48) == (1, 2, 4, 8, 16, 32, 48)
    with pytest.raises(NeuralError, match="0 windows"):
        sizes_up_to(0)


@given(fixed=st.floats(1e-5, 1e-2), each=st.floats(1e-6, 1e-3))
def test_the_knee_of_a_fixed_cost_and_one_a_window_is_where_doubling_brings_a_tenth(fixed: float, each: float) -> None:
    seconds = {size: fixed + each * size for size in sizes_up_to(4096)}
    found = knee(seconds)
    # A doubling from n lowers the cost of a window, f / n + e, by f / 2n: a tenth of it where n = 4 f / e.
    turn = 4 * fixed / each
    assert found == 1 or found / 2 <= turn * 1.000001
    assert found == 4096 or found >= turn * 0.999999


def test_a_gain_that_comes_late_is_found_and_one_that_takes_too_long_is_not() -> None:
    seconds = {1: 1.0, 2: 2.0, 4: 1.0, 8: 2.0}
    assert knee(seconds) == 4
    assert knee({1: 1.0, 2: 1.1, 4: 1.2}, slowest=1.15) == 2
    assert knee({1: 3.0, 2: 3.1}, slowest=1.0) == 1
    with pytest.raises(NeuralError, match="no knee"):
        knee({})


def test_measuring_stops_where_larger_batches_no_longer_pay() -> None:
    clock = count()
    asked: list[int] = []

    def run(size: int) -> None:
        asked.append(size)
        for _ in range(size if size > 4 else 4):
            next(clock)

    found = measure(run, 1024, lambda: float(next(clock)))
    assert list(found) == [1, 2, 4, 8, 16, 32]
    assert knee(found) == 8
    assert max(asked) == 32
    assert list(measure(run, 1024, lambda: float(next(clock)), slowest=6.0)) == [1, 2, 4, 8]
